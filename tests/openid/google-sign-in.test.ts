import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.js';
import { completeGoogleSignIn, type Redirect, signInAt, startGoogleSignIn, subject } from './operations.js';

let h: Harness;
let provider: ScriptedProvider;
const APP = 'https://app.example.com/google-sign-in';
const OTHER_APP = 'https://admin.example.com/back?from=google';

beforeAll(async () => {
  provider = await startScriptedProvider();
  const returnUrls = [APP, OTHER_APP];
  h = await createHarness({ config: { google: { ...CLIENT, issuer: provider.issuer, returnUrls } } });
});
afterAll(async () => {
  await h.close();
  await provider.close();
});

const begin = async (input = {}): Promise<Redirect> => (await startGoogleSignIn(h, input)).data.startGoogleSignIn;
const redirectOf = ({ authorizationUrl }: Redirect) => new URL(authorizationUrl).searchParams.get('redirect_uri');
const me = (token: string, fields: string) => h.graphql(`{ me { ${fields} } }`, { token });

describe('startGoogleSignIn', () => {
  it('sends the browser to the provider with PKCE, a nonce and a state, and to a page of the app after', async () => {
    const begun = await begin();
    const url = new URL(begun.authorizationUrl);
    expect(url.origin).toBe(provider.issuer);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: CLIENT.clientId,
      response_type: 'code',
      scope: 'openid email profile',
      code_challenge_method: 'S256',
      redirect_uri: APP,
      state: begun.state,
    });
    expect(url.searchParams.get('nonce')).toMatch(/^[\w-]{43}$/);
    expect(begun.authorizationUrl).not.toContain(begun.browserSecret);
  });

  it('comes back to a listed page or to the door, and nowhere else', async () => {
    expect(redirectOf(await begin({ redirectUri: OTHER_APP }))).toBe(OTHER_APP);
    const door = `${h.app.config.server.publicUrl}/auth/google/callback`;
    expect(redirectOf(await begin({ redirectUri: door }))).toBe(door);
    for (const redirectUri of [`${APP}/`, `${APP}#x`, 'https://app.example.com', 'https://evil.example', '']) {
      const { code, errors } = await startGoogleSignIn(h, { redirectUri });
      expect(code, redirectUri).toBe('BAD_USER_INPUT');
      expect(errors?.[0]?.extensions.fields).toHaveProperty('redirectUri');
    }
  });

  it('keeps neither state, nonce, verifier nor secret in the open', async () => {
    const begun = await begin({ username: 'sesameopen' });
    const nonce = new URL(begun.authorizationUrl).searchParams.get('nonce') ?? '';
    const rows = await h.app.database.sql.query<{ row: string }>(
      'select to_jsonb(s)::text as row from oauth_states s',
      [],
    );
    const all = rows.map(({ row }) => row).join('\n');
    for (const secret of [begun.state, begun.browserSecret, nonce, 'sesameopen']) expect(all).not.toContain(secret);
  });

  it('refuses wishes that no account can have', async () => {
    expect((await startGoogleSignIn(h, { username: 'a b' })).code).toBe('BAD_USER_INPUT');
    expect((await startGoogleSignIn(h, { locale: 'nonsense!' })).code).toBe('BAD_USER_INPUT');
  });
});

