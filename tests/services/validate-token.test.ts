import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { makeKey, sha256, startOfKey } from '../../src/core/secrets.js';
import { admins } from '../../src/modules/admin/admin.table.js';
import { apiKeys, sessions, users } from '../../src/modules/auth/auth.table.js';
import { type Answer, createHarness, type Harness, type Person } from '../support/harness.js';

const WHOLE = `query($token: String!, $scopes: [String!], $ip: String) { validateToken(token: $token, scopes: $scopes, ip: $ip) {
  valid code kind expiresAt user { id username email emailVerified } admin { id username } plan { code name }
  credits { balance available held } limits { conversations { limit used remaining resetsAt } } scopes sessionId } }`;

let h: Harness;
let person: Person;
let key: string;

beforeAll(async () => {
  h = await createHarness();
  person = await h.person();
  ({ key } = await h.service(['tokens:validate', 'usage:write']));
});
afterAll(() => h.close());
afterEach(() => h.clock.set(new Date()));

async function validate(token: string, more: { scopes?: string[]; ip?: string } = {}): Promise<Answer['data']> {
  const answer = await h.graphql(WHOLE, { serviceKey: key, variables: { token, ...more } });
  expect(answer.errors).toBeUndefined();
  return answer.data.validateToken;
}

async function apiKey(options: {
  owner?: Person;
  scopes?: string[];
  ips?: string[];
  revokedAt?: Date;
  lifeMs?: number;
}): Promise<string> {
  const token = makeKey('key');
  const now = h.app.now();
  await h.app.db.insert(apiKeys).values({
    id: newId(),
    userId: (options.owner ?? person).id,
    name: 'test',
    keyHash: sha256(token),
    start: startOfKey(token),
    scopes: options.scopes ?? [],
    ipAllowList: options.ips ?? [],
    createdAt: now,
    expiresAt: new Date(now.getTime() + (options.lifeMs ?? 86_400_000)),
    revokedAt: options.revokedAt ?? null,
  });
  return token;
}

const NOBODY = {
  valid: false,
  kind: null,
  expiresAt: null,
  user: null,
  admin: null,
  plan: null,
  credits: null,
  limits: null,
  scopes: null,
  sessionId: null,
};

describe('an access token', () => {
  it('says whose it is, with plan, credits and what is left of today', async () => {
    const { expiresAt, sessionId, limits, ...rest } = await validate(person.token);
    expect(rest).toEqual({
      valid: true,
      code: 'VALID',
      kind: 'USER',
      user: { id: person.id, username: person.username, email: person.email, emailVerified: true },
      admin: null,
      plan: { code: 'free', name: 'Free' },
      credits: { balance: 0, available: 0, held: 0 },
      scopes: null,
    });
    expect(sessionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Date(expiresAt).getTime()).toBeGreaterThan(h.app.now().getTime());
    expect(limits.conversations).toMatchObject({ limit: 50, used: 0, remaining: 50 });
  });

  it('is good before the address is verified, and says that it is not', async () => {
    const fresh = await h.person({ verified: false });
    expect(await validate(fresh.token)).toMatchObject({ valid: true, user: { emailVerified: false } });
  });

  it('of an admin is known as one, and never as a person', async () => {
    const admin = await h.admin(['users:read']);
    expect(await validate(admin.token)).toMatchObject({
      valid: true,
      kind: 'ADMIN',
      user: null,
      admin: { id: admin.id, username: admin.username },
      plan: null,
      credits: null,
      limits: null,
    });
    await h.app.db.update(admins).set({ disabledAt: h.app.now() }).where(eq(admins.id, admin.id));
    expect(await validate(admin.token)).toEqual({ ...NOBODY, code: 'SUSPENDED' });
  });

  it('is refused, and names nobody, as soon as its session was ended, is gone, or its person suspended', async () => {
    const other = await h.person();
    const mine = eq(sessions.userId, other.id);
    await h.app.db.update(users).set({ status: 'SUSPENDED', suspendedAt: h.app.now() }).where(eq(users.id, other.id));
    expect(await validate(other.token)).toEqual({ ...NOBODY, code: 'SUSPENDED' });
    await h.app.db.update(users).set({ status: 'ACTIVE', suspendedAt: null }).where(eq(users.id, other.id));
    expect((await validate(other.token)).valid).toBe(true);
    await h.app.db.update(sessions).set({ revokedAt: h.app.now(), revokedReason: 'TEST' }).where(mine);
    expect(await validate(other.token)).toEqual({ ...NOBODY, code: 'REVOKED' });
    await h.app.db.delete(sessions).where(mine);
    expect(await validate(other.token)).toEqual({ ...NOBODY, code: 'NOT_FOUND' });
  });

  it('is good again once a suspension with an end has lifted itself', async () => {
    const other = await h.person();
    const suspendedUntil = new Date(h.app.now().getTime() + 300_000);
    await h.app.db
      .update(users)
      .set({ status: 'SUSPENDED', suspendedAt: h.app.now(), suspendedUntil })
      .where(eq(users.id, other.id));
    expect((await validate(other.token)).code).toBe('SUSPENDED');
    h.clock.advance(301_000);
    expect((await validate(other.token)).code).toBe('VALID');
  });

  it('past its time is EXPIRED', async () => {
    const other = await h.person();
    h.clock.advance(11 * 60_000);
    expect(await validate(other.token)).toEqual({ ...NOBODY, code: 'EXPIRED' });
  });

  it('of a session past its end is EXPIRED', async () => {
    const other = await h.person();
    const past = new Date(h.app.now().getTime() - 1_000);
    await h.app.db.update(sessions).set({ expiresAt: past }).where(eq(sessions.userId, other.id));
    expect((await validate(other.token)).code).toBe('EXPIRED');
  });

  it('with a single character changed is MALFORMED', async () => {
    for (const place of [5, Math.floor(person.token.length / 2), person.token.length - 2]) {
      const changed = person.token[place] === 'A' ? 'B' : 'A';
      const forged = person.token.slice(0, place) + changed + person.token.slice(place + 1);
      expect(await validate(forged)).toEqual({ ...NOBODY, code: 'MALFORMED' });
    }
  });
});

