// Invariants: whoever sets a password has proven the old one, or the mailbox; nobody chooses another's (ASVS 6.4.6);
// every change ends the other sessions, voids the tokens in letters, is audited and mailed, in one transaction; the
// answer to a request for a letter is the same for every address.
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { requireEmail } from '../../core/input.js';
import { LETTER_FLOOR_MS, takeAtLeast } from '../../core/least-time.js';
import { linkTo } from '../../core/links.js';
import { createRowLookup } from '../../core/lookups.js';
import { recordAudit } from '../audit/audit.service.js';
import {
  type AccountRecord,
  actingAs,
  addressOf,
  findAccount,
  getAccount,
  hashNewPassword,
  requireOwnPassword,
  setPassword,
} from '../auth/credentials.service.js';
import { consumeEmailToken, createEmailToken, getEmailToken } from '../auth/email-tokens.service.js';
import type { Owner } from '../auth/owner.js';
import { personOf } from '../auth/sessions.service.js';
import { queueLetter } from '../mail/outbox.service.js';

const targetOf = (account: Owner) => ({ userId: personOf(account), target: { kind: account.kind, id: account.id } });

const findPassword = createRowLookup<{ id: string }>(
  'select id from users where id = any($1::uuid[]) and password_hash is not null',
  ({ id }) => id,
);

export async function hasPassword(app: App, options: { userId: string }): Promise<boolean> {
  return (await findPassword(app, options.userId)) !== undefined;
}

/** Sends a letter with a link when there is such an account and it is not suspended; the answer never tells (P2). */
export async function requestPasswordReset(
  app: App,
  options: { email: string; kind: Owner['kind']; actor: Actor },
): Promise<void> {
  const { kind, actor } = options;
  const { emailKey } = requireEmail(options.email);
  const send = (app: App) =>
    transact(app, async (app) => {
      const account = await findAccount(app, { kind, emailKey });
      if (!account || account.suspended) return;
      if (!(await sendPasswordReset(app, { account, actor }))) return;
      await recordAudit(app, { actor, action: `${kind}.password_reset_requested`, ...targetOf(account) });
    });
  await takeAtLeast(LETTER_FLOOR_MS, () => send(app));
}

/**
 * The letter with the link that sets a new password, inside the caller's transaction; false when the address has had
 * its letters of this hour. Also what operators send: the person chooses, not they.
 */
export async function sendPasswordReset(app: App, options: { account: AccountRecord; actor: Actor }): Promise<boolean> {
  const { account, actor } = options;
  const data = async () => {
    const token = await createEmailToken(app, { purpose: 'RESET_PASSWORD', owner: account, email: account.email });
    return { username: account.username, link: linkTo(app.config, '/reset-password', token) };
  };
  return queueLetter(app, {
    ...addressOf(account),
    kind: 'RESET_PASSWORD',
    ip: actor.ip,
    requestId: actor.requestId,
    data,
  });
}

/** The account a token of a letter is for, as long as the address is the one it went to. */
async function getTokenAccount(app: App, token: { owner: Owner; email: string }): Promise<AccountRecord> {
  const account = await getAccount(app, token.owner);
  if (account.email !== token.email) throw new AppError('TOKEN_INVALID');
  if (account.suspended) throw new AppError('ACCOUNT_SUSPENDED');
  return account;
}

async function writeChangedLetter(app: App, options: { account: AccountRecord; actor: Actor }): Promise<void> {
  const { account, actor } = options;
  const data = { username: account.username, when: app.now(), ip: actor.ip };
  await queueLetter(app, { ...addressOf(account), kind: 'PASSWORD_CHANGED', requestId: actor.requestId, data });
}

/**
 * Sets a new password with the token of a letter, which proves the mailbox, too. Ends all sessions and voids every
 * other token but undo links; opens an account that guesses had closed. Signs nobody in. Answers how many sessions ended.
 *
 * @throws TOKEN_INVALID, TOKEN_EXPIRED, WEAK_PASSWORD (the token can be used again), ACCOUNT_SUSPENDED, RETRY_LATER
 */
export async function resetPassword(
  app: App,
  options: { token: string; newPassword: string; actor: Actor },
): Promise<number> {
  const { token, newPassword } = options;
  const known = await getEmailToken(app, { token, purpose: 'RESET_PASSWORD' });
  const passwordHash = await hashNewPassword(app, {
    account: await getTokenAccount(app, known),
    password: newPassword,
  });
  return transact(app, async (app) => {
    const account = await getTokenAccount(app, await consumeEmailToken(app, { token, purpose: 'RESET_PASSWORD' }));
    const ended = await setPassword(app, { account, passwordHash, provesMailbox: true, reason: 'PASSWORD_RESET' });
    const actor = actingAs(account, options.actor);
    await recordAudit(app, { actor, action: `${account.kind}.password_reset`, ...targetOf(account) });
    await writeChangedLetter(app, { account, actor });
    return ended;
  });
}

/**
 * Sets the first password of an account that an admin made. Signs nobody in.
 *
 * @throws TOKEN_INVALID (also when the account has a password by now), TOKEN_EXPIRED, WEAK_PASSWORD, ACCOUNT_SUSPENDED
 */
export async function acceptInvitation(
  app: App,
  options: { token: string; password: string; actor: Actor },
): Promise<void> {
  const { token, password } = options;
  const known = await getEmailToken(app, { token, purpose: 'INVITATION' });
  const passwordHash = await hashNewPassword(app, { account: await getTokenAccount(app, known), password });
  await transact(app, async (app) => {
    const account = await getTokenAccount(app, await consumeEmailToken(app, { token, purpose: 'INVITATION' }));
    if (account.passwordHash !== null) throw new AppError('TOKEN_INVALID');
    const given = { account, passwordHash, provesMailbox: true, unlessChanged: true, reason: 'INVITATION' };
    await setPassword(app, given);
    const actor = actingAs(account, options.actor);
    await recordAudit(app, { actor, action: `${account.kind}.invitation_accepted`, ...targetOf(account) });
  });
}

/**
 * Changes the caller's password. This session stays, and is fresh; the others end. Answers how many did.
 *
 * @throws INVALID_CREDENTIALS, RATE_LIMITED, WEAK_PASSWORD, BAD_USER_INPUT, RETRY_LATER
 */
export async function changePassword(
  app: App,
  options: { account: Owner; sessionId: string; currentPassword: string; newPassword: string; actor: Actor },
): Promise<number> {
  const { sessionId, currentPassword, newPassword, actor } = options;
  const account = await requireOwnPassword(app, { account: options.account, password: currentPassword, actor });
  if (currentPassword === newPassword) throw badInput({ newPassword: 'must differ from the current password' });
  const passwordHash = await hashNewPassword(app, { account, password: newPassword });
  return transact(app, async (app) => {
    const change = { account, passwordHash, unlessChanged: true, reason: 'PASSWORD_CHANGED' };
    const ended = await setPassword(app, { ...change, keepSession: sessionId });
    await recordAudit(app, { actor, action: `${account.kind}.password_changed`, ...targetOf(account) });
    await writeChangedLetter(app, { account, actor });
    return ended;
  });
}
