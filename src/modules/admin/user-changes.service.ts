// Invariants: nobody ever chooses another's password: whoever is made here sets their own with the invitation, which
// proves the address, too; a new address counts as unverified until its mailbox answers, and whatever rested on the
// old one ends with it; audit rows say which fields were changed and not what they hold, for they stay when the person
// is forgotten.
import { and, eq, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireEmail, requireId, requireUsername } from '../../core/input.js';
import { linkTo } from '../../core/links.js';
import { readProfileChanges } from '../accounts/profile.service.js';
import { sendVerification } from '../accounts/registration.service.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { createEmailToken, isKeptForUndo, voidEmailTokens } from '../auth/email-tokens.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { requireActivePlan } from '../catalog/plans.service.js';
import { emitEvent } from '../events/events.service.js';
import { addressUser } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';
import { getAdmin } from './admin-sign-in.service.js';

const taken = () => new AppError('USER_ALREADY_EXISTS');

/** After the row was written: whoever left the address has committed by then and is seen. @throws USER_ALREADY_EXISTS */
async function requireFreeAddress(app: App, user: UserRow): Promise<void> {
  if (await isKeptForUndo(app, { emailKey: user.emailKey, userId: user.id })) throw taken();
}

async function invite(app: App, options: { user: UserRow; actor: Actor }): Promise<void> {
  const { user, actor } = options;
  const { username: invitedBy } = await getAdmin(app, actor.id ?? '');
  const owner = { kind: 'user', id: user.id } as const;
  const token = await createEmailToken(app, { purpose: 'INVITATION', owner, email: user.email });
  const data = { username: user.username, link: linkTo(app.config, '/accept-invitation', token), invitedBy };
  await queueLetter(app, {
    kind: 'INVITATION',
    ...addressUser(user),
    requestId: actor.requestId,
    data,
  });
}

/**
 * A new person, who sets a password with the invitation that is mailed; accepting it proves the address.
 *
 * @throws BAD_USER_INPUT, USER_ALREADY_EXISTS
 */
export async function createUser(
  app: App,
  options: { username: string; email: string; planCode?: string | null | undefined; actor: Actor },
): Promise<UserRow> {
  const { planCode, actor } = options;
  const identity = { ...requireUsername(options.username), ...requireEmail(options.email) };
  try {
    return await transact(app, async (app) => {
      const plan = planCode == null ? {} : { planCode: (await requireActivePlan(app, planCode)).code };
      const now = app.now();
      const row = { id: newId(), ...identity, ...plan, createdAt: now, updatedAt: now };
      const [inserted] = await app.db.insert(users).values(row).returning();
      const user = found(inserted);
      await requireFreeAddress(app, user);
      await invite(app, { user, actor });
      const after = { planCode: user.planCode };
      await recordAudit(app, {
        actor,
        action: 'user.created',
        userId: user.id,
        target: { kind: 'user', id: user.id },
        after,
      });
      await emitEvent(app, { kind: 'user.registered', userId: user.id, data: { invited: true } });
      return user;
    });
  } catch (error) {
    throw isUniqueViolation(error) ? taken() : error;
  }
}

interface UserChanges {
  userId: string;
  username?: string | null | undefined;
  email?: string | null | undefined;
  displayName?: string | null | undefined;
  locale?: string | null | undefined;
  timeZone?: string | null | undefined;
  actor: Actor;
}

/** What was sent and found right; null clears as in `updateProfile`, where there is something to clear. */
async function readChanges(app: App, { username, email, displayName, locale, timeZone }: UserChanges) {
  return {
    ...(username != null && requireUsername(username)),
    ...(email != null && requireEmail(email)),
    ...(await readProfileChanges(app, { displayName, locale, timeZone })),
  };
}

/** Ends what rested on the old address, tells it, and has the new one proven. */
async function moveToNewAddress(app: App, options: { before: UserRow; user: UserRow; actor: Actor }): Promise<void> {
  const { before, user, actor } = options;
  const account = { kind: 'user', id: user.id } as const;
  await requireFreeAddress(app, user);
  // Undo links, too: they would take back what an admin decided.
  await voidEmailTokens(app, { owner: account });
  await voidEmailTokens(app, { owner: account, purpose: 'UNDO_EMAIL_CHANGE' });
  await endSessions(app, { account, reason: 'EMAIL_CHANGED' });
  const { username } = user;
  const letter = { ...addressUser(user), to: before.email };
  await queueLetter(app, { ...letter, kind: 'EMAIL_CHANGED', requestId: actor.requestId, data: { username } });
  // Whoever never set a password is invited again: the invitation proves the address, too.
  const isInvited = before.passwordHash === null && before.emailVerifiedAt === null;
  if (isInvited) return invite(app, { user, actor });
  // Without the admin's address, which is not the one that letters are counted by.
  const isSent = await sendVerification(app, { user, kind: 'VERIFY_EMAIL', actor: { ...actor, ip: null } });
  if (isSent) return;
  const message = 'The new address has had all letters of this hour or day.';
  throw new AppError('RATE_LIMITED', { message, retryAfterSeconds: 3600 });
}

/** The fields of the input that are changed; keys of names and the like are not fields of anybody's. */
const fieldsOf = (changes: object) => Object.keys(changes).filter((name) => !name.endsWith('Key'));

/**
 * Changes a person's account. A changed address counts as unverified, gets a letter, and ends all sessions; the old
 * one is told. What is left out stays.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, USER_ALREADY_EXISTS; RATE_LIMITED when the new address has had its letters
 */
export async function updateUser(app: App, options: UserChanges): Promise<UserRow> {
  const { actor } = options;
  const id = requireId(options.userId, 'userId');
  const changes = await readChanges(app, options);
  if (Object.keys(changes).length === 0) throw badInput({ input: 'must hold a change' });
  try {
    return await transact(app, async (app) => {
      const [row] = await app.db
        .select()
        .from(users)
        .where(and(eq(users.id, id), isNull(users.deletedAt)))
        .for('update');
      const before = found(row);
      const isMoving = changes.email !== undefined && changes.email !== before.email;
      const [changed] = await app.db
        .update(users)
        .set({ ...changes, ...(isMoving && { emailVerifiedAt: null }), updatedAt: app.now() })
        .where(eq(users.id, id))
        .returning();
      const user = found(changed);
      if (isMoving) await moveToNewAddress(app, { before, user, actor });
      const after = { fields: fieldsOf(changes) };
      await recordAudit(app, { actor, action: 'user.updated', userId: id, target: { kind: 'user', id }, after });
      await emitEvent(app, { kind: 'user.updated', userId: id, data: after });
      return user;
    });
  } catch (error) {
    throw isUniqueViolation(error) ? taken() : error;
  }
}
