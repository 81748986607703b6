import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.js';
import { linkAt, linkGoogle, type Redirect, signInAt, startGoogleLink, subject, unlinkGoogle } from './operations.js';

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

const linkedOf = async (token: string) =>
  (await h.graphql('{ me { email linkedAccounts { nodes { id email lastUsedAt } totalCount } } }', { token })).data.me;

describe('linkGoogle', () => {
  it('links, tells the owner, changes nothing else, and signs in from then on', async () => {
    const person = await h.person();
    const google = subject({ email_verified: false });
    const { data, errors } = await linkAt(h, provider, person.token, google);
    expect(errors).toBeUndefined();
    expect(data.linkGoogle.linkedAccount).toMatchObject({
      issuer: provider.issuer,
      email: google.email,
      lastUsedAt: null,
    });
    expect((await linkedOf(person.token)).email).toBe(person.email);
    expect((await h.letters(person.email)).at(-1)?.subject).toBe('A new way to sign in to your account');
    const signedIn = await signInAt(h, provider, google);
    expect(signedIn.data.completeGoogleSignIn.user).toMatchObject({ id: person.id, email: person.email });
  });

  it('says the same when it is done again', async () => {
    const person = await h.person();
    const google = subject();
    const first = await linkAt(h, provider, person.token, google);
    expect((await linkAt(h, provider, person.token, google)).data).toEqual(first.data);
    expect((await linkedOf(person.token)).linkedAccounts.totalCount).toBe(1);
  });

  it('refuses an identity that is somebody else’s here', async () => {
    const [ada, eve] = [await h.person(), await h.person()];
    const google = subject();
    await linkAt(h, provider, ada.token, google);
    const { code, errors } = await linkAt(h, provider, eve.token, google);
    expect(code).toBe('CONFLICT');
    expect(errors?.[0]?.extensions.reason).toBe('LINKED_ELSEWHERE');
  });

  it('asks for a fresh session, a person, and the person themself', async () => {
    const person = await h.person();
    const begun: Redirect = (await startGoogleLink(h, person.token)).data.startGoogleLink;
    const back = { ...provider.comeBack(begun.authorizationUrl, subject()), browserSecret: begun.browserSecret };
    h.clock.advance(10 * 60_000 + 1);
    const { token } = await refreshed(person.refreshToken);
    for (const refused of [
      await startGoogleLink(h, token),
      await linkGoogle(h, token, back),
      await unlinkGoogle(h, token),
    ]) {
      expect(refused.code).toBe('REAUTHENTICATION_REQUIRED');
    }
    const admin = await h.admin(['users:impersonate']);
    expect((await startGoogleLink(h, admin.token)).code).toBe('UNAUTHENTICATED');
    const other = await h.person();
    const impersonate = 'mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }';
    const input = { userId: other.id, reason: 'a ticket about it', readOnly: false };
    const acting = await h.graphql(impersonate, { ...admin, variables: { input } });
    expect(acting.errors).toBeUndefined();
    expect((await startGoogleLink(h, acting.data.impersonateUser.accessToken)).code).toBe('FORBIDDEN');
  });

  async function refreshed(refreshToken: string): Promise<{ token: string }> {
    const answer = await h.graphql(`mutation { refreshToken(refreshToken: "${refreshToken}") { accessToken } }`);
    return { token: answer.data.refreshToken.accessToken };
  }
});

describe('unlinkGoogle', () => {
  it('takes the identity away, ends the other sessions, and tells the owner', async () => {
    const person = await h.person();
    const google = subject();
    await linkAt(h, provider, person.token, google);
    const other = (await signInAt(h, provider, google)).data.completeGoogleSignIn;
    const { data } = await unlinkGoogle(h, person.token);
    expect(data.unlinkGoogle).toEqual({ endedSessions: 1, user: { id: person.id } });
    expect((await h.graphql('{ me { id } }', { token: other.accessToken })).code).toBe('UNAUTHENTICATED');
    expect((await h.letters(person.email)).at(-1)?.subject).toBe('A way to sign in was removed');
    expect((await signInAt(h, provider, google)).data.completeGoogleSignIn.user.id).not.toBe(person.id);
  });

  it('refuses to take the last way in, and takes it when there is a password', async () => {
    const google = subject();
    const { accessToken, user } = (await signInAt(h, provider, google)).data.completeGoogleSignIn;
    const refused = await unlinkGoogle(h, accessToken);
    expect(refused.code).toBe('CONFLICT');
    expect(refused.errors?.[0]?.extensions.reason).toBe('LAST_WAY_IN');
    await h.graphql(`mutation { requestPasswordReset(email: "${user.email}") { ok } }`);
    const token = await h.tokenFor(user.email, '/reset-password');
    const reset = 'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }';
    await h.graphql(reset, { variables: { input: { token, newPassword: PASSWORD } } });
    const fresh = (await signInAt(h, provider, google)).data.completeGoogleSignIn;
    expect((await unlinkGoogle(h, fresh.accessToken)).errors).toBeUndefined();
  });

  it('of several takes the one that is named, down to the last way in', async () => {
    const google = subject();
    const { accessToken } = (await signInAt(h, provider, google)).data.completeGoogleSignIn;
    await linkAt(h, provider, accessToken, subject());
    expect((await unlinkGoogle(h, accessToken)).code).toBe('BAD_USER_INPUT');
    const [newer, older] = (await linkedOf(accessToken)).linkedAccounts.nodes;
    expect((await unlinkGoogle(h, accessToken, older.id)).errors).toBeUndefined();
    expect((await unlinkGoogle(h, accessToken, newer.id)).code).toBe('CONFLICT');
    expect((await linkedOf(accessToken)).linkedAccounts.nodes).toEqual([newer]);
  });

  it('knows only one’s own', async () => {
    const [ada, eve] = [await h.person(), await h.person()];
    const { id } = (await linkAt(h, provider, ada.token, subject())).data.linkGoogle.linkedAccount;
    await linkAt(h, provider, eve.token, subject());
    expect((await unlinkGoogle(h, eve.token, id)).code).toBe('NOT_FOUND');
    expect((await unlinkGoogle(h, eve.token, 'nonsense')).code).toBe('BAD_USER_INPUT');
    const nobody = await h.person();
    expect((await unlinkGoogle(h, nobody.token)).code).toBe('NOT_FOUND');
  });
});

it('staff of level 2 see what is linked, others do not', async () => {
  const person = await h.person();
  await linkAt(h, provider, person.token, subject());
  const look = `{ user(id: "${person.id}") { linkedAccounts { totalCount } hasPassword } }`;
  expect((await h.graphql(look, await h.staff(2))).data.user).toEqual({
    linkedAccounts: { totalCount: 1 },
    hasPassword: true,
  });
  expect((await h.graphql(look, await h.staff(1))).code).toBe('FORBIDDEN');
});
