// Invariants: one account per username and per address (unique indexes decide, not a look before); an address
// counts as verified only after its mailbox was proven; nothing here tells a stranger more than the contract says.
import { and, eq, isNull, sql } from 'drizzle-orm';
import { newId, selectList } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found, requireEmail, requireUsername } from '../../core/input.js';
import { LETTER_FLOOR_MS, takeAtLeast } from '../../core/least-time.js';
import { linkTo } from '../../core/links.js';
import { isRefused, newRow, requireThat, runTogether } from '../../core/one-statement.js';
import { requirePassword } from '../../core/password-policy.js';
import { type AuditEntry, auditRow, recordAudit } from '../audit/audit.service.js';
import { auditEvents } from '../audit/audit.table.js';
import { emailTokens, sessions, type UserRow, users } from '../auth/auth.table.js';
import { addressIsKept, consumeEmailToken, createEmailToken, newEmailToken } from '../auth/email-tokens.service.js';
import { type Issued, newSession } from '../auth/sessions.service.js';
import { emitEvent, eventStatement } from '../events/events.service.js';
import { addressUser } from '../mail/addressee.js';
import { letterStatement, queueLetter } from '../mail/outbox.service.js';
import { requireLocale } from './profile.service.js';

export type Registered = { issued: Issued; user: UserRow } | { issued: null; user: null };

interface Registration {
  username: string;
  email: string;
  password: string;
  locale?: string | null | undefined;
  actor: Actor;
}

/**
 * Creates an account, unverified, and signs it in. With `registration.confirmFirst` the answer is empty and the
 * same for known and new addresses; tokens come with the first sign-in after verification.
 *
 * @throws BAD_USER_INPUT, WEAK_PASSWORD, USER_ALREADY_EXISTS (not with confirmFirst, as far as the address goes)
 */
export async function register(app: App, options: Registration): Promise<Registered> {
  if (!app.config.registration.confirmFirst) return createAccount(app, options);
  return takeAtLeast(LETTER_FLOOR_MS, () => createAccount(app, options));
}

async function createAccount(app: App, options: Registration): Promise<Registered> {
  const { actor, password } = options;
  const name = requireUsername(options.username);
  const address = requireEmail(options.email);
  const locale = requireLocale(options.locale ?? 'en');
  await requirePassword(password, {
    minLength: app.config.passwords.minLength,
    context: [name.username, address.email],
  });
  const passwordHash = await app.passwords.hash(password);
  const now = app.now();
  const [createdAt, updatedAt] = [now, now];
  const user = { id: newId(), ...name, ...address, passwordHash, locale, timeZone: 'UTC', createdAt, updatedAt };
  try {
    return await insertAccount(app, { user, actor });
  } catch (error) {
    // Refused: the address can still be taken back by an account that left it.
    const isAddressTaken = isRefused(error) || isUniqueViolation(error, 'users_email_key');
    if (!isAddressTaken && !isUniqueViolation(error)) throw error;
    // Which of two taken names the database complains of is chance; a taken username is no secret, the address is.
    const isHidden =
      app.config.registration.confirmFirst && isAddressTaken && !(await isUsernameTaken(app, name.usernameKey));
    if (!isHidden) throw new AppError('USER_ALREADY_EXISTS');
    await tellOwner(app, { emailKey: address.emailKey, actor });
    return { issued: null, user: null };
  }
}

type NewUser = typeof users.$inferInsert & Verification['user'];

/** The account with all that comes with it, in one statement: all of it is there, or nothing. */
async function insertAccount(app: App, { user, ...options }: { user: NewUser; actor: Actor }): Promise<Registered> {
  const { id, email, emailKey, username } = user;
  const account = { kind: 'user', id, username } as const;
  const actor: Actor = { ...options.actor, kind: 'USER', id };
  const confirmFirst = app.config.registration.confirmFirst;
  const session = confirmFirst ? undefined : await newSession(app, { account, method: 'REGISTRATION', actor });
  const { token, row: tokenRow } = newEmailToken(app, { purpose: 'VERIFY_EMAIL', owner: account, email });
  const letter = verificationLetter({ user, kind: 'WELCOME_VERIFY', actor });
  const entry: AuditEntry = { actor, action: 'user.registered', userId: id, target: { kind: 'user', id } };
  const event = { kind: 'user.registered', userId: id, data: { invited: false } } as const;
  const writes = {
    account: newRow(users, user),
    letter: letterStatement(app, { ...letter, data: verificationData(app, { user, token }) }),
    token: newRow(emailTokens, tokenRow),
    audit: newRow(auditEvents, auditRow(app, entry)),
    event: eventStatement(app, [event]),
    ...(session && { session: newRow(sessions, session.row) }),
  };
  const isFree = requireThat(sql`not ${addressIsKept(app, { emailKey, userId: id })}`);
  const answer = sql`select ${sql.raw(selectList(users))}, ${isFree} from account`;
  const [row] = await runTogether<UserRow>(app, writes, answer);
  return session ? { issued: session.issued, user: found(row) } : { issued: null, user: null };
}

