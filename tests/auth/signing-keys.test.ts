import { eq } from 'drizzle-orm';
import { decodeProtectedHeader } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../src/api/server.js';
import { createApp } from '../../src/app.js';
import { startFollowSigningKeys } from '../../src/jobs/follow-signing-keys.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { signingKeys } from '../../src/modules/auth/auth.table.js';
import { loadSigningKeys, rotateDueSigningKeys } from '../../src/modules/auth/signing-keys.service.js';
import { findPostgresServer } from '../support/database.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

const LIST = `query($first: Int, $after: String) { signingKeys(first: $first, after: $after) { totalCount nodes { kid algorithm state createdAt retiredAt } pageInfo { hasNextPage endCursor } } }`;
const ROTATE = `mutation($input: RotateSigningKeyInput) { rotateSigningKey(input: $input) { current { kid state } next { kid state } } }`;
const ME = `{ me { id } }`;
const REFRESH = `mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken refreshToken } }`;
const DAY = 86_400_000;

interface Shown {
  kid: string;
  state: string;
  retiredAt: string | null;
}

let h: Harness;
let admin: { token: string; refreshToken: string };

beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['security:manage']);
});
afterAll(() => h.close());
afterEach(async () => {
  h.clock.set(new Date());
  admin = await h.admin(['security:manage']);
});

const kidOf = (token: string) => decodeProtectedHeader(token).kid;
const keys = async (): Promise<Shown[]> =>
  (await h.graphql(LIST, { token: admin.token, variables: { first: 100 } })).data.signingKeys.nodes;
const keyIn = async (state: string) => (await keys()).find((key) => key.state === state)?.kid;
const published = async () =>
  ((await h.fastify.inject({ url: '/.well-known/jwks.json' })).json().keys as { kid: string }[]).map(({ kid }) => kid);

async function rotate(immediately?: boolean): Promise<{ current: Shown; next: Shown }> {
  const variables = immediately === undefined ? {} : { input: { immediately } };
  const { data, errors } = await h.graphql(ROTATE, { token: admin.token, variables });
  expect(errors).toBeUndefined();
  return data.rotateSigningKey;
}