describe('an API key', () => {
  it('is good for its owner, with its scopes', async () => {
    const token = await apiKey({ scopes: ['account:read', 'chat:write'] });
    expect(await validate(token, { scopes: ['chat:write'] })).toMatchObject({
      valid: true,
      code: 'VALID',
      kind: 'API_KEY',
      user: { id: person.id },
      scopes: ['account:read', 'chat:write'],
      sessionId: null,
      plan: { code: 'free' },
    });
  });

  it('that lacks one of the scopes asked for is INSUFFICIENT_SCOPE', async () => {
    const token = await apiKey({ scopes: ['chat:write'] });
    const verdict = await validate(token, { scopes: ['chat:write', 'chat:delete'] });
    expect(verdict).toEqual({ ...NOBODY, code: 'INSUFFICIENT_SCOPE' });
    expect((await validate(token, { scopes: [] })).valid).toBe(true);
  });

  it('is REVOKED, EXPIRED, SUSPENDED or NOT_FOUND when it is', async () => {
    expect((await validate(await apiKey({ revokedAt: h.app.now() }))).code).toBe('REVOKED');
    expect((await validate(await apiKey({ lifeMs: -1 }))).code).toBe('EXPIRED');
    expect((await validate(makeKey('key'))).code).toBe('NOT_FOUND');
    const other = await h.person();
    const token = await apiKey({ owner: other });
    await h.app.db.update(users).set({ status: 'SUSPENDED', suspendedAt: h.app.now() }).where(eq(users.id, other.id));
    expect(await validate(token)).toEqual({ ...NOBODY, code: 'SUSPENDED' });
  });

  it('bound to addresses is good only with an address from among them', async () => {
    const token = await apiKey({ ips: ['203.0.113.0/24', '2001:db8::/32'] });
    expect((await validate(token, { ip: '203.0.113.9' })).code).toBe('VALID');
    expect((await validate(token, { ip: '::ffff:203.0.113.9' })).code).toBe('VALID');
    expect((await validate(token, { ip: '2001:db8::1' })).code).toBe('VALID');
    expect((await validate(token, { ip: '198.51.100.1' })).code).toBe('IP_NOT_ALLOWED');
    expect((await validate(token, { ip: 'nonsense' })).code).toBe('IP_NOT_ALLOWED');
    expect(await validate(token)).toEqual({ ...NOBODY, code: 'IP_NOT_ALLOWED' });
  });
});