describe('completeGoogleSignIn', () => {
  it('makes a verified account without a password, tells its owner, and finds it again by the subject', async () => {
    const ada = subject({ name: 'Ada Lovelace' });
    const { data, errors } = await signInAt(h, provider, ada, { input: { locale: 'de-AT' } });
    expect(errors).toBeUndefined();
    const { user, accessToken } = data.completeGoogleSignIn;
    expect(user).toMatchObject({ email: ada.email, emailVerified: true, displayName: 'Ada Lovelace', locale: 'de-AT' });
    const { data: seen } = await me(
      accessToken,
      'hasPassword linkedAccounts { nodes { issuer email lastUsedAt } totalCount } sessions { nodes { method } } securityHistory { nodes { action } }',
    );
    expect(seen.me.hasPassword).toBe(false);
    expect(seen.me.linkedAccounts.nodes).toEqual([
      { issuer: provider.issuer, email: ada.email, lastUsedAt: expect.any(String) },
    ]);
    expect(seen.me.sessions.nodes).toEqual([{ method: 'GOOGLE' }]);
    expect(seen.me.securityHistory.nodes.map(({ action }: { action: string }) => action)).toEqual([
      'user.signed_in',
      'user.google_linked',
      'user.registered',
    ]);
    expect((await h.letters(ada.email)).map(({ subject }) => subject)).toEqual(['Willkommen! Ihr Konto ist bereit']);

    const again = await signInAt(h, provider, { ...ada, email: 'elsewhere@example.com', email_verified: false });
    expect(again.data.completeGoogleSignIn.user).toMatchObject({ id: user.id, email: ada.email });
  });

  it('names the account as wished, or after what the provider says, with digits when somebody has the name', async () => {
    const nameOf = async (changes: object, input = {}) =>
      (await signInAt(h, provider, subject(changes), { input })).data.completeGoogleSignIn.user.username;
    expect(await nameOf({}, { username: 'Grace.Hopper' })).toBe('Grace.Hopper');
    expect(await nameOf({}, { username: 'grace.hopper' })).toMatch(/^grace\.hopper\d{5}$/);
    expect(await nameOf({ preferred_username: 'Zoë@corp' })).toBe('Zoe');
    expect(await nameOf({ email: '7th.floor+lists@example.org' })).toBe('th.floor');
    expect(await nameOf({ email: '42@example.org', name: '李' })).toMatch(/^user\d{5}$/);
    expect(await nameOf({ email: 'l@example.org', name: 'x'.repeat(100) })).toBe('x'.repeat(32));
  });

  it('takes what the userinfo endpoint says when the ID token holds no address', async () => {
    const person = subject();
    const { data } = await signInAt(h, provider, person, { twist: { claims: { email: undefined } } });
    expect(data.completeGoogleSignIn.user.email).toBe(person.email);
  });

  it('links with the account that has the address when both have proven it, and writes to its owner', async () => {
    const owner = await h.person();
    const { data } = await signInAt(h, provider, subject({ email: owner.email.toUpperCase() }));
    expect(data.completeGoogleSignIn.user.id).toBe(owner.id);
    const letters = await h.letters(owner.email);
    expect(letters.at(-1)?.subject).toBe('A new way to sign in to your account');
    const login = await h.graphql('mutation($input: LoginInput!) { login(input: $input) { __typename } }', {
      variables: { input: { identifier: owner.username, password: PASSWORD } },
    });
    expect(login.data.login.__typename).toBe('AuthPayload');
    // Its sessions of before stay: nothing of the owner's was replaced.
    expect((await me(owner.token, 'id')).data.me.id).toBe(owner.id);
  });

  it('refuses an address that the provider has not verified, whatever it says instead of true', async () => {
    const owner = await h.person();
    for (const email_verified of [false, 'true', 1, undefined, null]) {
      for (const email of [owner.email, subject().email]) {
        const { code, errors } = await signInAt(h, provider, subject({ email, email_verified }));
        expect(code, String(email_verified)).toBe('EMAIL_NOT_VERIFIED');
        expect(errors?.[0]?.extensions.reason).toBe('PROVIDER_ADDRESS_NOT_VERIFIED');
      }
    }
    for (const email of [undefined, 'not an address', 'a@b', 'ada＠example.com', 7]) {
      expect((await signInAt(h, provider, subject({ email }))).code, String(email)).toBe('EMAIL_NOT_VERIFIED');
    }
    expect((await me(owner.token, 'linkedAccounts { totalCount }')).data.me.linkedAccounts.totalCount).toBe(0);
  });

  it('lets nobody in who is suspended, linked or about to be', async () => {
    const admin = await h.admin(['users:write']);
    const person = subject();
    const { id } = (await signInAt(h, provider, person)).data.completeGoogleSignIn.user;
    const unlinked = await h.person();
    for (const userId of [id, unlinked.id]) {
      await h.graphql(
        `mutation { suspendUser(input: { userId: "${userId}", reason: "test" }) { user { id } } }`,
        admin,
      );
    }
    expect((await signInAt(h, provider, person)).code).toBe('ACCOUNT_SUSPENDED');
    expect((await signInAt(h, provider, subject({ email: unlinked.email }))).code).toBe('ACCOUNT_SUSPENDED');
    const rows = await h.app.database.sql.query('select from linked_accounts where user_id = $1', [unlinked.id]);
    expect(rows).toEqual([]);
  });

  it('gives no address to a newcomer that somebody may still take back', async () => {
    const owner = await h.person();
    const newEmail = subject().email;
    await h.graphql('mutation($input: RequestEmailChangeInput!) { requestEmailChange(input: $input) { ok } }', {
      token: owner.token,
      variables: { input: { newEmail, password: PASSWORD } },
    });
    const token = await h.tokenFor(newEmail, '/confirm-email-change');
    await h.graphql(`mutation { confirmEmailChange(token: "${token}") { user { id } } }`);
    expect((await signInAt(h, provider, subject({ email: owner.email }))).code).toBe('USER_ALREADY_EXISTS');
  });

  it('writes to the owner when the sign-in comes from a device that is not known', async () => {
    const person = subject();
    const home = { ip: '198.51.100.7', headers: { 'user-agent': 'Home/1' } };
    await signInAt(h, provider, person, { call: home });
    await signInAt(h, provider, person, { call: home });
    expect(await h.letters(person.email)).toHaveLength(1);
    await signInAt(h, provider, person, { call: { ip: '203.0.113.9', headers: { 'user-agent': 'Away/2' } } });
    const letters = await h.letters(person.email);
    expect(letters).toHaveLength(2);
    expect(letters[1]?.text).toContain('203.0.113.9');
  });

  it('says what is missing, and what it does not take', async () => {
    const { code, errors } = await completeGoogleSignIn(h, { code: 'x' });
    expect(code).toBe('BAD_USER_INPUT');
    expect(errors?.[0]?.extensions.fields).toHaveProperty('state');
    expect((await completeGoogleSignIn(h, { code: 'x', state: 'y', browserSecret: 'z' })).code).toBe('TOKEN_INVALID');
    expect((await completeGoogleSignIn(h, { code: '', state: '', browserSecret: '' })).code).toBe('TOKEN_INVALID');
  });
});

describe('without settings', () => {
  it('answers GOOGLE_NOT_CONFIGURED, and serviceInfo says so', async () => {
    const without = await createHarness();
    try {
      const features = '{ serviceInfo { features { google } } }';
      expect((await without.graphql(features)).data.serviceInfo.features.google).toBe(false);
      expect((await h.graphql(features)).data.serviceInfo.features.google).toBe(true);
      const begun = await startGoogleSignIn(without);
      expect([begun.code, begun.status]).toEqual(['GOOGLE_NOT_CONFIGURED', 501]);
      expect((await completeGoogleSignIn(without, { code: 'x', state: 'y' })).code).toBe('GOOGLE_NOT_CONFIGURED');
      const page = await without.fastify.inject('/auth/google/login');
      expect(page.statusCode).toBe(501);
    } finally {
      await without.close();
    }
  });
});