describe('signing keys', () => {
  it('are two from the first start: one that signs and the next, both published, neither with its private half', async () => {
    const list = await keys();
    expect(list.map(({ state }) => state).sort()).toEqual(['CURRENT', 'NEXT']);
    expect((await published()).sort()).toEqual(list.map(({ kid }) => kid).sort());
    expect(kidOf((await h.person()).token)).toBe(await keyIn('CURRENT'));
    const text = (await h.fastify.inject({ url: '/.well-known/jwks.json' })).payload;
    expect(text).not.toContain('"d"');
  });

  it('rotate: the next signs, the former verifies until its last token is over, and a new next is published', async () => {
    const person = await h.person();
    const [before, next] = [await keyIn('CURRENT'), await keyIn('NEXT')];
    const rotated = await rotate();
    expect(rotated).toMatchObject({ current: { kid: next, state: 'CURRENT' }, next: { state: 'NEXT' } });
    expect(await published()).toEqual(expect.arrayContaining([before, next, rotated.next.kid]));
    expect((await h.graphql(ME, { token: person.token })).code).toBeUndefined();
    expect(kidOf((await h.person()).token)).toBe(next);
    const { ttl } = { ttl: h.app.config.tokens.accessTtlSeconds };
    const former = (await keys()).find(({ kid }) => kid === before);
    expect(former?.state).toBe('PREVIOUS');
    expect(Date.parse(former?.retiredAt ?? '')).toBeGreaterThanOrEqual(h.app.now().getTime() + ttl * 1000);
    const rows = await h.app.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.targetId, next ?? ''));
    expect(rows.map(({ action }) => action)).toContain('signing_key.rotated');
  });

  it('past its time the former key is retired, unpublished, and its private half forgotten', async () => {
    const before = await keyIn('CURRENT');
    await rotate();
    h.clock.advance((h.app.config.tokens.accessTtlSeconds + 120) * 1000);
    await rotateDueSigningKeys(h.app);
    admin = await h.admin(['security:manage']);
    expect((await keys()).find(({ kid }) => kid === before)?.state).toBe('RETIRED');
    expect(await published()).not.toContain(before);
    const [row] = await h.app.db
      .select()
      .from(signingKeys)
      .where(eq(signingKeys.kid, before ?? ''));
    expect(row).toMatchObject({ state: 'RETIRED', sealedPrivateJwk: '' });
  });

  it('rotated immediately, tokens under the former keys are refused at once, and a refresh mends it', async () => {
    const earliest = await h.person();
    await rotate();
    const person = await h.person();
    const [before] = [await keyIn('CURRENT')];
    // Seen before, so that whatever could be remembered is.
    expect((await h.graphql(ME, { token: person.token })).code).toBeUndefined();
    const { token } = admin;
    await rotate(true);
    for (const refused of [earliest.token, person.token, token]) {
      const { status, code } = await h.graphql(ME, { token: refused });
      expect([status, code]).toEqual([401, 'TOKEN_INVALID']);
    }
    const { data } = await h.graphql(REFRESH, { variables: { token: person.refreshToken } });
    expect((await h.graphql(ME, { token: data.refreshToken.accessToken })).code).toBeUndefined();
    admin = await h.admin(['security:manage']);
    expect((await keys()).find(({ kid }) => kid === before)?.state).toBe('RETIRED');
    expect(await published()).not.toContain(before);
  });

  it('rotate by themselves every 30 days, once, however many instances ask', async () => {
    await rotateDueSigningKeys(h.app);
    const [before, next] = [await keyIn('CURRENT'), await keyIn('NEXT')];
    await rotateDueSigningKeys(h.app);
    expect(await keyIn('CURRENT')).toBe(before);
    h.clock.advance(30 * DAY);
    await Promise.all([1, 2, 3].map(() => rotateDueSigningKeys(h.app)));
    admin = await h.admin(['security:manage']);
    expect(await keyIn('CURRENT')).toBe(next);
  });

  it('many who rotate at once leave one key that signs and one that is next', async () => {
    await Promise.all(Array.from({ length: 6 }, () => rotate()));
    const states = (await keys()).map(({ state }) => state);
    expect(states.filter((state) => state === 'CURRENT')).toHaveLength(1);
    expect(states.filter((state) => state === 'NEXT')).toHaveLength(1);
  });

  it('are listed newest first, page by page, and nothing secret with them', async () => {
    const all = await keys();
    const first = await h.graphql(LIST, { token: admin.token, variables: { first: 1 } });
    const { endCursor } = first.data.signingKeys.pageInfo;
    const rest = await h.graphql(LIST, { token: admin.token, variables: { first: 100, after: endCursor } });
    expect([...first.data.signingKeys.nodes, ...rest.data.signingKeys.nodes]).toEqual(all);
    const { code } = await h.graphql(`{ signingKeys { nodes { sealedPrivateJwk } } }`, { token: admin.token });
    expect(code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('are seen and rotated by admins of security only', async () => {
    const person = await h.person();
    const other = await h.admin(['admins:manage']);
    for (const [token, code] of [
      [undefined, 'UNAUTHENTICATED'],
      [person.token, 'FORBIDDEN'],
      [other.token, 'FORBIDDEN'],
    ] as const) {
      expect((await h.graphql(LIST, { token })).code).toBe(code);
      expect((await h.graphql(ROTATE, { token })).code).toBe(code);
    }
  });
});

type Ask = (query: string, call: { token?: string; variables?: object }) => Promise<Asked>;
interface Asked {
  data: { refreshToken?: { accessToken: string; refreshToken: string } } | undefined;
  code: string | undefined;
}

/** A second instance on the same database, with keys of its own in memory; told of changes only if it `follows`. */
async function openOther({ follows }: { follows: boolean }): Promise<{ ask: Ask; close(): Promise<void> }> {
  const { config, log, mailer, now, database } = h.app;
  const isOwn = findPostgresServer() !== undefined;
  const app = await createApp(config, { log, mailer, now, ...(!isOwn && { database }) });
  await loadSigningKeys(app);
  const following = follows ? startFollowSigningKeys(app) : undefined;
  const { fastify } = await createServer(app);
  return {
    async ask(query, { token, variables }) {
      const response = await fastify.inject({
        method: 'POST',
        url: '/graphql',
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        payload: { query, variables },
      });
      const { data, errors } = response.json();
      return { data, code: errors?.[0]?.extensions.code };
    },
    async close() {
      await following?.stop();
      await fastify.close();
      await app.passwords.close();
      await app.limiter.close();
      if (isOwn) await app.database.close();
    },
  };
}

describe('while people work', () => {
  it('five rotations cost nobody a request, on either of two instances', async () => {
    const following = startFollowSigningKeys(h.app);
    const other = await openOther({ follows: true });
    const here: Ask = (query, { token, variables }) =>
      h.graphql(query, { token, variables: variables as Record<string, unknown> });
    const people: Person[] = [];
    for (let number = 0; number < 50; number += 1) people.push(await h.person());
    let isOver = false;
    const failures: (string | undefined)[] = [];
    let requests = 0;
    const working = people.map(async (person, index) => {
      let { token, refreshToken } = person;
      for (let turn = index; !isOver; turn += 1) {
        const [one, two] = turn % 2 === 0 ? [here, other.ask] : [other.ask, here];
        const refreshed = await one(REFRESH, { variables: { token: refreshToken } });
        if (refreshed.code) failures.push(`refresh: ${refreshed.code}`);
        const pair = refreshed.data?.refreshToken;
        if (pair) ({ accessToken: token, refreshToken } = pair);
        const { code } = await two(ME, { token });
        if (code) failures.push(`me: ${code}`);
        requests += 2;
      }
    });
    for (let round = 0; round < 5; round += 1) {
      const seen = requests;
      await rotate();
      // A rotation counts once everybody has worked with it.
      await expect.poll(() => requests, { timeout: 20_000, interval: 5 }).toBeGreaterThan(seen + 100);
    }
    isOver = true;
    await Promise.all(working);
    expect(failures).toEqual([]);
    await following.stop();
    await other.close();
  }, 120_000);

  it('an instance that nobody told accepts tokens under a key that is new to it, and none under a made-up one', async () => {
    const other = await openOther({ follows: false });
    // It knows the key of today and the next one: the second rotation brings one that it has never seen.
    await rotate();
    await rotate();
    const person = await h.person();
    expect((await other.ask(ME, { token: person.token })).code).toBeUndefined();
    const [header = '', payload, signature] = person.token.split('.');
    const made = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), kid: 'A'.repeat(43) };
    const forged = `${Buffer.from(JSON.stringify(made)).toString('base64url')}.${payload}.${signature}`;
    expect((await other.ask(ME, { token: forged })).code).toBe('TOKEN_INVALID');
    await other.close();
  });

  it('a key that is withdrawn on one instance is refused on the other within the second', async () => {
    const other = await openOther({ follows: true });
    const person = await h.person();
    expect((await other.ask(ME, { token: person.token })).code).toBeUndefined();
    await rotate(true);
    const code = async () => (await other.ask(ME, { token: person.token })).code;
    await expect.poll(code, { timeout: 1_000, interval: 5 }).toBe('TOKEN_INVALID');
    await other.close();
  });
});
