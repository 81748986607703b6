import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { apiKeys, users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { actionsOf, DAY, HOUR, MINUTE, refresh, SECOND, verdicts } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

const FIELDS = 'id name start scopes ipAllowList createdAt expiresAt lastUsedAt revokedAt';

const create = (person: { token: string }, input: Record<string, unknown> = {}) =>
  h.graphql(`mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { ${FIELDS} } } }`, {
    token: person.token,
    variables: { input: { name: 'laptop', scopes: ['account:read'], ...input } },
  });
const rotate = (person: { token: string }, input: Record<string, unknown>) =>
  h.graphql(`mutation($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { key apiKey { ${FIELDS} } } }`, {
    token: person.token,
    variables: { input },
  });
const revoke = (person: { token: string }, id: string) =>
  h.graphql(`mutation($id: ID!) { revokeApiKey(id: $id) { ok } }`, { token: person.token, variables: { id } });

async function made(
  person: { token: string },
  input: Record<string, unknown> = {},
): Promise<{ id: string; key: string }> {
  const answer = await create(person, input);
  if (answer.errors) throw new Error(`createApiKey: ${JSON.stringify(answer.errors)}`);
  return { id: answer.data.createApiKey.apiKey.id, key: answer.data.createApiKey.key };
}

const me = (key: string, ip?: string) => h.graphql('{ me { id } }', { token: key, ...(ip && { ip }) });
const codeOf = async (key: string, ip?: string) => (await me(key, ip)).code;

async function keysOf(token: string, page = 'first: 100') {
  const { data } = await h.graphql(`{ me { apiKeys(${page}) { nodes { ${FIELDS} } totalCount } } }`, { token });
  return data.me.apiKeys;
}

async function staleOf(person: Person): Promise<{ token: string }> {
  h.clock.advance(9 * MINUTE);
  const { data } = await refresh(h, person.refreshToken);
  h.clock.advance(2 * MINUTE);
  return { token: data.refreshToken.accessToken };
}

describe('createApiKey', () => {
  it('answers the key once; lists show how it begins, and a letter says that it is there', async () => {
    const person = await h.person();
    const answer = await create(person, {
      name: ' CI runner ',
      scopes: ['account:read', 'chat:write', 'account:read'],
    });
    const { key, apiKey } = answer.data.createApiKey;
    expect(key).toMatch(/^crd_key_[0-9A-Za-z]{49}$/);
    expect(apiKey).toMatchObject({
      name: 'CI runner',
      scopes: ['account:read', 'chat:write'],
      start: key.slice(0, 14),
      ipAllowList: [],
      lastUsedAt: null,
      revokedAt: null,
    });
    expect(Date.parse(apiKey.expiresAt) - Date.parse(apiKey.createdAt)).toBe(90 * DAY);
    expect(await me(key)).toMatchObject({ data: { me: { id: person.id } } });
    const listed = await keysOf(person.token);
    expect(listed.totalCount).toBe(1);
    expect(JSON.stringify(listed)).not.toContain(key);
    const letter = (await h.letters(person.email)).at(-1);
    expect(letter?.subject).toBe('An API key was created');
    expect(letter?.text).not.toContain(key);
    expect(await actionsOf(h, person.token)).toContain('api_key.created');
  });

  it.each([
    ['name', ['', ' ', 'x'.repeat(81), 'a\nb']],
    [
      'scopes',
      [
        [],
        ['account'],
        ['account:write'],
        ['credits:grant'],
        ['users:read'],
        ['Account:read'],
        ['a:b:c'],
        [':'],
        [`${'x'.repeat(40)}:y`],
        Array.from({ length: 21 }, (_, index) => `word:n${index}`),
      ],
    ],
    ['expiresInDays', [0, -1, 366, 2147483647]],
    [
      'ipAllowList',
      [
        ['x'],
        ['10.0.0.0/33'],
        ['010.1.2.3'],
        ['10.1.2.3/8'],
        [''],
        Array.from({ length: 21 }, (_, index) => `10.0.0.${index}`),
      ],
    ],
  ])('refuses %s that cannot be', async (field, values) => {
    const person = await h.person();
    for (const value of values) {
      const answer = await create(person, { [field]: value });
      expect([answer.status, answer.code], JSON.stringify(value)).toEqual([400, 'BAD_USER_INPUT']);
      expect(Object.keys(answer.errors?.[0]?.extensions.fields as object)).toEqual([field]);
    }
    expect((await keysOf(person.token)).totalCount).toBe(0);
  });

  it('makes twenty that live, not one more, however many are asked for at once', async () => {
    const person = await h.person();
    const answers = await Promise.all(Array.from({ length: 25 }, () => create(person)));
    const refused = answers.filter((answer) => answer.errors);
    expect(refused).toHaveLength(5);
    expect([refused[0]?.status, refused[0]?.code]).toEqual([429, 'LIMIT_REACHED']);
    // One that has ended makes room.
    const { nodes } = await keysOf(person.token);
    await revoke(person, nodes[0].id);
    expect((await create(person)).errors).toBeUndefined();
  });

  it('asks for a fresh session of a verified person, and never takes a key for it', async () => {
    const [person, unverified, admin] = [await h.person(), await h.person({ verified: false }), await h.admin([])];
    const { id, key } = await made(person);
    expect((await create(unverified)).code).toBe('EMAIL_NOT_VERIFIED');
    expect((await create(admin)).code).toBe('UNAUTHENTICATED');
    expect((await create({ token: key })).code).toBe('UNAUTHENTICATED');
    expect((await revoke({ token: key }, id)).code).toBe('UNAUTHENTICATED');
    const stale = await staleOf(person);
    for (const answer of [await create(stale), await rotate(stale, { id }), await revoke(stale, id)]) {
      expect([answer.status, answer.code]).toEqual([403, 'REAUTHENTICATION_REQUIRED']);
    }
  });
});

describe('what a key may read', () => {
  it('is what its scopes name, each for itself', async () => {
    const person = await h.person();
    const reads = {
      'account:read': '{ me { id } }',
      'credits:read': '{ me { creditAccount { balance } } }',
      'usage:read': '{ me { usage { conversations { used } } } }',
    };
    for (const scope of Object.keys(reads)) {
      const { key } = await made(person, { scopes: [...new Set(['account:read', scope])] });
      for (const [needed, query] of Object.entries(reads)) {
        const expected = needed === 'account:read' || needed === scope ? undefined : 'FORBIDDEN';
        expect((await h.graphql(query, { token: key })).code, `${scope} reads ${needed}`).toBe(expected);
      }
    }
    const { key } = await made(person, { scopes: ['chat:write'] });
    expect((await me(key)).code).toBe('FORBIDDEN');
  });

  it('is never the person’s sessions, keys, phrase or history', async () => {
    const person = await h.person();
    const { key } = await made(person, { scopes: ['account:read', 'credits:read', 'usage:read'] });
    for (const field of [
      'sessions { totalCount }',
      'apiKeys { totalCount }',
      'hasRecoveryPhrase',
      'securityHistory { totalCount }',
    ]) {
      expect((await h.graphql(`{ me { ${field} } }`, { token: key })).code, field).toBe('FORBIDDEN');
    }
    const changes = [
      'logout { ok }',
      'revokeOtherSessions { endedSessions }',
      'updateProfile(input: {}) { user { id } }',
      'reauthenticate(password: "x") { session { id } }',
    ];
    for (const field of changes)
      expect((await h.graphql(`mutation { ${field} }`, { token: key })).code, field).toBe('UNAUTHENTICATED');
    expect((await h.graphql('{ currentSession { id } }', { token: key })).code).toBe('UNAUTHENTICATED');
  });

  it('ends with its time', async () => {
    const person = await h.person();
    const { key } = await made(person, { expiresInDays: 1 });
    h.clock.advance(DAY - SECOND);
    expect(await codeOf(key)).toBeUndefined();
    h.clock.advance(SECOND);
    const answer = await me(key);
    expect([answer.status, answer.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('is read from the listed addresses only', async () => {
    const person = await h.person();
    const { key } = await made(person, { ipAllowList: ['192.0.2.0/24', '2001:db8::/32'] });
    for (const ip of ['192.0.2.77', '2001:db8::9', '::ffff:192.0.2.77'])
      expect(await codeOf(key, ip), ip).toBeUndefined();
    for (const ip of ['192.0.3.1', '2001:db9::1', '127.0.0.1']) {
      const answer = await me(key, ip);
      expect([answer.status, answer.code], ip).toEqual([403, 'IP_NOT_ALLOWED']);
    }
  });

  it('ends with the suspension of its owner', async () => {
    const person = await h.person();
    const { key } = await made(person);
    await h.app.db
      .update(users)
      .set({ status: 'SUSPENDED', suspendedAt: h.clock.now() })
      .where(eq(users.id, person.id));
    expect(await codeOf(key)).toBe('ACCOUNT_SUSPENDED');
  });

  it('is nothing for a text that is not a key', async () => {
    const { key } = await made(await h.person());
    const last = key.at(-1) === 'a' ? 'b' : 'a';
    for (const text of [
      'crd_key_',
      `${key.slice(0, -1)}${last}`,
      key.toLowerCase(),
      key.replace('crd_key', 'crd_svc'),
      `${key}x`,
    ]) {
      expect((await me(text)).code, text).toBe('UNAUTHENTICATED');
    }
    // As a service key it is nothing, either, and never both at once.
    expect((await h.graphql('{ me { id } }', { serviceKey: key })).code).toBe('UNAUTHENTICATED');
    const both = await h.graphql('{ me { id } }', { serviceKey: key, token: key });
    expect([both.status, both.code]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('notes when it was last used, at most once a minute', async () => {
    const person = await h.person();
    const { id, key } = await made(person);
    const query = vi.spyOn(h.app.database.sql, 'write');
    const writes = () => query.mock.calls.filter(([text]) => text.includes('set last_used_at')).length;
    await Promise.all(Array.from({ length: 10 }, () => me(key)));
    expect(writes()).toBe(1);
    const lastUsed = async () => (await h.app.db.select().from(apiKeys).where(eq(apiKeys.id, id)))[0]?.lastUsedAt;
    await vi.waitFor(async () => expect(await lastUsed()).toEqual(h.clock.now()));
    h.clock.advance(59 * SECOND);
    await me(key);
    expect(writes()).toBe(1);
    h.clock.advance(1 * SECOND);
    await me(key);
    expect(writes()).toBe(2);
    await vi.waitFor(async () => expect(await lastUsed()).toEqual(h.clock.now()));
    query.mockRestore();
  });
});

describe('rotateApiKey', () => {
  it('makes a key like the old one, which ends at once', async () => {
    const person = await h.person();
    const old = await made(person, {
      scopes: ['account:read', 'chat:write'],
      ipAllowList: ['127.0.0.0/8'],
      expiresInDays: 30,
    });
    h.clock.advance(5 * MINUTE);
    const { data } = await rotate(person, { id: old.id });
    const { key, apiKey } = data.rotateApiKey;
    expect(apiKey).toMatchObject({
      name: 'laptop',
      scopes: ['account:read', 'chat:write'],
      ipAllowList: ['127.0.0.0/8'],
    });
    expect(Date.parse(apiKey.expiresAt) - h.clock.now().getTime()).toBe(30 * DAY);
    expect(await codeOf(key)).toBeUndefined();
    expect(await codeOf(old.key)).toBe('UNAUTHENTICATED');
    expect(await actionsOf(h, person.token)).toContain('api_key.rotated');
  });

  it.each([
    ['ONE_HOUR', HOUR],
    ['ONE_DAY', DAY],
    ['SEVEN_DAYS', 7 * DAY],
  ])('lets both work for the overlap %s', async (overlap, milliseconds) => {
    const person = await h.person();
    const old = await made(person);
    const { data } = await rotate(person, { id: old.id, overlap });
    h.clock.advance(milliseconds - SECOND);
    expect(await codeOf(old.key)).toBeUndefined();
    expect(await codeOf(data.rotateApiKey.key)).toBeUndefined();
    h.clock.advance(SECOND);
    expect(await codeOf(old.key)).toBe('UNAUTHENTICATED');
    expect(await codeOf(data.rotateApiKey.key)).toBeUndefined();
  });

  it('goes from one key to one key, also when asked ten times at once', async () => {
    const person = await h.person();
    const old = await made(person);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => rotate(person, { id: old.id, overlap: 'ONE_DAY' })),
    );
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
    expect(verdicts(answers)).toEqual(new Set([undefined, 'CONFLICT']));
    expect((await keysOf(person.token)).totalCount).toBe(2);
  });

  it('never makes more than forty that live', async () => {
    const person = await h.person();
    let { id } = await made(person);
    for (let count = 1; count < 40; count += 1) {
      const answer = await rotate(person, { id, overlap: 'SEVEN_DAYS' });
      id = answer.data.rotateApiKey.apiKey.id;
    }
    const answer = await rotate(person, { id, overlap: 'SEVEN_DAYS' });
    expect([answer.status, answer.code]).toEqual([429, 'LIMIT_REACHED']);
  });

  it('answers for another’s key, and one that has ended, as for one that never was', async () => {
    const [person, stranger] = [await h.person(), await h.person()];
    const theirs = await made(stranger);
    const ended = await made(person);
    await revoke(person, ended.id);
    for (const id of [theirs.id, ended.id, '01890000-0000-7000-8000-000000000000']) {
      const answer = await rotate(person, { id });
      expect([answer.status, answer.code]).toEqual([404, 'NOT_FOUND']);
    }
    expect((await rotate(person, { id: 'x' })).code).toBe('BAD_USER_INPUT');
    expect(await codeOf(theirs.key)).toBeUndefined();
  });
});

describe('revokeApiKey', () => {
  it('ends a key at once, also in its overlap, and takes it off the list', async () => {
    const person = await h.person();
    const old = await made(person);
    const { data } = await rotate(person, { id: old.id, overlap: 'ONE_DAY' });
    expect((await revoke(person, old.id)).data.revokeApiKey).toEqual({ ok: true });
    expect(await codeOf(old.key)).toBe('UNAUTHENTICATED');
    expect(await codeOf(data.rotateApiKey.key)).toBeUndefined();
    const { nodes } = await keysOf(person.token);
    expect(nodes.map((node: { id: string }) => node.id)).toEqual([data.rotateApiKey.apiKey.id]);
    expect(await actionsOf(h, person.token)).toContain('api_key.revoked');
    expect((await revoke(person, old.id)).code).toBe('NOT_FOUND');
  });

  it('answers for another’s key as for one that never was', async () => {
    const [person, stranger] = [await h.person(), await h.person()];
    const theirs = await made(stranger);
    expect((await revoke(person, theirs.id)).code).toBe('NOT_FOUND');
    expect((await revoke(person, 'x')).code).toBe('BAD_USER_INPUT');
    expect(await codeOf(theirs.key)).toBeUndefined();
  });
});
