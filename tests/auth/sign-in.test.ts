import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/core/errors.js';
import { loginFailures, users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import {
  actionsOf,
  freshIp,
  historyOf,
  isSignedIn,
  login,
  MINUTE,
  NEW_PASSWORD,
  reauthenticate,
  requestPasswordReset,
  resetPassword,
  SECOND,
  sessionsOf,
  signIn,
  verdicts,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

const WRONG = 'not the password of anybody';

/** Guesses wrongly until the account is blocked for the first time. */
async function useUpGuesses(identifier: string): Promise<void> {
  for (let guess = 0; guess < 5; guess += 1) await login(h, { identifier, password: WRONG });
}

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
    await useUpGuesses(person.username);
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

describe('guessing', () => {
  it('gives five guesses, then one after a delay that doubles, and never says that it waits', async () => {
    const person = await h.person();
    await useUpGuesses(person.username);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND + 100);
    // The sixth is looked at again, and wrong; now two seconds.
    expect((await login(h, { identifier: person.username, password: WRONG })).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND + 100);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND);
    await signIn(h, { identifier: person.username });
    // And the count starts over.
    await useUpGuesses(person.username);
    h.clock.advance(1 * SECOND + 100);
    await signIn(h, { identifier: person.username });
  });

  it('counts an account under all its names, and never waits longer than fifteen minutes', async () => {
    const person = await h.person();
    const key = `account:${person.id}`;
    for (const identifier of [person.username, person.email, person.username.toUpperCase(), person.email, 'x']) {
      await login(h, { identifier, password: WRONG });
    }
    const count = async () => (await h.app.db.select().from(loginFailures).where(eq(loginFailures.key, key)))[0];
    expect((await count())?.failures).toBe(4);
    await h.app.db.update(loginFailures).set({ failures: 50 }).where(eq(loginFailures.key, key));
    await login(h, { identifier: person.username, password: WRONG });
    const row = await count();
    expect(row?.failures).toBe(51);
    expect(Number(row?.blockedUntil) - Number(row?.lastAt)).toBe(15 * MINUTE);
  });

  it('stops for good at a hundred in a row, until a reset by mail', async () => {
    const person = await h.person();
    const key = `account:${person.id}`;
    await login(h, { identifier: person.username, password: WRONG });
    await h.app.db.update(loginFailures).set({ failures: 99 }).where(eq(loginFailures.key, key));
    await login(h, { identifier: person.username, password: WRONG });
    h.clock.advance(365 * 24 * 60 * MINUTE);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    await requestPasswordReset(h, person.email);
    await resetPassword(h, await h.tokenFor(person.email, '/reset-password'));
    await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
  });

  it('treats a name that nobody has like one that somebody has', async () => {
    const identifier = 'nobody-but-guessed-at';
    await useUpGuesses(identifier);
    const before = await h.app.db.$count(loginFailures, sql`failures = 5`);
    await login(h, { identifier: identifier.toUpperCase(), password: WRONG });
    expect(await h.app.db.$count(loginFailures, sql`failures = 5`)).toBe(before);
  });

  it('looks at five of 500 wrong passwords at once, from as many addresses', async () => {
    const person = await h.person();
    const verify = vi.spyOn(h.app.passwords, 'verify');
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => login(h, { identifier: person.username, password: WRONG })),
    );
    const lookedAt = verify.mock.calls.filter(([, stored]) => typeof stored === 'string');
    verify.mockRestore();
    expect(lookedAt.length).toBeLessThanOrEqual(5);
    expect(verdicts(answers)).toEqual(new Set(['INVALID_CREDENTIALS']));
    const [row] = await h.app.db
      .select()
      .from(loginFailures)
      .where(eq(loginFailures.key, `account:${person.id}`));
    expect(row?.failures).toBe(5);
  });

  it('is not what it counts when the machine was too busy to look: the guess is given back', async () => {
    const person = await h.person();
    const busy = vi.spyOn(h.app.passwords, 'verify').mockRejectedValue(new AppError('RETRY_LATER'));
    const ip = freshIp();
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const answer = await login(h, { identifier: person.username }, { ip });
      expect([answer.status, answer.code]).toEqual([503, 'RETRY_LATER']);
    }
    busy.mockRestore();
    await signIn(h, { identifier: person.username }, { ip });
    // Nor does it open what wrong passwords had closed.
    await useUpGuesses(person.username);
    h.clock.advance(1 * SECOND);
    await login(h, { identifier: person.username, password: WRONG });
    const busyAgain = vi.spyOn(h.app.passwords, 'verify').mockRejectedValue(new AppError('RETRY_LATER'));
    await login(h, { identifier: person.username });
    busyAgain.mockRestore();
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
  });

  it('lets thirty guesses a minute through from one network, whomever they are at', async () => {
    const ip = freshIp();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => login(h, { identifier: `spread${index}`, password: WRONG }, { ip })),
    );
    const limited = answers.filter((answer) => answer.code === 'RATE_LIMITED');
    expect(limited).toHaveLength(10);
    expect(limited[0]).toMatchObject({ status: 429 });
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
    h.clock.advance(1 * MINUTE);
    expect((await login(h, { identifier: 'spread', password: WRONG }, { ip })).code).toBe('INVALID_CREDENTIALS');
  });

  it('counts an IPv6 network of 64 bits as one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 31 }, (_, index) =>
        login(h, { identifier: `six${index}` }, { ip: `2001:db8:9:9::${index + 1}` }),
      ),
    );
    expect(answers.filter((answer) => answer.code === 'RATE_LIMITED')).toHaveLength(1);
  });

  it('leaves the owner’s known device and live sessions alone', async () => {
    const person = await h.person();
    const home = { ip: freshIp(), headers: { 'user-agent': 'Lynx' } };
    const { token } = await signIn(h, { identifier: person.username }, home);
    await useUpGuesses(person.username);
    await signIn(h, { identifier: person.username }, home);
    expect(await isSignedIn(h, token)).toBe(true);
  });

  it('is not undone by an answer that was right but somebody else’s', async () => {
    const [victim, attacker] = [await h.person(), await h.person()];
    await useUpGuesses(victim.username);
    await signIn(h, { identifier: attacker.username });
    expect((await login(h, { identifier: victim.username })).code).toBe('INVALID_CREDENTIALS');
  });
});

