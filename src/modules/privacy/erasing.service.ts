// Invariants: what the privacy map calls ERASE is gone with the commit, from the database and, because the person's key
// is destroyed, from every backup of what was sealed under it; what it calls KEEP stays under an id that is nobody's
// name; nobody is erased who was not deleted before, in this transaction or an earlier one (V3).
import { and, asc, eq, isNull, lte, notInArray } from 'drizzle-orm';
import { type Actor, type App, SYSTEM_ACTOR } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { found, requireId, requireReason } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { activeDays } from '../auth/activity.table.js';
import { apiKeys, sessions } from '../auth/auth.table.js';
import { clearFailures, EVERY_CREDENTIAL } from '../auth/throttle.service.js';
import { destroyDataKeys } from '../data-keys/data-keys.service.js';
import { endFilesOf } from '../files/files.service.js';
import { addressUser } from '../mail/addressee.js';
import { outboxEmails } from '../mail/mail.table.js';
import { queueLetter } from '../mail/outbox.service.js';
import { messageLogs } from '../messages/messages.table.js';
import { eraseBilling } from '../payments/customer-closing.service.js';
import { userNotes } from '../staff/user-notes.table.js';
import { usageCounters } from '../usage/usage.table.js';
import { type Departed, toDeparted } from './deleted-users.service.js';
import { getDeletedUser, leave, lockUser } from './leaving.service.js';
import { type DeletedUserRow, deletedUsers } from './privacy.table.js';
import { removeProofs } from './snapshots.service.js';

/**
 * Forgets a person for good, at once. Somebody who was not deleted yet is, first, and hears of it by mail. Doing it
 * twice answers the first.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function eraseUser(
  app: App,
  options: { userId: string; reason: string; actor: Actor },
): Promise<Departed> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const user = await lockUser(app, userId);
    const row = await leave(app, { user, reason, actor });
    if (row.erasedAt) return toDeparted(app, row);
    const erased = await erase(app, { userId, actor, reason });
    if (!user.deletedAt) {
      // Without the id: this letter is the last that is kept about nobody in particular, and goes with the others.
      const letter = { ...addressUser(user), userId: null };
      const data = { username: user.username };
      await queueLetter(app, { ...letter, kind: 'ACCOUNT_ERASED', requestId: actor.requestId, data });
    }
    return toDeparted(app, erased);
  });
}

const AT_ONCE = 100;

/**
 * Erases everybody whose purge date has come, each in a transaction of their own, so that one who cannot be erased
 * keeps no other. For a job; may run in several instances at once.
 *
 * @returns how many were erased here and now
 */
export async function purgeDeletedUsers(app: App): Promise<number> {
  const failed: string[] = [];
  let erased = 0;
  for (;;) {
    const due = await findDue(app, failed);
    for (const { userId } of due) {
      try {
        if (await purge(app, userId)) erased += 1;
      } catch (error) {
        failed.push(userId);
        app.log.error({ err: error, userId }, 'somebody whose purge date has come could not be erased');
      }
    }
    if (due.length < AT_ONCE) return erased;
  }
}

function findDue(app: App, except: string[]): Promise<{ userId: string }[]> {
  const isDue = and(isNull(deletedUsers.erasedAt), lte(deletedUsers.purgeAt, app.now()));
  return app.db
    .select({ userId: deletedUsers.userId })
    .from(deletedUsers)
    .where(and(isDue, except.length > 0 ? notInArray(deletedUsers.userId, except) : undefined))
    .orderBy(asc(deletedUsers.purgeAt))
    .limit(AT_ONCE);
}

/** False when another was quicker. */
async function purge(app: App, userId: string): Promise<boolean> {
  return transact(app, async (app) => {
    const user = await lockUser(app, userId);
    if (!user.deletedAt) return false;
    const row = await getDeletedUser(app, userId);
    if (row.erasedAt || row.purgeAt > app.now()) return false;
    await erase(app, { userId, actor: SYSTEM_ACTOR, reason: 'the purge date had come' });
    return true;
  });
}

async function erase(app: App, options: { userId: string; actor: Actor; reason: string }): Promise<DeletedUserRow> {
  const { userId, actor, reason } = options;
  await destroyDataKeys(app, userId);
  await removeProofs(app, userId);
  await app.db.delete(messageLogs).where(eq(messageLogs.userId, userId));
  await app.db.delete(outboxEmails).where(eq(outboxEmails.userId, userId));
  await app.db.delete(userNotes).where(eq(userNotes.userId, userId));
  await endFilesOf(app, { userId });
  await app.db.delete(apiKeys).where(eq(apiKeys.userId, userId));
  await app.db.delete(usageCounters).where(eq(usageCounters.userId, userId));
  await app.db.delete(activeDays).where(eq(activeDays.userId, userId));
  await app.db
    .update(sessions)
    .set({ ip: null, userAgent: null, impersonationReason: null })
    .where(eq(sessions.userId, userId));
  await clearFailures(app, userId, EVERY_CREDENTIAL);
  await eraseBilling(app, userId);
  const [row] = await app.db
    .update(deletedUsers)
    .set({ sealedSnapshot: null, reason: null, erasedAt: app.now() })
    .where(eq(deletedUsers.userId, userId))
    .returning();
  await recordAudit(app, { actor, action: 'user.erased', userId, target: { kind: 'user', id: userId }, reason });
  return found(row);
}
