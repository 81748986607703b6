// Invariants: nobody who helps a person chooses anything in their stead (letters go to the person, who sets the
// password); whatever is done stands in the person's security history, except notes, which are between operators.
import { and, desc, eq, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId, requireReason } from '../../core/input.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { sendPasswordReset } from '../accounts/passwords.service.js';
import { sendVerification } from '../accounts/registration.service.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { getAccount } from '../auth/credentials.service.js';
import { clearFailures, EVERY_CREDENTIAL } from '../auth/throttle.service.js';
import { isSuspended } from '../auth/users.service.js';
import { type UserNoteRow, userNotes } from './user-notes.table.js';

const LONGEST_NOTE = 2_000;

interface OnPerson {
  userId: string;
  actor: Actor;
}

async function lockPerson(app: App, userId: string): Promise<UserRow> {
  const here = and(eq(users.id, userId), isNull(users.deletedAt));
  const [user] = await app.db.select().from(users).where(here).for('update');
  return found(user);
}

const historyOf = (userId: string) => ({ userId, target: { kind: 'user', id: userId } });

/** Operators sit behind few addresses: the hourly limit of an address that strangers write from is not for them. */
const unlimited = (actor: Actor): Actor => ({ ...actor, ip: null });

/** @throws RATE_LIMITED when the person's address has had its letters: operators, unlike strangers, are told */
function requireSent(isSent: boolean): void {
  if (isSent) return;
  throw new AppError('RATE_LIMITED', {
    message: 'This person has had all letters of this hour or day.',
    retryAfterSeconds: 3600,
  });
}

/**
 * Sends the verification letter again.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT for an address that is verified, RATE_LIMITED (3 an hour, 10 a day)
 */
export async function resendUserVerification(app: App, options: OnPerson): Promise<void> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  await transact(app, async (app) => {
    const user = await lockPerson(app, userId);
    if (user.emailVerifiedAt) throw new AppError('CONFLICT', { message: 'The address is verified already.' });
    requireSent(await sendVerification(app, { user, kind: 'VERIFY_EMAIL', actor: unlimited(actor) }));
    await recordAudit(app, { actor, action: 'user.verification_resent', ...historyOf(userId) });
  });
}

/**
 * Sends the letter with which the person sets a new password.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT for who is suspended, RATE_LIMITED (3 an hour, 10 a day)
 */
export async function sendUserPasswordReset(app: App, options: OnPerson): Promise<void> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  await transact(app, async (app) => {
    const user = await lockPerson(app, userId);
    if (isSuspended(user, app.now())) throw new AppError('CONFLICT', { message: 'This person is suspended.' });
    const account = await getAccount(app, { kind: 'user', id: userId });
    requireSent(await sendPasswordReset(app, { account, actor: unlimited(actor) }));
    await recordAudit(app, { actor, action: 'user.password_reset_requested', ...historyOf(userId) });
  });
}

/** @throws BAD_USER_INPUT, NOT_FOUND */
export async function addUserNote(app: App, options: OnPerson & { text: string }): Promise<UserNoteRow> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const text = options.text.trim();
  if (text.length < 1 || text.length > LONGEST_NOTE)
    throw badInput({ text: `must have 1 to ${LONGEST_NOTE} characters` });
  return transact(app, async (app) => {
    await lockPerson(app, userId);
    const authorKind = actor.kind === 'ADMIN' ? 'ADMIN' : 'STAFF';
    const note = { id: newId(), userId, authorKind, authorId: actor.id ?? '', text, createdAt: app.now() } as const;
    await app.db.insert(userNotes).values(note);
    // Without `userId`: the note is not the person's to see, nor that there is one.
    await recordAudit(app, { actor, action: 'user.note_added', target: { kind: 'user', id: userId } });
    return note;
  });
}

/** What operators wrote about a person, newest first. */
export async function listUserNotes(
  app: App,
  options: { userId: string; page: PageArguments },
): Promise<Connection<UserNoteRow>> {
  const page = readPage(options.page, ['time', 'id']);
  const ofPerson = eq(userNotes.userId, options.userId);
  const rows = await app.db
    .select()
    .from(userNotes)
    .where(and(ofPerson, olderThan({ time: userNotes.createdAt, id: userNotes.id }, page.after)))
    .orderBy(desc(userNotes.createdAt), desc(userNotes.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => app.db.$count(userNotes, ofPerson),
  });
}

/** Opens an account that wrong guesses had closed, at whatever: password, phrase or second factor. @throws BAD_USER_INPUT, NOT_FOUND */
export async function unlockUser(app: App, options: OnPerson & { reason: string }): Promise<UserRow> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const user = await lockPerson(app, userId);
    await clearFailures(app, userId, EVERY_CREDENTIAL);
    await recordAudit(app, { actor, action: 'user.unlocked', ...historyOf(userId), reason });
    return user;
  });
}