describe('sessions', () => {
  it('lists the live ones with where they came from, and says which is this one', async () => {
    const person = await h.person();
    h.clock.advance(1 * SECOND);
    const ip = freshIp();
    const { token } = await signIn(h, { identifier: person.username }, { ip, headers: { 'user-agent': 'Mosaic' } });
    const { nodes, totalCount } = await sessionsOf(h, token);
    expect(totalCount).toBe(2);
    expect(nodes[0]).toMatchObject({ method: 'PASSWORD', current: true, ip, userAgent: 'Mosaic' });
    expect(nodes[1]).toMatchObject({ method: 'REGISTRATION', current: false });
    expect(Date.parse(nodes[0].expiresAt) - Date.parse(nodes[0].createdAt)).toBe(30 * 24 * 60 * MINUTE);
  });

  it('pages through them without missing or repeating one', async () => {
    const person = await h.person();
    for (let count = 0; count < 4; count += 1) await signIn(h, { identifier: person.username });
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await sessionsOf(h, person.token, { first: 2, ...(after && { after }) });
      seen.push(...page.nodes.map((node: { id: string }) => node.id));
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : undefined;
    } while (after);
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
  });

  it('refuses a cursor of its own making and a page beyond a hundred', async () => {
    const person = await h.person();
    const query = (page: string) => h.graphql(`{ me { sessions(${page}) { totalCount } } }`, { token: person.token });
    for (const page of ['first: 0', 'first: 101', 'after: "x"', 'after: "W10"']) {
      expect((await query(page)).code, page).toBe('BAD_USER_INPUT');
    }
  });

  it('are each person’s own, in a list of people that an operator reads', async () => {
    const people = [await h.person(), await h.person(), await h.person()];
    await signIn(h, { identifier: people[0]?.username ?? '' });
    await h.graphql('mutation { createApiKey(input: { name: "k", scopes: ["a:b"] }) { key } }', {
      token: people[1]?.token,
    });
    await h.graphql('mutation { createRecoveryPhrase { phrase } }', { token: people[1]?.token });
    await h.graphql('mutation { logout { ok } }', { token: people[2]?.token });
    const operator = await h.admin(['users:read']);
    const query = `{ users(first: 3) { nodes { id hasRecoveryPhrase
      sessions(first: 1) { nodes { id } totalCount pageInfo { hasNextPage } }
      apiKeys { nodes { name } totalCount } securityHistory(first: 1) { nodes { action } totalCount } } } }`;
    const { data, errors } = await h.graphql(query, { token: operator.token });
    expect(errors).toBeUndefined();
    const nodes: { id: string }[] = data.users.nodes;
    const seen = people.map(({ id }) => nodes.find((node) => node.id === id));
    const id = expect.any(String);
    expect(seen).toMatchObject([
      {
        hasRecoveryPhrase: false,
        sessions: { nodes: [{ id }], totalCount: 2, pageInfo: { hasNextPage: true } },
        apiKeys: { nodes: [], totalCount: 0 },
      },
      {
        hasRecoveryPhrase: true,
        sessions: { nodes: [{ id }], totalCount: 1, pageInfo: { hasNextPage: false } },
        apiKeys: { nodes: [{ name: 'k' }], totalCount: 1 },
      },
      { hasRecoveryPhrase: false, sessions: { nodes: [], totalCount: 0 }, securityHistory: { nodes: [{}] } },
    ]);
  });

  it('are nobody else’s to see, whoever shows the person', async () => {
    const person = await h.person({ verified: false });
    const token = await h.tokenFor(person.email, '/verify-email');
    const verify = `mutation($token: String!) { verifyEmail(token: $token) { user { id sessions { totalCount } } } }`;
    const answer = await h.graphql(verify, { variables: { token } });
    expect(answer.code).toBe('FORBIDDEN');
  });
});

