import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import {
  actionsOf,
  historyOf,
  isSignedIn,
  login,
  MINUTE,
  NEW_PASSWORD,
  reauthenticate,
  SECOND,
  signIn,
  useUpGuesses,
  WRONG,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

describe('login', () => {
  it('takes the user name or the address, in any capitals, and answers tokens that work', async () => {
    const person = await h.person({ username: 'AdaLovelace' });
    for (const identifier of [person.username, 'adalovelace', person.email, person.email.toUpperCase()]) {
      const answer = await login(h, { identifier });
      expect(answer.data.login).toMatchObject({ __typename: 'AuthPayload', user: { id: person.id } });
      expect(await isSignedIn(h, answer.data.login.accessToken)).toBe(true);
    }
  });

  it('marks the sign-in and shows it in the security history', async () => {
    const person = await h.person();
    const { token } = await signIn(h, { identifier: person.username }, { headers: { 'user-agent': 'Netscape 4' } });
    const { data } = await h.graphql('{ me { lastLoginAt } }', { token });
    expect(Date.parse(data.me.lastLoginAt)).toBeLessThanOrEqual(h.clock.now().getTime());
    const [newest] = await historyOf(h, token);
    expect(newest).toMatchObject({ action: 'user.signed_in', actorKind: 'USER', userAgent: 'Netscape 4' });
  });

  it('answers alike for a wrong password, an unknown name and an account without a password', async () => {
    const person = await h.person();
    const without = await h.person();
    await h.app.db.update(users).set({ passwordHash: null }).where(eq(users.id, without.id));
    const answers = await Promise.all([
      login(h, { identifier: person.username, password: WRONG }),
      login(h, { identifier: 'nobody-has-this-name', password: WRONG }),
      login(h, { identifier: without.username }),
      login(h, { identifier: '', password: '' }),
    ]);
    for (const answer of answers) {
      expect([answer.status, answer.code, answer.errors?.[0]?.message]).toEqual([
        401,
        'INVALID_CREDENTIALS',
        'The credentials are not right.',
      ]);
    }
  });

  it('hashes as often for a name that nobody has, and for a blocked account, as for a wrong password', async () => {
    const person = await h.person();
    const verify = vi.spyOn(h.app.passwords, 'verify');
    await useUpGuesses(h, person.username);
    await login(h, { identifier: person.username, password: WRONG });
    await login(h, { identifier: 'nobody-has-this-name-either', password: WRONG });
    expect(verify).toHaveBeenCalledTimes(7);
    // The blocked one and the unknown one are compared with nothing of anybody's.
    expect(verify.mock.calls.map(([, stored]) => typeof stored)).toEqual([
      ...new Array(5).fill('string'),
      'object',
      'undefined',
    ]);
    verify.mockRestore();
  });

  it('tells a suspended person so only when the password is right', async () => {
    const person = await h.person();
    const operator = await h.admin(['users:read', 'users:write']);
    const suspend = `mutation($input: SuspendUserInput!) { suspendUser(input: $input) { user { status } } }`;
    const suspended = await h.graphql(suspend, {
      token: operator.token,
      variables: { input: { userId: person.id, reason: 'a test' } },
    });
    expect(suspended.errors).toBeUndefined();
    expect((await login(h, { identifier: person.username })).code).toBe('ACCOUNT_SUSPENDED');
    expect((await login(h, { identifier: person.username, password: WRONG })).code).toBe('INVALID_CREDENTIALS');
  });

  it('lets an unverified person in, but not to what asks for a verified address', async () => {
    const person = await h.person({ verified: false });
    const { token } = await signIn(h, { identifier: person.username });
    expect((await h.graphql('{ me { id } }', { token })).code).toBe('EMAIL_NOT_VERIFIED');
    const current = await h.graphql('{ currentSession { current method user { id emailVerified } } }', { token });
    expect(current.data.currentSession).toEqual({
      current: true,
      method: 'PASSWORD',
      user: { id: person.id, emailVerified: false },
    });
  });

  it('may stand once in an operation', async () => {
    const twice = `mutation($input: LoginInput!) { a: login(input: $input) { __typename } b: login(input: $input) { __typename } }`;
    const answer = await h.graphql(twice, { variables: { input: { identifier: 'a', password: 'b' } } });
    expect([answer.status, answer.code]).toEqual([400, 'GRAPHQL_VALIDATION_FAILED']);
  });

  it('makes a hash stronger that is weaker than today’s, whoever signs in how often at once', async () => {
    const person = await h.person();
    const weak = await h.app.passwords.hash(PASSWORD);
    await h.app.db.update(users).set({ passwordHash: weak }).where(eq(users.id, person.id));
    const { verify } = h.app.passwords;
    const spy = vi.spyOn(h.app.passwords, 'verify').mockImplementation(async (password, stored) => ({
      ...(await verify(password, stored)),
      needsRehash: stored === weak,
    }));
    const answers = await Promise.all([1, 2, 3].map(() => login(h, { identifier: person.username })));
    spy.mockRestore();
    expect(answers.map((answer) => answer.code)).toEqual([undefined, undefined, undefined]);
    const [row] = await h.app.db.select().from(users).where(eq(users.id, person.id));
    expect(row?.passwordHash).not.toBe(weak);
    await signIn(h, { identifier: person.username });
  });

  it('opens no session with a password that was changed while it was being checked', async () => {
    const person = await h.person();
    const { verify } = h.app.passwords;
    const spy = vi.spyOn(h.app.passwords, 'verify').mockImplementationOnce(async (password, stored) => {
      const result = await verify(password, stored);
      const passwordHash = await h.app.passwords.hash(NEW_PASSWORD);
      await h.app.db.update(users).set({ passwordHash }).where(eq(users.id, person.id));
      return result;
    });
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    spy.mockRestore();
  });
});

describe('reauthenticate', () => {
  const FRESH_ONLY = 'mutation { createRecoveryPhrase { phrase } }';

  it('makes a stale session fresh for ten minutes', async () => {
    const person = await h.person();
    h.clock.advance(9 * MINUTE);
    let { token, refreshToken } = await signIn(h, { identifier: person.username });
    h.clock.advance(9 * MINUTE);
    expect((await h.graphql(FRESH_ONLY, { token })).errors).toBeUndefined();
    h.clock.advance(2 * MINUTE);
    const next = await h.graphql(
      `mutation($t: String!) { refreshToken(refreshToken: $t) { accessToken refreshToken } }`,
      { variables: { t: refreshToken } },
    );
    ({ accessToken: token, refreshToken } = next.data.refreshToken);
    expect((await h.graphql(FRESH_ONLY, { token })).code).toBe('REAUTHENTICATION_REQUIRED');
    expect((await reauthenticate(h, token)).data.reauthenticate.session).toMatchObject({ current: true });
    expect((await h.graphql(FRESH_ONLY, { token })).errors).toBeUndefined();
    expect(await actionsOf(h, token)).toContain('user.reauthenticated');
  });

  it('is throttled like a sign-in, and refused for a wrong password', async () => {
    const person = await h.person();
    for (let guess = 0; guess < 5; guess += 1) {
      const answer = await reauthenticate(h, person.token, WRONG);
      expect([answer.status, answer.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    }
    expect((await reauthenticate(h, person.token)).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND + 100);
    expect((await reauthenticate(h, person.token)).errors).toBeUndefined();
  });

  it('serves admins', async () => {
    const admin = await h.admin([]);
    expect((await reauthenticate(h, admin.token, WRONG)).code).toBe('INVALID_CREDENTIALS');
    expect((await reauthenticate(h, admin.token)).errors).toBeUndefined();
  });

  it('is for who is signed in', async () => {
    const answer = await h.graphql('mutation { reauthenticate(password: "x") { session { id } } }');
    expect(answer.code).toBe('UNAUTHENTICATED');
  });
});
