// One gate for every way in: the same work and the same answer for an unknown name, a wrong password, a locked and
// a disabled account (SECURITY P1–P3).
import { and, eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { recordAudit } from '../audit/audit.service.js';
import { findUserByIdentifier, isSuspended } from './accounts.service.js';
import { type UserRow, users } from './auth.table.js';
import { type Issued, openSession } from './sessions.service.js';
import { beginAttempt } from './throttle.service.js';

/**
 * Signs a person in by username or address and password.
 *
 * @throws INVALID_CREDENTIALS for everything that is not right, a blocked account included; ACCOUNT_SUSPENDED only
 *   to who knows the password; RATE_LIMITED by address; RETRY_LATER when the hashing queue is full
 */
export async function login(app: App, options: { identifier: string; password: string; actor: Actor }): Promise<{ issued: Issued; user: UserRow }> {
  const { identifier, password } = options;
  const user = await findUserByIdentifier(app, identifier);
  const actor: Actor = user ? { ...options.actor, kind: 'USER', id: user.id } : options.actor;
  const attempt = await beginAttempt(app, { account: user ? { kind: 'user', id: user.id } : undefined, typed: identifier, actor });
  // A blocked attempt costs the same hash, so that time does not tell it from a wrong password.
  const { ok, needsRehash } = await app.passwords.verify(password, attempt.allowed ? user?.passwordHash : null);
  if (!ok || !user) {
    if (user) await recordAudit(app, { actor, action: 'user.sign_in_failed', userId: user.id, target: { kind: 'user', id: user.id } });
    throw new AppError('INVALID_CREDENTIALS');
  }
  await attempt.succeeded();
  if (isSuspended(user, app.now())) throw new AppError('ACCOUNT_SUSPENDED');
  const rehashed = needsRehash ? await app.passwords.hash(password) : undefined;
  return transact(app, async (app) => {
    const now = app.now();
    // The hash that was verified has to be the one that stands: a password changed meanwhile wins.
    const [current] = await app.db
      .update(users)
      .set({ lastLoginAt: now, ...(rehashed && { passwordHash: rehashed }) })
      .where(and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash ?? '')))
      .returning();
    if (!current) throw new AppError('INVALID_CREDENTIALS');
    const issued = await openSession(app, { account: { kind: 'user', id: user.id, username: user.username }, method: 'PASSWORD', actor });
    await recordAudit(app, { actor, action: 'user.signed_in', userId: user.id, target: { kind: 'session', id: issued.sessionId } });
    return { issued, user: current };
  });
}
