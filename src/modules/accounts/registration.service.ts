// Invariants: one account per username and per address (unique indexes decide, not a look before); an address
// counts as verified only after its mailbox was proven; nothing here tells a stranger more than the contract says.
import { and, eq, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found, requireEmail, requireUsername } from '../../core/input.js';
import { LETTER_FLOOR_MS, takeAtLeast } from '../../core/least-time.js';
import { linkTo } from '../../core/links.js';
import { requirePassword } from '../../core/password-policy.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { consumeEmailToken, createEmailToken, isKeptForUndo } from '../auth/email-tokens.service.js';
import { type Issued, openSession } from '../auth/sessions.service.js';
import { emitEvent, eventStatement } from '../events/events.service.js';
import { addressUser } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';
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
  const user = { id: newId(), ...name, ...address, passwordHash, locale, createdAt: now, updatedAt: now };
  try {
    return await transact(app, (app) => insertAccount(app, { user, actor }));
  } catch (error) {
    const isAddressTaken = error instanceof AddressKeptError || isUniqueViolation(error, 'users_email_key');
    if (!isAddressTaken && !isUniqueViolation(error)) throw error;
    // Which of two taken names the database complains of is chance; a taken username is no secret, the address is.
    const isHidden =
      app.config.registration.confirmFirst && isAddressTaken && !(await isUsernameTaken(app, name.usernameKey));
    if (!isHidden) throw new AppError('USER_ALREADY_EXISTS');
    await tellOwner(app, { emailKey: address.emailKey, actor });
    return { issued: null, user: null };
  }
}

/** The address can still be taken back by an account that left it. */
class AddressKeptError extends Error {}

async function insertAccount(
  app: App,
  options: { user: typeof users.$inferInsert; actor: Actor },
): Promise<Registered> {
  const [user] = await app.db.insert(users).values(options.user).returning();
  const row = found(user);
  // After the insert: the unique index let us pass, so whoever left the address has committed and is seen.
  if (await isKeptForUndo(app, { emailKey: row.emailKey, exceptUserId: row.id })) throw new AddressKeptError();
  const actor: Actor = { ...options.actor, kind: 'USER', id: row.id };
  await sendVerification(app, { user: row, kind: 'WELCOME_VERIFY', actor });
  const target = { kind: 'user', id: row.id };
  const event = { kind: 'user.registered', userId: row.id, data: { invited: false } } as const;
  await recordAudit(
    app,
    { actor, action: 'user.registered', userId: row.id, target },
    { alongside: eventStatement(app, [event]) },
  );
  if (app.config.registration.confirmFirst) return { issued: null, user: null };
  const account = { kind: 'user', id: row.id, username: row.username } as const;
  return { issued: await openSession(app, { account, method: 'REGISTRATION', actor }), user: row };
}

async function isUsernameTaken(app: App, usernameKey: string): Promise<boolean> {
  return (await app.db.$count(users, eq(users.usernameKey, usernameKey))) > 0;
}

/** The letter with the link, inside the caller's transaction; false when the address has had its letters of this hour. */
export async function sendVerification(
  app: App,
  options: { user: UserRow; kind: 'WELCOME_VERIFY' | 'VERIFY_EMAIL'; actor: Actor },
): Promise<boolean> {
  const { user, kind, actor } = options;
  const data = async () => {
    const owner = { kind: 'user', id: user.id } as const;
    const token = await createEmailToken(app, { purpose: 'VERIFY_EMAIL', owner, email: user.email });
    return { username: user.username, link: linkTo(app.config, '/verify-email', token) };
  };
  return queueLetter(app, {
    kind,
    ...addressUser(user),
    ip: actor.ip,
    requestId: actor.requestId,
    data,
  });
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
