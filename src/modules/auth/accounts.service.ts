// Invariants: one account per username and per address (unique indexes decide, not a look before); an address
// counts as verified only after its mailbox was proven; nothing here tells a stranger more than the contract says.
import { and, eq, isNull, or } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { canonicalEmail, found, requireEmail, requireUsername } from '../../core/input.js';
import { linkTo } from '../../core/links.js';
import { requirePassword } from '../../core/password-policy.js';
import { recordAudit } from '../audit/audit.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type UserRow, users } from './auth.table.js';
import { consumeEmailToken, createEmailToken } from './email-tokens.service.js';
import { type Issued, openSession } from './sessions.service.js';

export type Registered = { issued: Issued; user: UserRow } | { issued: null; user: null };

/**
 * Creates an account, unverified, and signs it in. With `registration.confirmFirst` the answer is empty and the
 * same for known and new addresses; tokens come with the first sign-in after verification.
 *
 * @throws BAD_USER_INPUT, WEAK_PASSWORD, USER_ALREADY_EXISTS (not with confirmFirst, as far as the address goes)
 */
export async function register(
  app: App,
  options: { username: string; email: string; password: string; locale?: string | undefined; actor: Actor },
): Promise<Registered> {
  const { actor, locale, password } = options;
  const name = requireUsername(options.username);
  const address = requireEmail(options.email);
  await requirePassword(password, { minLength: app.config.passwords.minLength, context: [name.username, address.email] });
  const passwordHash = await app.passwords.hash(password);
  const now = app.now();
  const user = { id: newId(), ...name, ...address, passwordHash, locale: locale ?? 'en', createdAt: now, updatedAt: now };
  try {
    return await transact(app, (app) => insertAccount(app, { user, actor }));
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    if (!app.config.registration.confirmFirst || !isUniqueViolation(error, 'users_email_key')) throw new AppError('USER_ALREADY_EXISTS');
    await tellOwner(app, { emailKey: address.emailKey, actor });
    return { issued: null, user: null };
  }
}

async function insertAccount(app: App, options: { user: typeof users.$inferInsert; actor: Actor }): Promise<Registered> {
  const [user] = await app.db.insert(users).values(options.user).returning();
  const row = found(user);
  const actor: Actor = { ...options.actor, kind: 'USER', id: row.id };
  await sendVerification(app, { user: row, kind: 'WELCOME_VERIFY', actor });
  await recordAudit(app, { actor, action: 'user.registered', userId: row.id, target: { kind: 'user', id: row.id } });
  if (app.config.registration.confirmFirst) return { issued: null, user: null };
  const issued = await openSession(app, { account: { kind: 'user', id: row.id, username: row.username }, method: 'REGISTRATION', actor });
  return { issued, user: row };
}

async function sendVerification(app: App, options: { user: UserRow; kind: 'WELCOME_VERIFY' | 'VERIFY_EMAIL'; actor: Actor }): Promise<void> {
  const { user, kind, actor } = options;
  const token = await createEmailToken(app, { purpose: 'VERIFY_EMAIL', owner: { kind: 'user', id: user.id }, email: user.email });
  const data = { username: user.username, link: linkTo(app.config, '/verify-email', token) };
  await queueLetter(app, { kind, to: user.email, locale: user.locale, userId: user.id, ip: actor.ip, data });
}

/** Somebody registered with an address that has an account: its owner learns it by mail, the caller nothing. */
async function tellOwner(app: App, options: { emailKey: string; actor: Actor }): Promise<void> {
  await transact(app, async (app) => {
    const [user] = await app.db.select().from(users).where(eq(users.emailKey, options.emailKey));
    if (!user) return;
    const token = await createEmailToken(app, { purpose: 'RESET_PASSWORD', owner: { kind: 'user', id: user.id }, email: user.email });
    const data = { username: user.username, link: linkTo(app.config, '/reset-password', token) };
    await queueLetter(app, { kind: 'ALREADY_REGISTERED', to: user.email, locale: user.locale, userId: user.id, ip: options.actor.ip, data });
  });
}

/** Proves the mailbox. Never signs anyone in: whoever opened the letter is not thereby the account's owner. */
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
    await recordAudit(app, { actor, action: 'user.email_verified', userId: user.id, target: { kind: 'user', id: user.id } });
    return user;
  });
}

/** Sends the letter again when there is an unverified account with this address; the answer never tells. */
export async function resendVerificationEmail(app: App, options: { email: string; actor: Actor }): Promise<void> {
  const { emailKey } = requireEmail(options.email);
  await transact(app, async (app) => {
    const [user] = await app.db
      .select()
      .from(users)
      .where(and(eq(users.emailKey, emailKey), isNull(users.emailVerifiedAt)));
    if (user) await sendVerification(app, { user, kind: 'VERIFY_EMAIL', actor: options.actor });
  });
}

export async function getUser(app: App, id: string): Promise<UserRow> {
  const [user] = await app.db.select().from(users).where(eq(users.id, id));
  return found(user);
}

/** The account a username or an address names, if any. */
export async function findUserByIdentifier(app: App, identifier: string): Promise<UserRow | undefined> {
  const emailKey = canonicalEmail(identifier)?.emailKey;
  const [user] = await app.db
    .select()
    .from(users)
    .where(or(eq(users.usernameKey, identifier.toLowerCase()), emailKey ? eq(users.emailKey, emailKey) : undefined));
  return user;
}

/** Whether a suspension counts at this moment: one with an end lifts itself. */
export function isSuspended(user: Pick<UserRow, 'suspendedAt' | 'suspendedUntil'>, now: Date): boolean {
  return user.suspendedAt !== null && (user.suspendedUntil === null || user.suspendedUntil > now);
}
