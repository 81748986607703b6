// Invariants: the address changes only when the new mailbox is proven; until then the old one counts. Whoever asks
// learns nothing about other accounts: nothing is looked up before the new mailbox answers. The old address can take
// the account back for 72 hours, whatever else was changed meanwhile (E9).
import { eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireEmail } from '../../core/input.js';
import { linkTo } from '../../core/links.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import {
  type AccountRecord,
  actingAs,
  addressOf,
  getAccount,
  requireOwnPassword,
} from '../auth/credentials.service.js';
import {
  consumeEmailToken,
  createEmailToken,
  type EmailToken,
  isKeptForUndo,
  voidEmailTokens,
} from '../auth/email-tokens.service.js';
import { removeLinkedAccounts } from '../auth/linked-accounts.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { emitEvent } from '../events/events.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import { sendPasswordReset } from './passwords.service.js';

/** Enough for the owner to recognise the address, too little for whoever reads over their shoulder. */
function maskEmail(email: string): string {
  const [local = '', domain = ''] = email.split('@');
  return `${local.slice(0, 1)}…@${domain}`;
}

/**
 * Sends a link to the new address, and a warning with a link that undoes the change to the old one. The answer is the
 * same whether or not somebody has the new address; that shows at confirmation, to who reads its mailbox.
 *
 * @throws INVALID_CREDENTIALS, RATE_LIMITED, BAD_USER_INPUT
 */
export async function requestEmailChange(
  app: App,
  options: { userId: string; newEmail: string; password: string; actor: Actor },
): Promise<void> {
  const { userId, password, actor } = options;
  const { email, emailKey } = requireEmail(options.newEmail, 'newEmail');
  const account = await requireOwnPassword(app, { account: { kind: 'user', id: userId }, password, actor });
  if (email === account.email) throw badInput({ newEmail: 'is your address already' });
  await transact(app, async (app) => {
    if (!(await sendConfirmation(app, { account, email, actor }))) return;
    // Also when only capitals change: the letter is then a second one to the same mailbox.
    await sendWarning(app, { account, newEmailMasked: maskEmail(emailKey), requestId: actor.requestId });
    await recordAudit(app, {
      actor,
      action: 'user.email_change_requested',
      userId,
      target: { kind: 'user', id: userId },
    });
  });
}

/** False when the new address, or the network, has had its letters of this hour: then nothing is begun. */
async function sendConfirmation(
  app: App,
  options: { account: AccountRecord; email: string; actor: Actor },
): Promise<boolean> {
  const { account, email, actor } = options;
  const data = async () => {
    const token = await createEmailToken(app, { purpose: 'CHANGE_EMAIL', owner: account, email });
    return { username: account.username, link: linkTo(app.config, '/confirm-email-change', token) };
  };
  return queueLetter(app, {
    ...addressOf(account),
    to: email,
    kind: 'EMAIL_CHANGE_CONFIRM',
    ip: actor.ip,
    requestId: actor.requestId,
    data,
  });
}

async function sendWarning(
  app: App,
  options: { account: AccountRecord; newEmailMasked: string; requestId: string | null },
): Promise<void> {
  const { account, newEmailMasked, requestId } = options;
  const token = await createEmailToken(app, { purpose: 'UNDO_EMAIL_CHANGE', owner: account, email: account.email });
  const data = { username: account.username, newEmailMasked, link: linkTo(app.config, '/undo-email-change', token) };
  await queueLetter(app, { ...addressOf(account), kind: 'EMAIL_CHANGE_WARNING', requestId, data });
}

/** Writes the address, proven at this moment. @throws USER_ALREADY_EXISTS when another account has it, or may take it back */
async function writeAddress(app: App, token: EmailToken): Promise<UserRow> {
  const address = requireEmail(token.email);
  const now = app.now();
  const [user] = await app.db
    .update(users)
    .set({ ...address, emailVerifiedAt: now, updatedAt: now })
    .where(eq(users.id, token.owner.id))
    .returning();
  const row = found(user);
  if (await isKeptForUndo(app, { emailKey: row.emailKey, userId: row.id })) throw new AppError('USER_ALREADY_EXISTS');
  await emitEvent(app, { kind: 'user.updated', userId: row.id, data: { fields: ['email', 'emailVerified'] } });
  return row;
}

function addressTaken(error: unknown): unknown {
  return isUniqueViolation(error, 'users_email_key') ? new AppError('USER_ALREADY_EXISTS') : error;
}

/**
 * Makes the new address the account's. Tokens that went to the old one lose their force, undo links excepted; all
 * sessions end but the one that confirms, if it is the account's own.
 *
 * @throws TOKEN_INVALID, TOKEN_EXPIRED, ACCOUNT_SUSPENDED, USER_ALREADY_EXISTS
 */
export async function confirmEmailChange(
  app: App,
  options: { token: string; sessionId?: string | undefined; actor: Actor },
): Promise<UserRow> {
  return transact(app, async (app) => {
    const token = await consumeEmailToken(app, { token: options.token, purpose: 'CHANGE_EMAIL' });
    const before = await getAccount(app, token.owner);
    if (before.suspended) throw new AppError('ACCOUNT_SUSPENDED');
    const user = await writeAddress(app, token);
    await voidEmailTokens(app, { owner: token.owner });
    await endSessions(app, { account: token.owner, reason: 'EMAIL_CHANGED', except: options.sessionId });
    const actor = actingAs(token.owner, options.actor);
    await recordAudit(app, {
      actor,
      action: 'user.email_changed',
      userId: user.id,
      target: { kind: 'user', id: user.id },
    });
    for (const to of new Set([before.email, user.email])) {
      await queueLetter(app, {
        ...addressOf(before),
        to,
        kind: 'EMAIL_CHANGED',
        requestId: actor.requestId,
        data: { username: user.username },
      });
    }
    return user;
  }).catch((error: unknown) => {
    throw addressTaken(error);
  });
}

/**
 * Gives the account back to its old address, before or after the new one was confirmed. Whoever asked for the change
 * knew the password: all sessions end, the change and every later one lose their force, nobody signs in through a
 * provider any more, and a link that sets a new
 * password goes to the address that came back.
 *
 * @throws TOKEN_INVALID, TOKEN_EXPIRED
 */
export async function undoEmailChange(app: App, options: { token: string; actor: Actor }): Promise<void> {
  await transact(app, async (app) => {
    const token = await consumeEmailToken(app, { token: options.token, purpose: 'UNDO_EMAIL_CHANGE' });
    const { owner } = token;
    const actor = actingAs(owner, options.actor);
    // Void first: the link to the new password is made after.
    await voidEmailTokens(app, { owner });
    await voidEmailTokens(app, { owner, purpose: 'UNDO_EMAIL_CHANGE', since: token.createdAt });
    const user = await writeAddress(app, token);
    await endSessions(app, { account: owner, reason: 'EMAIL_CHANGE_UNDONE' });
    // Whoever took the account over may have linked an identity of their own to it, before the change or after.
    await removeLinkedAccounts(app, owner.id);
    await recordAudit(app, {
      actor,
      action: 'user.email_change_undone',
      userId: user.id,
      target: { kind: 'user', id: user.id },
    });
    await sendPasswordReset(app, { account: await getAccount(app, owner), actor });
  }).catch((error: unknown) => {
    throw addressTaken(error);
  });
}
