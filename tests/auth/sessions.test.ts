import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createHarness, type Harness } from '../support/harness.js';
import { actionsOf, freshIp, isSignedIn, MINUTE, SECOND, sessionsOf, signIn } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

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
