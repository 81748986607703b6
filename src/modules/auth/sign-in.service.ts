// One gate for every way in: the same work and the same answer for an unknown name, a wrong password, a locked and
// a disabled account (SECURITY P1–P3).
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { isRefused, newRow, requireThat, runTogether } from '../../core/one-statement.js';
import { auditRow, recordAudit } from '../audit/audit.service.js';
import { auditEvents } from '../audit/audit.table.js';
import { type SessionRow, sessions, type UserRow, users } from './auth.table.js';
import { actingAs, requireOwnPassword } from './credentials.service.js';
import type { Owner } from './owner.js';
import { type Admission, admit } from './second-factor.service.js';
import { newSession, personOf } from './sessions.service.js';
import { type Attempt, beginAttemptByName, compareGuess } from './throttle.service.js';
import { getUser, isSuspended } from './users.service.js';

export type SignedIn = Admission & { user: UserRow };

/**
 * Signs a person in by username or address and password; whoever has a second factor is asked for it instead.
 *
 * @throws INVALID_CREDENTIALS for everything that is not right, a blocked account included, and for an unverified
 *   address where addresses are confirmed first (it would tell which sign-ups were real); ACCOUNT_SUSPENDED only to
 *   who knows the password; RATE_LIMITED by address; RETRY_LATER when the hashing queue is full
 */
export async function login(
  app: App,
  options: { identifier: string; password: string; actor: Actor },
): Promise<SignedIn> {
  const { identifier, password, actor } = options;
  const { user, attempt } = await beginAttemptByName(app, { identifier, actor });
  // A blocked attempt costs the same hash, so that time does not tell it from a wrong password.
  const { ok, needsRehash } = await compareGuess(app, { attempt, guess: password, stored: user?.passwordHash });
  if (!ok || !user) {
    if (user && attempt.allowed) await recordFailure(app, { user, actor });
    throw new AppError('INVALID_CREDENTIALS');
  }
  const isUsual = !needsRehash && !user.hasSecondFactor && !user.suspendedAt && !mustConfirmFirst(app, user);
  const signedIn = isUsual ? await enterAtOnce(app, { user, attempt, actor }) : undefined;
  if (signedIn) return signedIn;
  await attempt.succeeded();
  if (isSuspended(user, app.now())) throw new AppError('ACCOUNT_SUSPENDED');
  if (mustConfirmFirst(app, user)) throw new AppError('INVALID_CREDENTIALS');
  const rehashed = needsRehash ? await app.passwords.hash(password) : undefined;
  return (await enter(app, { user, rehashed, actor })) ?? enterAgain(app, { user, password, actor });
}

async function recordFailure(app: App, { user, actor }: { user: UserRow; actor: Actor }): Promise<void> {
  const target = { kind: 'user', id: user.id };
  await recordAudit(app, { actor, action: 'user.sign_in_failed', userId: user.id, target });
}

const mustConfirmFirst = (app: App, user: UserRow) => app.config.registration.confirmFirst && !user.emailVerifiedAt;

/**
 * What almost every sign-in comes to, in one statement: the session of a person without a second factor. Undefined,
 * and nothing done, when the person's row is no longer the one that was read (all that could keep them out changes it,
 * switching a second factor on included).
 */
async function enterAtOnce(
  app: App,
  options: { user: UserRow; attempt: Attempt; actor: Actor },
): Promise<SignedIn | undefined> {
  const { user, attempt } = options;
  const account = { kind: 'user', id: user.id, username: user.username } as const;
  const actor = actingAs(account, options.actor);
  const { row, issued } = await newSession(app, { account, method: 'PASSWORD', actor });
  const target = { kind: 'session', id: row.id };
  const entry = auditRow(app, { actor, action: 'user.signed_in', userId: user.id, target });
  const lastLoginAt = app.now();
  const person = sql`
    update ${users} set last_login_at = ${lastLoginAt.toISOString()}::timestamptz
     where id = ${user.id} and password_hash = ${user.passwordHash} and updated_at = ${user.updatedAt.toISOString()}::timestamptz
       and deleted_at is null and suspended_at is null returning id`;
  const writes = {
    person,
    session: newRow(sessions, row),
    audit: newRow(auditEvents, entry),
    ...attempt.startOver(),
  };
  try {
    await runTogether(app, writes, sql`select ${requireThat(sql`exists (select from person)`)}`);
  } catch (error) {
    if (isRefused(error)) return undefined;
    throw error;
  }
  return { issued, user: { ...user, lastLoginAt } };
}

/** Opens the session, or asks for the second factor, if the hash that was verified still stands; undefined if not. */
async function enter(
  app: App,
  options: { user: UserRow; rehashed?: string | undefined; actor: Actor },
): Promise<SignedIn | undefined> {
  const { user, rehashed, actor } = options;
  return transact(app, async (app) => {
    const unchanged = and(eq(users.id, user.id), eq(users.passwordHash, user.passwordHash ?? ''));
    const [current] = await app.db.select().from(users).where(unchanged).for('update');
    if (!current) return undefined;
    if (rehashed) await app.db.update(users).set({ passwordHash: rehashed }).where(eq(users.id, user.id));
    const admission = await admit(app, { account: { kind: 'user', id: user.id }, actor });
    return { ...admission, user: { ...current, lastLoginAt: app.now() } };
  });
}

/** The hash changed meanwhile. Either another sign-in made it stronger, or the password is another one: that wins. */
async function enterAgain(app: App, options: { user: UserRow; password: string; actor: Actor }): Promise<SignedIn> {
  const { password, actor } = options;
  const user = await getUser(app, options.user.id);
  const { ok } = await app.passwords.verify(password, user.passwordHash);
  const signedIn = ok ? await enter(app, { user, actor }) : undefined;
  if (!signedIn) throw new AppError('INVALID_CREDENTIALS');
  return signedIn;
}

/**
 * The caller's password, once more: the session counts as fresh from now on.
 *
 * @throws INVALID_CREDENTIALS, RATE_LIMITED, RETRY_LATER; UNAUTHENTICATED when the session ended meanwhile
 */
export async function reauthenticate(
  app: App,
  options: { account: Owner; sessionId: string; password: string; actor: Actor },
): Promise<SessionRow> {
  const { account, sessionId, password, actor } = options;
  await requireOwnPassword(app, { account, password, actor });
  return transact(app, async (app) => {
    const [session] = await app.db
      .update(sessions)
      .set({ authenticatedAt: app.now() })
      .where(and(eq(sessions.id, sessionId), isNull(sessions.revokedAt)))
      .returning();
    if (!session) throw new AppError('UNAUTHENTICATED');
    const target = { kind: 'session', id: sessionId };
    await recordAudit(app, { actor, action: `${account.kind}.reauthenticated`, userId: personOf(account), target });
    return session;
  });
}