async function isUsernameTaken(app: App, usernameKey: string): Promise<boolean> {
  return (await app.db.$count(users, eq(users.usernameKey, usernameKey))) > 0;
}

interface Verification {
  user: Pick<UserRow, 'id' | 'username' | 'email' | 'locale' | 'timeZone'>;
  kind: 'WELCOME_VERIFY' | 'VERIFY_EMAIL';
  actor: Actor;
}

/** The letter with the link, inside the caller's transaction; false when the address has had its letters of this hour. */
export async function sendVerification(app: App, options: Verification): Promise<boolean> {
  const { id, email } = options.user;
  const makeToken = () => createEmailToken(app, { purpose: 'VERIFY_EMAIL', owner: { kind: 'user', id }, email });
  return queueLetter(app, {
    ...verificationLetter(options),
    data: async () => verificationData(app, { ...options, token: await makeToken() }),
  });
}

function verificationLetter({ user, kind, actor }: Verification) {
  return { kind, ...addressUser(user), ip: actor.ip, requestId: actor.requestId };
}

function verificationData(app: App, { user, token }: { user: { username: string }; token: string }) {
  return { username: user.username, link: linkTo(app.config, '/verify-email', token) };
}

/** Somebody registered with an address that has an account: its owner learns it by mail, the caller nothing. */
async function tellOwner(app: App, options: { emailKey: string; actor: Actor }): Promise<void> {
  await transact(app, async (app) => {
    const [user] = await app.db.select().from(users).where(eq(users.emailKey, options.emailKey));
    if (!user) return;
    const data = async () => {
      const owner = { kind: 'user', id: user.id } as const;
      const token = await createEmailToken(app, { purpose: 'RESET_PASSWORD', owner, email: user.email });
      return { username: user.username, link: linkTo(app.config, '/reset-password', token) };
    };
    const letter = { ...addressUser(user), ip: options.actor.ip };
    await queueLetter(app, { ...letter, kind: 'ALREADY_REGISTERED', requestId: options.actor.requestId, data });
  });
}

/**
 * Proves the mailbox. Never signs anyone in: whoever opened the letter is not thereby the account's owner.
 *
 * @throws TOKEN_INVALID for one that is not ours, was used, or went to an earlier address; TOKEN_EXPIRED;
 *   ACCOUNT_SUSPENDED
 */
export async function verifyEmail(app: App, options: { token: string; actor: Actor }): Promise<UserRow> {
  return transact(app, async (app) => {
    const { owner, email } = await consumeEmailToken(app, { token: options.token, purpose: 'VERIFY_EMAIL' });
    const [user] = await app.db
      .update(users)
      .set({ emailVerifiedAt: app.now(), updatedAt: app.now() })
      .where(and(eq(users.id, owner.id), eq(users.email, email)))
      .returning();
    // The address was changed after the letter went out: the letter proves nothing about the new one.
    if (!user) throw new AppError('TOKEN_INVALID');
    const actor: Actor = { ...options.actor, kind: 'USER', id: user.id };
    await recordAudit(app, {
      actor,
      action: 'user.email_verified',
      userId: user.id,
      target: { kind: 'user', id: user.id },
    });
    await emitEvent(app, { kind: 'user.verified', userId: user.id });
    return user;
  });
}

/** Sends the letter again when there is an unverified account with this address; the answer never tells. */
export async function resendVerificationEmail(app: App, options: { email: string; actor: Actor }): Promise<void> {
  const { emailKey } = requireEmail(options.email);
  const send = (app: App) =>
    transact(app, async (app) => {
      const [user] = await app.db
        .select()
        .from(users)
        .where(and(eq(users.emailKey, emailKey), isNull(users.emailVerifiedAt)));
      if (user) await sendVerification(app, { user, kind: 'VERIFY_EMAIL', actor: options.actor });
    });
  await takeAtLeast(LETTER_FLOOR_MS, () => send(app));
}
