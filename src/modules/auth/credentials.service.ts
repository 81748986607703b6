// The one place that reads and writes passwords of accounts of every kind, so that sign-in, reset, change, invitation
// and recovery cannot differ in what they check or in what they end (P7, P16).
import { and, eq, isNull, lte, or, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import type { Actor, App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { requirePassword } from '../../core/password-policy.js';
import { admins } from '../admin/admin.table.js';
import { recordAudit } from '../audit/audit.service.js';
import { emitEvent } from '../events/events.service.js';
import { type Addressee, OPERATORS_READ } from '../mail/addressee.js';
import { staffMembers } from '../staff/staff.table.js';
import { secondFactorChallenges, users } from './auth.table.js';
import { voidEmailTokens } from './email-tokens.service.js';
import { removeLinkedAccounts } from './linked-accounts.service.js';
import { ACTOR_KIND_OF, type Owner, ownerColumn } from './owner.js';
import { endSessions } from './session-ends.service.js';
import { personOf } from './sessions.service.js';
import { beginAttempt, clearFailures, compareGuess } from './throttle.service.js';
import { isSuspended } from './users.service.js';

/** What a change of credentials needs to know of an account, whatever its kind. */
export interface AccountRecord extends Owner {
  username: string;
  email: string;
  displayName: string | null;
  locale: string;
  timeZone: string;
  emailVerified: boolean;
  /** Null as long as an invitation was not accepted, and for people who only sign in elsewhere. */
  passwordHash: string | null;
  /** Suspended or disabled, at this moment. */
  suspended: boolean;
}

type Wanted = Owner | { kind: Owner['kind']; emailKey: string };

/** The account with this id or address. */
export async function findAccount(app: App, wanted: Wanted): Promise<AccountRecord | undefined> {
  if (wanted.kind !== 'user') return findOperator(app, { ...wanted, kind: wanted.kind });
  const condition = 'id' in wanted ? eq(users.id, wanted.id) : eq(users.emailKey, wanted.emailKey);
  const [row] = await app.db
    .select()
    .from(users)
    .where(and(condition, isNull(users.deletedAt)));
  if (!row) return undefined;
  const { id, username, email, emailVerifiedAt, displayName, locale, timeZone, passwordHash } = row;
  return {
    kind: 'user',
    id,
    username,
    email,
    displayName,
    locale,
    timeZone,
    emailVerified: emailVerifiedAt !== null,
    passwordHash,
    suspended: isSuspended(row, app.now()),
  };
}

/** Admins and staff: two tables of the same form. */
export const OPERATORS = { admin: admins, staff: staffMembers } as const;

async function findOperator(
  app: App,
  wanted: Wanted & { kind: keyof typeof OPERATORS },
): Promise<AccountRecord | undefined> {
  const { kind } = wanted;
  const table = OPERATORS[kind];
  const condition = 'id' in wanted ? eq(table.id, wanted.id) : eq(table.emailKey, wanted.emailKey);
  const { id, username, email, passwordHash, disabledAt } = table;
  const [row] = await app.db.select({ id, username, email, passwordHash, disabledAt }).from(table).where(condition);
  if (!row) return undefined;
  const { disabledAt: closedAt, ...account } = row;
  return { ...account, ...OPERATORS_READ, kind, displayName: null, emailVerified: true, suspended: closedAt !== null };
}

/** @throws NOT_FOUND */
export async function getAccount(app: App, owner: Owner): Promise<AccountRecord> {
  return found(await findAccount(app, owner));
}

/** Whoever changes what the account signs in with locks its row first. Inside the caller's transaction. */
export async function lockAccount(app: App, { kind, id }: Owner): Promise<void> {
  const table = kind === 'user' ? users : OPERATORS[kind];
  await app.db.select({ id: table.id }).from(table).where(eq(table.id, id)).for('update');
}

/** Notes a sign-in, inside its transaction; answers the user name, or undefined when the account may not sign in. */
export async function noteSignIn(app: App, { kind, id }: Owner): Promise<string | undefined> {
  const lastLoginAt = app.now();
  if (kind !== 'user') {
    const table = OPERATORS[kind];
    const isOpen = and(eq(table.id, id), isNull(table.disabledAt));
    const [row] = await app.db.update(table).set({ lastLoginAt }).where(isOpen).returning({ username: table.username });
    return row?.username;
  }
  const [row] = await app.db
    .update(users)
    .set({ lastLoginAt })
    .where(
      and(
        eq(users.id, id),
        isNull(users.deletedAt),
        or(isNull(users.suspendedAt), lte(users.suspendedUntil, lastLoginAt)),
      ),
    )
    .returning({ username: users.username });
  return row?.username;
}

/** Where a letter to the account goes. */
export function addressOf({ kind, id, email, locale, timeZone }: AccountRecord): Addressee {
  return { to: email, locale, timeZone, userId: kind === 'user' ? id : null };
}

/** The actor of an act that a token in a letter, or a secret, proved to be the account's own. */
export function actingAs(owner: Owner, actor: Actor): Actor {
  return { ...actor, kind: ACTOR_KIND_OF[owner.kind], id: owner.id };
}

function noPassword(): AppError {
  const message = 'This account has no password: sign in again where you signed in, or ask for a letter that sets one.';
  return new AppError('CONFLICT', { message, extensions: { reason: 'NO_PASSWORD' } });
}

/**
 * Proves that the caller, who is signed in, knows the account's password. Answers the account as it was when the
 * password was right: hand its hash to `setPassword`.
 *
 * @throws INVALID_CREDENTIALS, RATE_LIMITED, RETRY_LATER; CONFLICT (`reason`: NO_PASSWORD) for people who only sign in
 *   elsewhere: they get fresh by signing in there again, and a password by a letter (`requestPasswordReset`)
 */
export async function requireOwnPassword(
  app: App,
  options: { account: Owner; password: string; actor: Actor },
): Promise<AccountRecord> {
  const { actor, password } = options;
  const account = await getAccount(app, options.account);
  if (account.passwordHash === null) throw noPassword();
  const attempt = await beginAttempt(app, { account, typed: '', actor });
  const { ok } = await compareGuess(app, { attempt, guess: password, stored: account.passwordHash });
  if (!ok) {
    const reason = 'the password was asked for again';
    if (attempt.allowed)
      await recordAudit(app, { actor, action: `${account.kind}.sign_in_failed`, userId: personOf(account), reason });
    throw new AppError('INVALID_CREDENTIALS');
  }
  await attempt.succeeded();
  return account;
}

/**
 * The hash of a new password for the account.
 *
 * @throws WEAK_PASSWORD, BAD_USER_INPUT, RETRY_LATER
 */
export async function hashNewPassword(
  app: App,
  options: { account: AccountRecord; password: string },
): Promise<string> {
  const { account, password } = options;
  const context = [account.username, account.email, account.displayName ?? ''].filter((text) => text !== '');
  await requirePassword(password, { minLength: app.config.passwords.minLength, context });
  return app.passwords.hash(password);
}

interface NewPassword {
  account: AccountRecord;
  passwordHash: string;
  /** Refuse when the password is no longer the one in `account`: another change came first. */
  unlessChanged?: boolean;
  /** The token in a letter was used: the address counts as verified from now on. */
  provesMailbox?: boolean;
}

async function writeHash(app: App, options: NewPassword): Promise<boolean> {
  const { account, passwordHash, provesMailbox, unlessChanged } = options;
  const now = app.now();
  if (account.kind !== 'user') {
    const table = OPERATORS[account.kind];
    const unchanged = unlessChanged ? isSame(table.passwordHash, account.passwordHash) : undefined;
    const rows = await app.db
      .update(table)
      .set({ passwordHash })
      .where(and(eq(table.id, account.id), eq(table.email, account.email), unchanged))
      .returning({ id: table.id });
    return rows.length === 1;
  }
  const unchanged = unlessChanged ? isSame(users.passwordHash, account.passwordHash) : undefined;
  const emailVerifiedAt = sql`coalesce(${users.emailVerifiedAt}, ${sql.param(now, users.emailVerifiedAt)})`;
  const rows = await app.db
    .update(users)
    .set({ passwordHash, updatedAt: now, ...(provesMailbox && { emailVerifiedAt }) })
    .where(and(eq(users.id, account.id), eq(users.email, account.email), unchanged))
    .returning({ emailVerifiedAt: users.emailVerifiedAt });
  // It was this letter that proved the address.
  if (provesMailbox && rows[0]?.emailVerifiedAt?.getTime() === now.getTime())
    await emitEvent(app, { kind: 'user.verified', userId: account.id });
  return rows.length === 1;
}

const isSame = (column: AnyPgColumn, hash: string | null) => (hash === null ? isNull(column) : eq(column, hash));

/** Whoever waits for a second factor proved what no longer counts. */
export async function voidChallenges(app: App, { kind, id }: Owner): Promise<void> {
  const owner = eq(ownerColumn<AnyPgColumn>(secondFactorChallenges, kind), id);
  await app.db.delete(secondFactorChallenges).where(and(owner, isNull(secondFactorChallenges.usedAt)));
}

/**
 * Sets the password and ends everything that rested on the old one: sessions (all, or all but `keepSession`), tokens
 * in letters (not undo links), half-done sign-ins, pending changes of address, and the count of failures. Answers how many sessions
 * ended. Inside the caller's transaction; the caller audits and writes the letter.
 *
 * @throws INVALID_CREDENTIALS when the account changed meanwhile: the other change stands
 */
export async function setPassword(
  app: App,
  options: NewPassword & { reason: string; keepSession?: string | undefined },
): Promise<number> {
  const { account, reason, keepSession } = options;
  if (!(await writeHash(app, options))) throw new AppError('INVALID_CREDENTIALS');
  await voidEmailTokens(app, { owner: account });
  await voidChallenges(app, account);
  await clearFailures(app, account.id);
  // Linked before anybody proved the mailbox: not by its owner (a trojan identifier).
  if (options.provesMailbox && !account.emailVerified) await removeLinkedAccounts(app, account.id);
  return endSessions(app, { account, reason, except: keepSession });
}
