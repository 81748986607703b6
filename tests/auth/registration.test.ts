import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { emailTokens, users } from '../../src/modules/auth/auth.table.js';
import { type Answer, type Call, createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import { actionsOf, DAY, freshIp, isSignedIn, login, SECOND, signIn, verdicts } from './operations.js';

let h: Harness;
let first: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
  first = await createHarness({ config: { registration: { confirmFirst: true } } });
  first.clock.freeze();
});
afterAll(async () => {
  await h.close();
  await first.close();
});

const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) {
  accessToken accessTokenExpiresAt refreshToken user { id username email emailVerified locale status } } }`;

type Wanted = { username?: string; email?: string; password?: string; locale?: string | null };

function register(wanted: Wanted = {}, on: Harness = h): Promise<Answer> {
  const username = wanted.username ?? uniqueName();
  const input = { username, email: `${username}@example.com`, password: PASSWORD, ...wanted };
  return on.graphql(REGISTER, { ip: freshIp(), variables: { input } });
}

const verifyEmail = (token: string, on: Harness = h, call: Call = {}) =>
  on.graphql(`mutation($token: String!) { verifyEmail(token: $token) { user { id emailVerified } } }`, {
    ...call,
    variables: { token },
  });

const resend = (email: string, on: Harness = h) =>
  on.graphql(`mutation($email: EmailAddress!) { resendVerificationEmail(email: $email) { ok } }`, {
    ip: freshIp(),
    variables: { email },
  });

describe('register', () => {
  it('creates an unverified account, signs it in at once, and writes the welcome letter', async () => {
    const username = uniqueName('Ada');
    const { data } = await register({ username, email: `${username}@Example.COM` });
    expect(data.register.user).toMatchObject({
      username,
      email: `${username}@example.com`,
      emailVerified: false,
      locale: 'en',
      status: 'ACTIVE',
    });
    expect(data.register.refreshToken).toMatch(/^crd_rt_/);
    expect(await isSignedIn(h, data.register.accessToken)).toBe(true);
    const [letter] = await h.letters(`${username}@example.com`);
    expect(letter?.text).toContain(`${h.app.config.server.publicUrl}/verify-email?token=crd_verify_`);
    expect(await actionsOf(h, data.register.accessToken)).toEqual(['user.registered']);
  });

  it.each([
    ['username', { username: 'ab' }],
    ['username', { username: '1ada', email: 'one@example.com' }],
    ['username', { username: 'ada lovelace', email: 'two@example.com' }],
    ['username', { username: 'аda-cyrillic', email: 'three@example.com' }],
    ['username', { username: 'a'.repeat(33), email: 'four@example.com' }],
    ['email', { email: '"two words"@example.com' }],
    ['email', { email: 'a@exämple..com' }],
    ['locale', { locale: 'not a language' }],
    ['locale', { locale: 'x'.repeat(40) }],
  ])('refuses a bad %s', async (field, wanted) => {
    const answer = await register(wanted);
    expect([answer.status, answer.code], JSON.stringify(wanted)).toEqual([400, 'BAD_USER_INPUT']);
    expect(field === 'email' || field in ((answer.errors?.[0]?.extensions.fields ?? {}) as object)).toBe(true);
  });

  it('refuses a weak password, wherever its weakness comes from', async () => {
    for (const password of ['short', 'password1234', 'aaaaaaaaaaaaaaaa']) {
      const answer = await register({ password });
      expect([answer.status, answer.code], password).toEqual([422, 'WEAK_PASSWORD']);
    }
    const username = uniqueName('marguerite');
    expect((await register({ username, password: `${username}!!` })).code).toBe('WEAK_PASSWORD');
  });

  it('refuses a password that is not text to hash: ill-formed, or longer than is hashed whole', async () => {
    for (const password of ['\ud800 is half of a character', 'long '.repeat(40)]) {
      const { code } = await register({ password });
      expect(['BAD_USER_INPUT', 'WEAK_PASSWORD']).toContain(code);
    }
  });

  it('takes a language in any spelling', async () => {
    const { data } = await register({ locale: 'PT-br' });
    expect(data.register.user.locale).toBe('pt-BR');
    expect((await register({ locale: null })).data.register.user.locale).toBe('en');
  });

  it('says 409 for a name or an address that somebody has, in whatever capitals', async () => {
    const person = await h.person();
    for (const wanted of [{ username: person.username.toUpperCase() }, { email: person.email.toUpperCase() }]) {
      const answer = await register(wanted);
      expect([answer.status, answer.code]).toEqual([409, 'USER_ALREADY_EXISTS']);
    }
  });

  it('makes one account when fifty are asked for at once', async () => {
    const wanted = { username: uniqueName(), email: `${uniqueName()}@example.com` };
    const answers = await Promise.all(Array.from({ length: 50 }, () => register(wanted)));
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
    expect(verdicts(answers)).toEqual(new Set([undefined, 'USER_ALREADY_EXISTS']));
  });
});

describe('verifyEmail', () => {
  it('proves the mailbox, counts at once in every session, and signs nobody in', async () => {
    const person = await h.person({ verified: false });
    const token = await h.tokenFor(person.email, '/verify-email');
    const answer = await verifyEmail(token);
    expect(answer.data.verifyEmail.user).toEqual({ id: person.id, emailVerified: true });
    expect((await h.graphql('{ me { id } }', { token: person.token })).data.me.id).toBe(person.id);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('works once, of fifty at once', async () => {
    const person = await h.person({ verified: false });
    const token = await h.tokenFor(person.email, '/verify-email');
    const answers = await Promise.all(Array.from({ length: 50 }, () => verifyEmail(token, h, { ip: freshIp() })));
    const worked = answers.filter((answer) => answer.errors === undefined);
    expect(worked).toHaveLength(1);
    expect(verdicts(answers)).toEqual(new Set([undefined, 'TOKEN_INVALID']));
    const history = await actionsOf(h, person.token);
    expect(history.filter((action) => action === 'user.email_verified')).toHaveLength(1);
  });

  it('expires after a day, and says so only for a token that was good', async () => {
    const person = await h.person({ verified: false });
    const token = await h.tokenFor(person.email, '/verify-email');
    h.clock.advance(DAY);
    const answer = await verifyEmail(token);
    expect([answer.status, answer.code]).toEqual([401, 'TOKEN_EXPIRED']);
    await resend(person.email);
    expect((await verifyEmail(token)).code).toBe('TOKEN_INVALID');
  });

  it('proves the address that the letter went to, and no other', async () => {
    const person = await h.person({ verified: false });
    const token = await h.tokenFor(person.email, '/verify-email');
    const email = `${uniqueName()}@example.com`;
    await h.app.db.update(users).set({ email, emailKey: email }).where(eq(users.id, person.id));
    expect((await verifyEmail(token)).code).toBe('TOKEN_INVALID');
  });

  it('refuses a token of another purpose, and one that was never made', async () => {
    const person = await h.person({ verified: false });
    const token = await h.tokenFor(person.email, '/verify-email');
    for (const text of ['', 'x', token.replace('crd_verify_', 'crd_reset_'), `${token.slice(0, -1)}!`, person.token]) {
      expect((await verifyEmail(text)).code).toBe('TOKEN_INVALID');
    }
  });
});

describe('resendVerificationEmail', () => {
  it('sends a new link, and the old one loses its force', async () => {
    const person = await h.person({ verified: false });
    const old = await h.tokenFor(person.email, '/verify-email');
    await resend(person.email.toUpperCase());
    const fresh = await h.tokenFor(person.email, '/verify-email');
    expect(fresh).not.toBe(old);
    expect((await verifyEmail(old)).code).toBe('TOKEN_INVALID');
    expect((await verifyEmail(fresh)).errors).toBeUndefined();
  });

  it('answers the same for unknown, unverified and verified addresses, and writes only to the unverified', async () => {
    const [unverified, verified] = [await h.person({ verified: false }), await h.person()];
    for (const email of [unverified.email, verified.email, 'nobody-at-all@example.com']) {
      const answer = await resend(email);
      expect([answer.status, answer.data]).toEqual([200, { resendVerificationEmail: { ok: true } }]);
    }
    expect(await h.letters(unverified.email)).toHaveLength(2);
    expect(await h.letters(verified.email)).toHaveLength(1);
    expect(await h.letters('nobody-at-all@example.com')).toHaveLength(0);
  });

  it('stops at three letters an hour for an address, with the same answer, and leaves the last link alone', async () => {
    const person = await h.person({ verified: false });
    for (let count = 0; count < 6; count += 1)
      expect((await resend(person.email)).data.resendVerificationEmail.ok).toBe(true);
    expect(await h.letters(person.email)).toHaveLength(3);
    expect((await verifyEmail(await h.tokenFor(person.email, '/verify-email'))).errors).toBeUndefined();
  });

  it('leaves one live token, however often it is asked at once', async () => {
    const person = await h.person({ verified: false });
    await Promise.all(Array.from({ length: 10 }, () => resend(person.email)));
    const rows = await h.app.db.select().from(emailTokens);
    const live = rows.filter((row) => row.userId === person.id && !row.usedAt && !row.voidedAt);
    expect(live).toHaveLength(1);
  });
});

describe('with REGISTRATION_CONFIRM_FIRST=true', () => {
  const NOTHING = { accessToken: null, accessTokenExpiresAt: null, refreshToken: null, user: null };

  it('says so in serviceInfo', async () => {
    const { data } = await first.graphql('{ serviceInfo { features { registration confirmFirst } } }');
    expect(data.serviceInfo.features).toEqual({ registration: true, confirmFirst: true });
  });

  it('answers the same for a new address and a known one, and opens no session', async () => {
    const email = `${uniqueName()}@example.com`;
    const fresh = await register({ email }, first);
    const known = await register({ email }, first);
    expect(fresh.data).toEqual({ register: NOTHING });
    expect([known.status, known.data]).toEqual([fresh.status, fresh.data]);
    expect(known.headers['content-length']).toBe(fresh.headers['content-length']);
  });

  it('tells the owner of the address by mail, with a way to a new password', async () => {
    const email = `${uniqueName()}@example.com`;
    await register({ email }, first);
    await register({ email }, first);
    const letters = await first.letters(email);
    expect(letters.map((letter) => letter.subject)).toEqual([
      'Welcome! Please verify your email address',
      'You already have an account',
    ]);
    expect(letters[1]?.text).toContain('/reset-password?token=');
  });

  it('gives tokens at the first sign-in after the address was verified, and tells nobody that it waits for that', async () => {
    const username = uniqueName();
    await register({ username }, first);
    const early = await login(first, { identifier: username });
    const unknown = await login(first, { identifier: 'nobody-here' });
    expect([early.code, early.errors?.[0]?.message]).toEqual([unknown.code, unknown.errors?.[0]?.message]);
    await verifyEmail(await first.tokenFor(`${username}@example.com`, '/verify-email'), first);
    first.clock.advance(2 * SECOND);
    const { token } = await signIn(first, { identifier: username });
    expect(await isSignedIn(first, token)).toBe(true);
  });

  it('still says that a user name is taken, and says it whether or not the address is, too', async () => {
    const [username, email] = [uniqueName(), `${uniqueName()}@example.com`];
    await register({ username, email }, first);
    expect((await register({ username }, first)).code).toBe('USER_ALREADY_EXISTS');
    expect((await register({ username, email }, first)).code).toBe('USER_ALREADY_EXISTS');
  });

  it('hashes and waits alike for both', async () => {
    const email = `${uniqueName()}@example.com`;
    const hash = vi.spyOn(first.app.passwords, 'hash');
    await register({ email }, first);
    await register({ email }, first);
    expect(hash).toHaveBeenCalledTimes(2);
    hash.mockRestore();
  });
});

describe('what a sign-up form needs', () => {
  it('tells name, version and what is switched on', async () => {
    const { data } = await h.graphql(
      '{ serviceInfo { name version features { registration confirmFirst google billing playground } } }',
    );
    expect(data.serviceInfo).toEqual({
      name: 'Credence',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      features: { registration: true, confirmFirst: false, google: false, billing: false, playground: true },
    });
  });

  it('tells the password policy that register applies', async () => {
    const { data } = await h.graphql('{ passwordPolicy { minLength maxLength refusesCommon refusesPersonal } }');
    expect(data.passwordPolicy).toEqual({ minLength: 12, maxLength: 128, refusesCommon: true, refusesPersonal: true });
    const words =
      'violet tractor sings at dusk near nine quiet rivers while seven otters ford them all in a row before the late moon comes up, slow. ';
    expect((await register({ password: words.slice(0, 128) })).errors).toBeUndefined();
    expect((await register({ password: words.slice(0, 129) })).errors).toBeDefined();
  });
});
