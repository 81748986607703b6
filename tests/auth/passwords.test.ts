import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transact } from '../../src/core/database.js';
import { admins } from '../../src/modules/admin/admin.table.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { emailTokens, users } from '../../src/modules/auth/auth.table.js';
import { createEmailToken } from '../../src/modules/auth/email-tokens.service.js';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import {
  actionsOf,
  changePassword,
  freshIp,
  HOUR,
  isSignedIn,
  login,
  MINUTE,
  NEW_PASSWORD,
  refresh,
  requestEmailChange,
  requestPasswordReset,
  resetPassword,
  SECOND,
  signIn,
  verdicts,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

const subjects = async (email: string) => (await h.letters(email)).map((letter) => letter.subject);

/** A reset token out of a letter to the address. */
async function resetToken(email: string, account?: 'USER' | 'ADMIN'): Promise<string> {
  await requestPasswordReset(h, email, account);
  return h.tokenFor(email, '/reset-password');
}

async function suspend(userId: string): Promise<void> {
  await h.app.db.update(users).set({ status: 'SUSPENDED', suspendedAt: h.clock.now() }).where(eq(users.id, userId));
}

describe('requestPasswordReset', () => {
  it('answers the same for every address, and writes only to people who have an account', async () => {
    const [person, suspended, admin] = [await h.person(), await h.person(), await h.admin([])];
    await suspend(suspended.id);
    for (const email of [
      person.email,
      person.email.toUpperCase(),
      suspended.email,
      admin.email,
      'nobody@example.com',
    ]) {
      const answer = await requestPasswordReset(h, email);
      expect([answer.status, answer.data]).toEqual([200, { requestPasswordReset: { ok: true } }]);
    }
    expect((await subjects(person.email)).filter((subject) => subject === 'Set a new password')).toHaveLength(2);
    expect(await subjects(suspended.email)).not.toContain('Set a new password');
    // Kinds of account are apart: an admin's address is nobody's among users.
    expect(await h.letters(admin.email)).toEqual([]);
    expect(await h.letters('nobody@example.com')).toEqual([]);
  });

  it('refuses what is no address', async () => {
    expect((await requestPasswordReset(h, 'no address')).code).toBe('BAD_USER_INPUT');
    expect((await requestPasswordReset(h, '"a b"@example.com')).code).toBe('BAD_USER_INPUT');
  });

  it('stops at three letters an hour with the same answer, and leaves the last link alone', async () => {
    const person = await h.person();
    h.clock.advance(HOUR);
    for (let count = 0; count < 6; count += 1) {
      expect((await requestPasswordReset(h, person.email)).data.requestPasswordReset.ok).toBe(true);
    }
    expect((await subjects(person.email)).filter((subject) => subject === 'Set a new password')).toHaveLength(3);
    expect((await resetPassword(h, await h.tokenFor(person.email, '/reset-password'))).errors).toBeUndefined();
  });

  it('shows in the security history', async () => {
    const person = await h.person();
    await requestPasswordReset(h, person.email);
    expect(await actionsOf(h, person.token)).toContain('user.password_reset_requested');
  });
});

describe('resetPassword', () => {
  it('sets the password, ends every session, mails, and signs nobody in', async () => {
    const person = await h.person();
    const other = await signIn(h, { identifier: person.username });
    const answer = await resetPassword(h, await resetToken(person.email));
    expect(answer.data.resetPassword).toEqual({ endedSessions: 2 });
    for (const { token, refreshToken } of [person, other]) {
      expect(await isSignedIn(h, token)).toBe(false);
      expect((await refresh(h, refreshToken)).code).toBe('TOKEN_INVALID');
    }
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    const { token } = await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
    expect(await actionsOf(h, token)).toContain('user.password_reset');
    expect(await subjects(person.email)).toContain('Your password was changed');
  });

  it('proves the mailbox, too', async () => {
    const person = await h.person({ verified: false });
    await resetPassword(h, await resetToken(person.email));
    const { token } = await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
    expect((await h.graphql('{ me { emailVerified } }', { token })).data.me.emailVerified).toBe(true);
  });

  it('takes the account back from who registered it with another’s address', async () => {
    const intruder = await h.person({ verified: false });
    await resetPassword(h, await resetToken(intruder.email));
    expect(await isSignedIn(h, intruder.token)).toBe(false);
    expect((await login(h, { identifier: intruder.username, password: intruder.password })).code).toBe(
      'INVALID_CREDENTIALS',
    );
  });

  it('works once, of fifty at once', async () => {
    const person = await h.person();
    const token = await resetToken(person.email);
    const answers = await Promise.all(Array.from({ length: 50 }, () => resetPassword(h, token)));
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
    expect(verdicts(answers)).toEqual(new Set([undefined, 'TOKEN_INVALID']));
    const { token: session } = await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
    expect((await actionsOf(h, session)).filter((action) => action === 'user.password_reset')).toHaveLength(1);
  });

  it('kills every other reset link and a pending change of address', async () => {
    const person = await h.person();
    const newEmail = `new-${person.username}@example.com`;
    await requestEmailChange(h, person.token, newEmail);
    const change = await h.tokenFor(newEmail, '/confirm-email-change');
    const older = await resetToken(person.email);
    const newer = await resetToken(person.email);
    expect((await resetPassword(h, older)).code).toBe('TOKEN_INVALID');
    expect((await resetPassword(h, newer)).errors).toBeUndefined();
    const confirm = `mutation($token: String!) { confirmEmailChange(token: $token) { user { id } } }`;
    expect((await h.graphql(confirm, { variables: { token: change } })).code).toBe('TOKEN_INVALID');
    const live = (await h.app.db.select().from(emailTokens).where(eq(emailTokens.userId, person.id))).filter(
      (row) => !row.usedAt && !row.voidedAt,
    );
    expect(live.map((row) => row.purpose)).toEqual(['UNDO_EMAIL_CHANGE']);
  });

  it('expires after thirty minutes', async () => {
    const person = await h.person();
    const token = await resetToken(person.email);
    h.clock.advance(30 * MINUTE);
    const answer = await resetPassword(h, token);
    expect([answer.status, answer.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('keeps the token when the new password is refused', async () => {
    const person = await h.person();
    const token = await resetToken(person.email);
    for (const password of ['short', 'password1234', `${person.username} again`]) {
      const answer = await resetPassword(h, token, password);
      expect([answer.status, answer.code], password).toEqual([422, 'WEAK_PASSWORD']);
    }
    expect((await resetPassword(h, token)).errors).toBeUndefined();
  });

  it('opens an account that guesses had closed', async () => {
    const person = await h.person();
    for (let guess = 0; guess < 5; guess += 1)
      await login(h, { identifier: person.username, password: 'wrong guess here' });
    await resetPassword(h, await resetToken(person.email));
    await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
  });

  it('refuses for a suspended account, and a letter that went to an address since left', async () => {
    const [suspended, moved] = [await h.person(), await h.person()];
    const tokens = [await resetToken(suspended.email), await resetToken(moved.email)];
    await suspend(suspended.id);
    const email = `moved-${moved.username}@example.com`;
    await h.app.db.update(users).set({ email, emailKey: email }).where(eq(users.id, moved.id));
    expect((await resetPassword(h, tokens[0] as string)).code).toBe('ACCOUNT_SUSPENDED');
    expect((await resetPassword(h, tokens[1] as string)).code).toBe('TOKEN_INVALID');
  });

  it('costs no hash for what is no token', async () => {
    for (const token of ['', 'x', 'crd_reset_x', (await h.person()).token]) {
      expect((await resetPassword(h, token)).code).toBe('TOKEN_INVALID');
    }
  });

  it('serves admins, and only where the admin’s address was asked for as such', async () => {
    const admin = await h.admin(['users:read']);
    const token = await resetToken(admin.email, 'ADMIN');
    expect((await resetPassword(h, token)).data.resetPassword.endedSessions).toBe(1);
    expect(await isSignedIn(h, admin.token)).toBe(false);
    const adminLogin = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { __typename } }`;
    const enter = (password: string) =>
      h.graphql(adminLogin, { ip: freshIp(), variables: { input: { identifier: admin.username, password } } });
    expect((await enter(PASSWORD)).code).toBe('INVALID_CREDENTIALS');
    expect((await enter(NEW_PASSWORD)).errors).toBeUndefined();
    expect(await subjects(admin.email)).toEqual(['Set a new password', 'Your password was changed']);
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, admin.id));
    expect(rows.map((row) => [row.action, row.actorKind])).toEqual(
      expect.arrayContaining([
        ['admin.password_reset_requested', 'ANONYMOUS'],
        ['admin.password_reset', 'ADMIN'],
      ]),
    );
  });
});

describe('acceptInvitation', () => {
  const ACCEPT = `mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { ok } }`;
  const accept = (token: string, password = NEW_PASSWORD) =>
    h.graphql(ACCEPT, { ip: freshIp(), variables: { input: { token, password } } });

  /** An admin that was made but never had a password, and the token of the invitation. */
  async function invited() {
    const admin = await h.admin([]);
    await h.app.db.update(admins).set({ passwordHash: null }).where(eq(admins.id, admin.id));
    const owner = { kind: 'admin', id: admin.id } as const;
    const token = await transact(h.app, (app) =>
      createEmailToken(app, { purpose: 'INVITATION', owner, email: admin.email }),
    );
    return { admin, token };
  }

  it('sets the first password, once', async () => {
    const { admin, token } = await invited();
    expect((await accept(token)).data.acceptInvitation).toEqual({ ok: true });
    expect((await accept(token)).code).toBe('TOKEN_INVALID');
    const [row] = await h.app.db.select().from(admins).where(eq(admins.id, admin.id));
    expect((await h.app.passwords.verify(NEW_PASSWORD, row?.passwordHash)).ok).toBe(true);
    const audit = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, admin.id));
    expect(audit.map((event) => event.action)).toContain('admin.invitation_accepted');
  });

  it('works once, of fifty at once', async () => {
    const { token } = await invited();
    const answers = await Promise.all(Array.from({ length: 50 }, () => accept(token)));
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
  });

  it('serves people whom an admin made, and proves their mailbox', async () => {
    const person = await h.person({ verified: false });
    await h.app.db.update(users).set({ passwordHash: null }).where(eq(users.id, person.id));
    const owner = { kind: 'user', id: person.id } as const;
    const token = await transact(h.app, (app) =>
      createEmailToken(app, { purpose: 'INVITATION', owner, email: person.email }),
    );
    expect((await accept(token)).errors).toBeUndefined();
    const { token: session } = await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
    expect((await h.graphql('{ me { emailVerified } }', { token: session })).data.me.emailVerified).toBe(true);
  });

  it('never replaces a password, expires, and applies the policy', async () => {
    const { admin, token } = await invited();
    expect((await accept(token, 'short')).code).toBe('WEAK_PASSWORD');
    const passwordHash = await h.app.passwords.hash(PASSWORD);
    await h.app.db.update(admins).set({ passwordHash }).where(eq(admins.id, admin.id));
    expect((await accept(token)).code).toBe('TOKEN_INVALID');
    await h.app.db.update(admins).set({ passwordHash: null }).where(eq(admins.id, admin.id));
    h.clock.advance(72 * HOUR);
    expect((await accept(token)).code).toBe('TOKEN_EXPIRED');
    expect((await accept('crd_invite_x')).code).toBe('TOKEN_INVALID');
  });

  it('refuses for an admin who was disabled meanwhile', async () => {
    const { admin, token } = await invited();
    await h.app.db.update(admins).set({ disabledAt: h.clock.now() }).where(eq(admins.id, admin.id));
    expect((await accept(token)).code).toBe('ACCOUNT_SUSPENDED');
  });
});

describe('changePassword', () => {
  it('takes the current password, ends the other sessions, keeps this one, and mails', async () => {
    const person = await h.person();
    const other = await signIn(h, { identifier: person.username });
    const answer = await changePassword(h, person.token);
    expect(answer.data.changePassword).toEqual({ endedSessions: 1 });
    expect(await isSignedIn(h, person.token)).toBe(true);
    expect(await isSignedIn(h, other.token)).toBe(false);
    await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    expect(await subjects(person.email)).toContain('Your password was changed');
    expect(await actionsOf(h, person.token)).toContain('user.password_changed');
  });

  it('kills reset links that are out', async () => {
    const person = await h.person();
    const token = await resetToken(person.email);
    await changePassword(h, person.token);
    expect((await resetPassword(h, token)).code).toBe('TOKEN_INVALID');
  });

  it('is throttled like a sign-in', async () => {
    const person = await h.person();
    for (let guess = 0; guess < 5; guess += 1) {
      const answer = await changePassword(h, person.token, { currentPassword: 'wrong guess here' });
      expect([answer.status, answer.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    }
    expect((await changePassword(h, person.token)).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND);
    expect((await changePassword(h, person.token)).errors).toBeUndefined();
  });

  it('applies the policy, and wants another password than the current one', async () => {
    const person = await h.person();
    const weak = await changePassword(h, person.token, { newPassword: 'short' });
    expect([weak.status, weak.code]).toEqual([422, 'WEAK_PASSWORD']);
    const same = await changePassword(h, person.token, { newPassword: PASSWORD });
    expect([same.status, same.code]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('is for people with a verified address, and for admins', async () => {
    const [unverified, admin] = [await h.person({ verified: false }), await h.admin([])];
    const refused = await changePassword(h, unverified.token);
    expect([refused.status, refused.code]).toEqual([403, 'EMAIL_NOT_VERIFIED']);
    expect((await changePassword(h, admin.token)).errors).toBeUndefined();
    expect(await subjects(admin.email)).toContain('Your password was changed');
    expect((await changePassword(h, 'x')).code).toBe('TOKEN_INVALID');
  });

  it('lets one of two simultaneous changes win, whole', async () => {
    const person = await h.person();
    const passwords = ['four lanterns under the old bridge', 'nine kettles over the cold harbour'];
    const answers = await Promise.all(passwords.map((newPassword) => changePassword(h, person.token, { newPassword })));
    const won = answers.findIndex((answer) => answer.errors === undefined);
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
    expect(answers[1 - won]?.code).toBe('INVALID_CREDENTIALS');
    await signIn(h, { identifier: person.username, password: passwords[won] as string });
  });
});