describe('anything else', () => {
  it.each([
    ['nothing', ''],
    ['a blank', ' '],
    ['a word', 'hello'],
    ['NUL', '\0'],
    ['a token with NUL behind it', 'x.y.z\0'],
    ['half a surrogate pair', '\ud800'],
    ['a key with half a surrogate pair', `crd_key_${'\ud800'.repeat(49)}`],
    ['half a megabyte', 'A'.repeat(500_000)],
    ['half a megabyte that begins like a key', `crd_key_${'A'.repeat(500_000)}`],
    ['a service key', makeKey('svc')],
    ['a key with a wrong checksum', `${makeKey('key').slice(0, -1)}!`],
    ['an unsigned token', 'eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ4In0.'],
    ['__proto__', '__proto__'],
    ['SQL', "' or 1=1 --"],
  ])('%s is a normal answer: MALFORMED', async (_, token) => {
    expect(await validate(token)).toEqual({ ...NOBODY, code: 'MALFORMED' });
  });

  it('a refresh token is not an access token', async () => {
    expect((await validate(person.refreshToken)).code).toBe('MALFORMED');
  });

  it('whatever text is sent, the answer is normal', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.base64String(),
      fc.constant('crd_key_').chain((start) => fc.string().map((rest) => start + rest)),
    );
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.string(), { maxLength: 3 }), async (token, scopes) => {
        expect(await validate(token, { scopes })).toEqual({ ...NOBODY, code: 'MALFORMED' });
      }),
      { numRuns: 150 },
    );
  });
});

describe('many at once', () => {
  it('twenty aliases are answered each for itself', async () => {
    const people = [person, await h.person(), await h.person()];
    const tokens = [...people.map(({ token }) => token), 'junk', await apiKey({})];
    const fields = Array.from(
      { length: 20 },
      (_, n) =>
        `a${n}: validateToken(token: "${tokens[n % tokens.length]}") { code user { id } credits { balance } limits { conversations { used } } plan { code name } }`,
    );
    const { data, errors } = await h.graphql(`{ ${fields.join('\n')} }`, { serviceKey: key });
    expect(errors).toBeUndefined();
    for (let n = 0; n < 20; n += 1) {
      const owner = [...people.map(({ id }) => id), undefined, person.id][n % tokens.length];
      expect(data[`a${n}`].user?.id).toBe(owner);
      expect(data[`a${n}`].code).toBe(owner ? 'VALID' : 'MALFORMED');
    }
  });

  it('twenty aliases share their look-ups', async () => {
    const { sql } = h.app.database;
    const asked: string[] = [];
    const { query } = sql;
    sql.query = (text, params) => {
      asked.push(text);
      return query.call(sql, text, params) as never;
    };
    const fields = Array.from(
      { length: 20 },
      (_, n) =>
        `a${n}: validateToken(token: "${person.token}") { valid credits { balance } limits { conversations { used } } }`,
    );
    try {
      const { data } = await h.graphql(`{ ${fields.join('\n')} }`, { serviceKey: key });
      expect(data.a19.valid).toBe(true);
    } finally {
      sql.query = query;
    }
    // The service key, the sessions, the credits and the usage; perhaps the mark of the key's last use.
    expect(asked.length).toBeLessThanOrEqual(6);
  });
});

describe('who may ask', () => {
  it('a service with the scope, and nobody else', async () => {
    const { key: without } = await h.service(['users:read']);
    const ask = (call: object) => h.graphql(`{ validateToken(token: "x") { valid } }`, call);
    expect((await ask({ serviceKey: key })).code).toBeUndefined();
    expect((await ask({ serviceKey: without })).code).toBe('FORBIDDEN');
    expect((await ask({})).code).toBe('UNAUTHENTICATED');
    expect((await ask({ serviceKey: makeKey('svc') })).code).toBe('UNAUTHENTICATED');
    expect((await ask({ serviceKey: '' })).code).toBe('UNAUTHENTICATED');
    expect((await ask({ token: person.token })).code).toBe('FORBIDDEN');
    expect((await ask({ token: (await h.admin(['services:manage'])).token })).code).toBe('FORBIDDEN');
    expect((await ask({ token: person.token, serviceKey: key })).code).toBe('BAD_USER_INPUT');
  });
});
