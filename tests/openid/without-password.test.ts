// People who only ever sign in at the provider: what others prove with a password, they prove by signing in there again.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { totpCode } from '../second-factor/codes.js';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, type Subject, startScriptedProvider } from '../support/scripted-provider.js';
import { signInAt, subject } from './operations.js';

let h: Harness;
let provider: ScriptedProvider;
beforeAll(async () => {
  provider = await startScriptedProvider();
  const returnUrls = ['https://app.example.com/google-sign-in'];
  h = await createHarness({ config: { google: { ...CLIENT, issuer: provider.issuer, returnUrls } } });
});
afterAll(async () => {
  await h.close();
  await provider.close();
});

async function enter(who: Subject): Promise<{ id: string; email: string; username: string; token: string }> {
  const { accessToken, user } = (await signInAt(h, provider, who)).data.completeGoogleSignIn;
  return { ...user, token: accessToken };
}

describe('somebody without a password', () => {
  it('cannot prove one, and is told what to do instead', async () => {
    const { token } = await enter(subject());
    const asks = [
      `mutation { reauthenticate(password: "${PASSWORD}") { session { id } } }`,
      `mutation { changePassword(input: { currentPassword: "${PASSWORD}", newPassword: "another few words 12" }) { endedSessions } }`,
      `mutation { requestEmailChange(input: { newEmail: "new@example.net", password: "${PASSWORD}" }) { ok } }`,
    ];
    for (const ask of asks) {
      const { code, errors } = await h.graphql(ask, { token });
      expect(code).toBe('CONFLICT');
      expect(errors?.[0]?.extensions.reason).toBe('NO_PASSWORD');
    }
    const login = 'mutation($input: LoginInput!) { login(input: $input) { __typename } }';
    const { email } = await enter(subject());
    for (const password of [PASSWORD, '']) {
      const answer = await h.graphql(login, { variables: { input: { identifier: email, password } } });
      expect(answer.code).toBe('INVALID_CREDENTIALS');
    }
  });

  it('is fresh after signing in at the provider again, and can leave', async () => {
    const who = subject();
    const { token } = await enter(who);
    h.clock.advance(11 * 60_000);
    const leave = 'mutation { deleteAccount { ok } }';
    expect((await h.graphql(leave, { token })).code).toMatch(/TOKEN_EXPIRED|REAUTHENTICATION_REQUIRED/);
    const again = await enter(who);
    expect((await h.graphql(leave, again)).errors).toBeUndefined();
    // Whoever comes with the same identity is somebody new.
    const newcomer = await enter(who);
    expect(newcomer.id).not.toBe(again.id);
  });

  it('gets a password by mail, and signs in either way from then on', async () => {
    const who = subject();
    const { id, email, username } = await enter(who);
    await h.graphql(`mutation { requestPasswordReset(email: "${email}") { ok } }`);
    const token = await h.tokenFor(email, '/reset-password');
    const reset = 'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }';
    const answer = await h.graphql(reset, { variables: { input: { token, newPassword: PASSWORD } } });
    expect(answer.data.resetPassword.endedSessions).toBe(1);
    const login = 'mutation($input: LoginInput!) { login(input: $input) { ... on AuthPayload { user { id } } } }';
    const byPassword = await h.graphql(login, { variables: { input: { identifier: username, password: PASSWORD } } });
    expect(byPassword.data.login.user.id).toBe(id);
    expect((await enter(who)).id).toBe(id);
  });

  it('is asked for the second factor, and the session says how it began', async () => {
    const who = subject();
    const { token } = await enter(who);
    const start = await h.graphql('mutation { startTotpEnrollment { secret } }', { token });
    const { secret } = start.data.startTotpEnrollment;
    const confirm = 'mutation($code: String!) { confirmTotpEnrollment(code: $code) { backupCodes } }';
    await h.graphql(confirm, { token, variables: { code: totpCode(secret, h.clock.now()) } });
    h.clock.advance(60_000);
    const { challenge, methods, __typename } = (await signInAt(h, provider, who)).data.completeGoogleSignIn;
    expect([__typename, methods]).toEqual(['SecondFactorRequired', ['TOTP', 'BACKUP_CODE']]);
    const complete = `mutation($input: CompleteSecondFactorInput!) { completeSecondFactor(input: $input) { ... on AuthPayload { accessToken } } }`;
    const wrong = await h.graphql(complete, { variables: { input: { challenge, code: '000000' } } });
    expect(wrong.code).toBe('INVALID_CREDENTIALS');
    const input = { challenge, code: totpCode(secret, h.clock.now()) };
    const { data } = await h.graphql(complete, { variables: { input } });
    const { accessToken } = data.completeSecondFactor;
    const session = await h.graphql('{ currentSession { method } }', { token: accessToken });
    expect(session.data.currentSession.method).toBe('GOOGLE');
  });
});

describe('what is held about the link', () => {
  it('is in the export, goes with the person, comes back with them, and is gone when they are erased', async () => {
    const who = subject();
    const { id, token } = await enter(who);
    const exported = await h.graphql('{ exportMyData }', { token });
    expect(exported.data.exportMyData.linkedAccounts).toEqual([
      expect.objectContaining({ issuer: provider.issuer, subject: who.sub, email: who.email }),
    ]);
    const { sql } = h.app.database;
    const linked = () => sql.query('select from linked_accounts where subject = $1', [who.sub]);
    await h.graphql('mutation { deleteAccount { ok } }', { token });
    expect(await linked()).toEqual([]);
    const admin = await h.admin(['users:delete']);
    await h.graphql(`mutation { restoreUser(input: { userId: "${id}" }) { user { id } } }`, admin);
    expect((await enter(who)).id).toBe(id);
    await h.graphql(`mutation { eraseUser(input: { userId: "${id}", reason: "asked for" }) { user { id } } }`, admin);
    expect(await linked()).toEqual([]);
  });

  it('stays with whoever made a new account with it, when the former is brought back', async () => {
    const who = subject();
    const first = await enter(who);
    await h.graphql('mutation { deleteAccount { ok } }', first);
    const second = await enter(who);
    const admin = await h.admin(['users:delete']);
    const restore = `mutation { restoreUser(input: { userId: "${first.id}", email: "${subject().email}", username: "back${process.pid}" }) { user { id } } }`;
    expect((await h.graphql(restore, admin)).errors).toBeUndefined();
    expect((await enter(who)).id).toBe(second.id);
  });
});
