// Invariants: somebody comes back as who they were, with their id, credits and password, and without the sessions and
// keys they had; never over the head of whoever has their names by now; never after the purge date, whether or not the
// purge has run (V2).
import { and, eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found, requireEmail, requireId, requireUsername } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { endApiKeys } from '../auth/dropped-credentials.service.js';
import { isKeptForUndo } from '../auth/email-tokens.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { findOpeningKeys } from '../data-keys/data-keys.service.js';
import { emitEvent } from '../events/events.service.js';
import { addressUser } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';
import { reopenBilling } from '../payments/customer-closing.service.js';
import { lockUser } from './leaving.service.js';
import { deletedUsers } from './privacy.table.js';
import { openSnapshot, removeProofs, restoreProofs, type Snapshot } from './snapshots.service.js';

interface NewNames {
  username?: string | null | undefined;
  /** Nobody has proven it: it counts as unverified. */
  email?: string | null | undefined;
}

/**
 * Brings a deleted person back, under the names they had or under new ones.
 *
 * @throws BAD_USER_INPUT; NOT_FOUND; CONFLICT (`status`) when they are not deleted, or erased, or past the purge date;
 *   USER_ALREADY_EXISTS (`taken`: `username`, `email` or both) when somebody else has the names: give new ones
 */
export async function restoreUser(app: App, options: NewNames & { userId: string; actor: Actor }): Promise<UserRow> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const names = {
    ...(options.username != null && requireUsername(options.username)),
    ...(options.email != null && requireEmail(options.email)),
  };
  try {
    return await transact(app, async (app) => {
      const { person, proofs } = await openDeleted(app, userId);
      const row = await writePerson(app, { userId, person, names });
      // Whatever was made while they left, by a request that came at the same moment.
      await removeProofs(app, userId);
      await endApiKeys(app, userId);
      await endSessions(app, { account: { kind: 'user', id: userId }, reason: 'USER_DELETED' });
      await restoreProofs(app, proofs);
      await app.db.delete(deletedUsers).where(eq(deletedUsers.userId, userId));
      await reopenBilling(app, userId);
      const target = { kind: 'user', id: userId };
      const after = { newNames: Object.keys(names).filter((name) => name === 'username' || name === 'email') };
      await recordAudit(app, { actor, action: 'user.restored', userId, target, after });
      await emitEvent(app, { kind: 'user.restored', userId });
      for (const to of new Set([row.email, person.email])) {
        const data = { username: row.username };
        await queueLetter(app, {
          kind: 'ACCOUNT_RESTORED',
          ...addressUser(row),
          to,
          requestId: actor.requestId,
          data,
        });
      }
      return row;
    });
  } catch (error) {
    // Somebody took the name between the look and the write.
    if (isUniqueViolation(error, 'users_username_key')) throw namesTaken(['username']);
    if (isUniqueViolation(error, 'users_email_key')) throw namesTaken(['email']);
    throw error;
  }
}

async function openDeleted(app: App, userId: string): Promise<Snapshot> {
  const user = await lockUser(app, userId);
  if (!user.deletedAt) throw new AppError('CONFLICT', { extensions: { status: user.status } });
  const [row] = await app.db.select().from(deletedUsers).where(eq(deletedUsers.userId, userId));
  const deleted = found(row);
  const keys = (await findOpeningKeys(app, [userId])).get(userId) ?? [];
  const isOver = deleted.erasedAt !== null || deleted.purgeAt <= app.now();
  const snapshot = isOver || !deleted.sealedSnapshot ? undefined : openSnapshot(keys, deleted.sealedSnapshot);
  if (!snapshot) throw new AppError('CONFLICT', { extensions: { status: 'ERASED' } });
  return snapshot;
}

interface Names {
  username?: string;
  usernameKey?: string;
  email?: string;
  emailKey?: string;
}

async function writePerson(
  app: App,
  options: { userId: string; person: Snapshot['person']; names: Names },
): Promise<UserRow> {
  const { userId, names } = options;
  const person = { ...options.person, ...names };
  const isProven = person.emailKey === options.person.emailKey;
  const { usernameKey, emailKey } = person;
  const taken = [
    ...((await app.db.$count(users, eq(users.usernameKey, usernameKey))) > 0 ? ['username'] : []),
    ...((await isEmailTaken(app, { userId, emailKey })) ? ['email'] : []),
  ];
  if (taken.length > 0) throw namesTaken(taken);
  const [row] = await app.db
    .update(users)
    .set({
      ...person,
      emailVerifiedAt: isProven ? person.emailVerifiedAt : null,
      deletedAt: null,
      updatedAt: app.now(),
    })
    .where(and(eq(users.id, userId), eq(users.status, 'DELETED')))
    .returning();
  return found(row);
}

/** Had by somebody, or kept for somebody who may still take it back. */
async function isEmailTaken(app: App, options: { userId: string; emailKey: string }): Promise<boolean> {
  const { userId, emailKey } = options;
  if ((await app.db.$count(users, eq(users.emailKey, emailKey))) > 0) return true;
  return isKeptForUndo(app, { emailKey, userId });
}

function namesTaken(taken: string[]): AppError {
  return new AppError('USER_ALREADY_EXISTS', { extensions: { taken } });
}
