// Invariants: from the commit on the person passes nowhere, because every reader of people, sessions and keys asks for
// `deleted_at`; what they were is there once, sealed with their own key; their names are free; whoever comes with the
// same names gets a new id and inherits nothing (V1, C8).
import { and, eq, gt, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { found, requireId, requireReason } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { emailTokens, type UserRow, users } from '../auth/auth.table.js';
import { endApiKeys } from '../auth/dropped-credentials.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { releaseHoldsOf } from '../credits/holds.service.js';
import { getSealingKey } from '../data-keys/data-keys.service.js';
import { emitEvent } from '../events/events.service.js';
import { endFilesOf } from '../files/files.service.js';
import { addressUser } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';
import { closeBilling } from '../payments/customer-closing.service.js';
import { type Departed, toDeparted } from './deleted-users.service.js';
import { type DeletedUserRow, deletedUsers } from './privacy.table.js';
import { blankPerson, removeProofs, takeSnapshot } from './snapshots.service.js';

const KEEP_MS = 30 * 86_400_000;
/** The caller leaves. @throws BAD_USER_INPUT */
export async function deleteAccount(
  app: App,
  options: { userId: string; reason?: string | null | undefined; actor: Actor },
): Promise<DeletedUserRow> {
  const { userId, actor } = options;
  const reason = options.reason?.trim() ? requireReason(options.reason) : null;
  return transact(app, async (app) => leave(app, { user: await lockUser(app, userId), reason, actor }));
}

/**
 * Takes a person out: 30 days long they can be brought back. Doing it twice answers the first.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function deleteUser(
  app: App,
  options: { userId: string; reason: string; actor: Actor },
): Promise<Departed> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const row = await leave(app, { user: await lockUser(app, userId), reason, actor });
    return toDeparted(app, row);
  });
}

/** The person's row, of somebody deleted too; everybody else who changes it waits. @throws NOT_FOUND */
export async function lockUser(app: App, userId: string): Promise<UserRow> {
  const [user] = await app.db.select().from(users).where(eq(users.id, userId)).for('update');
  return found(user);
}

/** @throws NOT_FOUND when the person was not deleted */
export async function getDeletedUser(app: App, userId: string): Promise<DeletedUserRow> {
  const [row] = await app.db.select().from(deletedUsers).where(eq(deletedUsers.userId, userId));
  return found(row);
}

/** Inside the transaction that has locked the person. */
export async function leave(
  app: App,
  options: { user: UserRow; reason: string | null; actor: Actor },
): Promise<DeletedUserRow> {
  const { user, reason, actor } = options;
  const userId = user.id;
  if (user.deletedAt) return getDeletedUser(app, userId);
  const now = app.now();
  const sealedSnapshot = await takeSnapshot(app, { user, key: await getSealingKey(app, userId) });
  const addresses = await addressesOf(app, user);
  const endedSessions = await endSessions(app, { account: { kind: 'user', id: userId }, reason: 'USER_DELETED' });
  await endApiKeys(app, userId);
  await removeProofs(app, userId);
  // The avatar waits with them, unseen.
  await endFilesOf(app, { userId, kinds: ['DATA_EXPORT'] });
  const releasedHolds = await releaseHoldsOf(app, userId);
  await closeBilling(app, userId);
  await app.db
    .update(users)
    .set({ ...blankPerson(userId), deletedAt: now, updatedAt: now })
    .where(eq(users.id, userId));
  const purgeAt = new Date(now.getTime() + KEEP_MS);
  const [row] = await app.db
    .insert(deletedUsers)
    .values({
      userId,
      sealedSnapshot,
      deletedAt: now,
      deletedByKind: actor.kind,
      deletedById: actor.id,
      reason,
      purgeAt,
    })
    .returning();
  await recordAudit(app, {
    actor,
    action: 'user.deleted',
    userId,
    target: { kind: 'user', id: userId },
    after: { purgeAt: purgeAt.toISOString(), endedSessions, releasedHolds },
    // An operator's reason is part of the act. The person's own words are theirs, and go when they are erased.
    reason: actor.kind === 'USER' ? undefined : (reason ?? undefined),
  });
  await emitEvent(app, { kind: 'user.deleted', userId, data: { purgeAt } });
  for (const to of addresses) {
    const data = { username: user.username, when: purgeAt };
    await queueLetter(app, {
      kind: 'ACCOUNT_DELETED',
      ...addressUser(user),
      to,
      requestId: actor.requestId,
      data,
    });
  }
  return found(row);
}

/**
 * Where the news goes: the address, and every address that could still take the account back. Whoever stole the
 * account, changed its address and deletes it would otherwise be the only one to hear of it (V2).
 */
async function addressesOf(app: App, user: UserRow): Promise<Set<string>> {
  const rows = await app.db
    .select({ email: emailTokens.email })
    .from(emailTokens)
    .where(
      and(
        eq(emailTokens.userId, user.id),
        eq(emailTokens.purpose, 'UNDO_EMAIL_CHANGE'),
        isNull(emailTokens.usedAt),
        isNull(emailTokens.voidedAt),
        gt(emailTokens.expiresAt, app.now()),
      ),
    );
  return new Set([user.email, ...rows.map(({ email }) => email)]);
}