describe('currentSession', () => {
  it('serves admins, who have no person behind them', async () => {
    const admin = await h.admin([]);
    const answer = await h.graphql('{ currentSession { id current user { id } } }', { token: admin.token });
    expect(answer.data.currentSession).toMatchObject({ current: true, user: null });
  });

  it('is for who is signed in', async () => {
    const answer = await h.graphql('{ currentSession { id } }');
    expect([answer.status, answer.code]).toEqual([401, 'UNAUTHENTICATED']);
  });
});

describe('logout', () => {
  it('ends this session at once, and only this one', async () => {
    const person = await h.person();
    const other = await signIn(h, { identifier: person.username });
    const answer = await h.graphql('mutation { logout { ok } }', { token: person.token });
    expect(answer.data.logout).toEqual({ ok: true });
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect(await isSignedIn(h, other.token)).toBe(true);
    expect((await h.graphql('mutation { logout { ok } }', { token: person.token })).code).toBe('UNAUTHENTICATED');
    expect(await actionsOf(h, other.token)).toContain('user.signed_out');
  });

  it('needs no verified address, and serves admins', async () => {
    const person = await h.person({ verified: false });
    const admin = await h.admin([]);
    for (const { token } of [person, admin]) {
      expect((await h.graphql('mutation { logout { ok } }', { token })).errors).toBeUndefined();
      expect(await isSignedIn(h, token)).toBe(false);
    }
  });
});

describe('revokeSession', () => {
  const REVOKE = `mutation($id: ID!) { revokeSession(id: $id) { ok } }`;
  const revoke = (token: string, id: string) => h.graphql(REVOKE, { token, variables: { id } });

  it('ends one of one’s own sessions, once', async () => {
    const person = await h.person();
    const other = await signIn(h, { identifier: person.username });
    const { nodes } = await sessionsOf(h, person.token);
    const { id } = nodes.find((node: { current: boolean }) => !node.current);
    expect((await revoke(person.token, id)).data.revokeSession).toEqual({ ok: true });
    expect(await isSignedIn(h, other.token)).toBe(false);
    expect((await revoke(person.token, id)).code).toBe('NOT_FOUND');
    expect(await actionsOf(h, person.token)).toContain('session.revoked');
  });

  it('answers for another’s session as for one that never was', async () => {
    const [person, stranger] = [await h.person(), await h.person()];
    const { nodes } = await sessionsOf(h, stranger.token);
    const foreign = await revoke(person.token, nodes[0].id);
    const unknown = await revoke(person.token, '01890000-0000-7000-8000-000000000000');
    expect(foreign.errors?.[0]?.message).toBe(unknown.errors?.[0]?.message);
    expect([foreign.code, unknown.code]).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    expect((await revoke(person.token, 'x')).code).toBe('BAD_USER_INPUT');
    expect(await isSignedIn(h, stranger.token)).toBe(true);
  });

  it('never crosses from one kind of account to another', async () => {
    const [person, admin] = [await h.person(), await h.admin([])];
    const { data } = await h.graphql('{ currentSession { id } }', { token: admin.token });
    expect((await revoke(person.token, data.currentSession.id)).code).toBe('NOT_FOUND');
    expect(await isSignedIn(h, admin.token)).toBe(true);
  });
});

describe('revokeOtherSessions', () => {
  const REVOKE = 'mutation { revokeOtherSessions { endedSessions } }';

  it('ends all others and says how many', async () => {
    const person = await h.person();
    const others = [await signIn(h, { identifier: person.username }), await signIn(h, { identifier: person.email })];
    const answer = await h.graphql(REVOKE, { token: person.token });
    expect(answer.data.revokeOtherSessions.endedSessions).toBe(2);
    for (const other of others) expect(await isSignedIn(h, other.token)).toBe(false);
    expect((await h.graphql(REVOKE, { token: person.token })).data.revokeOtherSessions.endedSessions).toBe(0);
  });

  it('leaves everybody else’s alone', async () => {
    const [person, stranger] = [await h.person(), await h.person()];
    await h.graphql(REVOKE, { token: person.token });
    expect(await isSignedIn(h, stranger.token)).toBe(true);
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
