import { desc, eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { isKeyShaped, makeKey } from '../../src/core/secrets.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import { serviceKeys } from '../../src/modules/services/services.table.js';
import { createHarness, type Harness, uniqueName } from '../support/harness.js';

const CREATE = `mutation($input: CreateServiceInput!) { createService(input: $input) { key service { id name scopes disabledAt keys { id start expiresAt lastUsedAt } } } }`;
const ROTATE = `mutation($input: RotateServiceKeyInput!) { rotateServiceKey(input: $input) { key service { id keys { start expiresAt } } } }`;
const UPDATE = `mutation($input: UpdateServiceInput!) { updateService(input: $input) { service { name scopes } } }`;
const DISABLE = `mutation($id: ID!, $reason: String) { disableService(serviceId: $id, reason: $reason) { service { disabledAt } } }`;
const LIST = `query($first: Int, $after: String) { services(first: $first, after: $after) { totalCount nodes { id name keys { start } } pageInfo { hasNextPage endCursor } } }`;

let h: Harness;
let token: string;

beforeAll(async () => {
  h = await createHarness();
  ({ token } = await h.admin(['services:manage']));
});
afterAll(() => h.close());
afterEach(() => h.clock.set(new Date()));

async function create(scopes: string[] = ['tokens:validate'], name = uniqueName('svc')) {
  const { data, errors } = await h.graphql(CREATE, { token, variables: { input: { name, scopes } } });
  expect(errors).toBeUndefined();
  return data.createService as { key: string; service: { id: string; name: string; keys: { start: string }[] } };
}

const works = async (key: string) =>
  (await h.graphql(`{ validateToken(token: "x") { code } }`, { serviceKey: key })).code === undefined;

async function newestAudit(targetId: string) {
  const [row] = await h.app.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetId, targetId))
    .orderBy(desc(auditEvents.id));
  return row;
}

describe('createService', () => {
  it('makes a service whose key works at once, and shows the key once', async () => {
    const { key, service } = await create();
    expect(isKeyShaped(key, 'svc')).toBe(true);
    expect(await works(key)).toBe(true);
    expect(service).toMatchObject({ scopes: ['tokens:validate'], disabledAt: null });
    expect(service.keys).toHaveLength(1);
    expect(key.startsWith(service.keys[0]?.start ?? '!')).toBe(true);
    const [row] = await h.app.db.select().from(serviceKeys).where(eq(serviceKeys.serviceId, service.id));
    expect(JSON.stringify(row)).not.toContain(key);
    const listed = await h.graphql(LIST, { token });
    expect(JSON.stringify(listed.data)).not.toContain(key);
    expect(await newestAudit(service.id)).toMatchObject({ action: 'service.created', actorKind: 'ADMIN' });
    expect(JSON.stringify(await newestAudit(service.id))).not.toContain(key);
  });

  it('names each scope once, in the order of the list', async () => {
    const { service } = await create(['users:read', 'tokens:validate', 'users:read']);
    expect(service).toMatchObject({ scopes: ['tokens:validate', 'users:read'] });
  });

  it('refuses a name that is taken: CONFLICT', async () => {
    const { service } = await create();
    const input = { name: service.name, scopes: ['users:read'] };
    expect((await h.graphql(CREATE, { token, variables: { input } })).code).toBe('CONFLICT');
  });

  it.each([
    ['no scope', 'fine', []],
    ['an unknown scope', 'fine', ['users:read', 'everything']],
    ['a scope that is a permission of admins', 'fine', ['admins:manage']],
    ['__proto__ as a scope', 'fine', ['__proto__']],
    ['an empty name', '', ['users:read']],
    ['a blank name', '  ', ['users:read']],
    ['a name with a line break', 'a\nb', ['users:read']],
    ['a name with NUL', 'a\0b', ['users:read']],
    ['a name with half a surrogate pair', 'a\ud800b', ['users:read']],
    ['a name that is too long', 'a'.repeat(101), ['users:read']],
    ['a name that is huge', 'a'.repeat(20_000), ['users:read']],
  ])('refuses %s: BAD_USER_INPUT', async (_, name, scopes) => {
    const { code } = await h.graphql(CREATE, { token, variables: { input: { name, scopes } } });
    expect(code).toBe('BAD_USER_INPUT');
  });
});

describe('rotateServiceKey', () => {
  it.each([
    ['ONE_HOUR', 3_600_000],
    ['ONE_DAY', 86_400_000],
    ['SEVEN_DAYS', 604_800_000],
  ])('with %s lets the old key work until then, and no longer', async (overlap, ms) => {
    const { key, service } = await create();
    const { data } = await h.graphql(ROTATE, { token, variables: { input: { serviceId: service.id, overlap } } });
    const rotated = data.rotateServiceKey;
    expect(rotated.key).not.toBe(key);
    expect(rotated.service.keys.map(({ expiresAt }: { expiresAt: string | null }) => expiresAt === null)).toEqual([
      true,
      false,
    ]);
    h.clock.advance(ms - 60_000);
    expect(await works(key)).toBe(true);
    h.clock.advance(60_001);
    expect(await works(key)).toBe(false);
    expect(await works(rotated.key)).toBe(true);
  });

  it('with NONE shuts out every older key at once, those in their overlap too', async () => {
    const { key: first, service } = await create();
    const rotate = async (overlap: string) =>
      (await h.graphql(ROTATE, { token, variables: { input: { serviceId: service.id, overlap } } })).data
        .rotateServiceKey;
    const second = (await rotate('SEVEN_DAYS')).key;
    expect([await works(first), await works(second)]).toEqual([true, true]);
    const { key: third, service: after } = await rotate('NONE');
    expect([await works(first), await works(second), await works(third)]).toEqual([false, false, true]);
    expect(after.keys).toHaveLength(1);
    expect(await newestAudit(service.id)).toMatchObject({ action: 'service.key_rotated', after: { overlap: 'NONE' } });
  });

  it('never lengthens an overlap that runs', async () => {
    const { key: first, service } = await create();
    for (const overlap of ['ONE_HOUR', 'SEVEN_DAYS']) {
      await h.graphql(ROTATE, { token, variables: { input: { serviceId: service.id, overlap } } });
    }
    h.clock.advance(3_600_001);
    expect(await works(first)).toBe(false);
  });

  it('ten at once leave one key without an end', async () => {
    const { service } = await create();
    const input = { serviceId: service.id, overlap: 'NONE' };
    const keys = await Promise.all(
      Array.from(
        { length: 10 },
        async () => (await h.graphql(ROTATE, { token, variables: { input } })).data.rotateServiceKey.key,
      ),
    );
    const states = await Promise.all(keys.map(works));
    expect(states.filter(Boolean)).toHaveLength(1);
  });
});

describe('updateService and disableService', () => {
  it('changed scopes count with the next request', async () => {
    const { key, service } = await create(['tokens:validate']);
    const { data } = await h.graphql(UPDATE, {
      token,
      variables: { input: { serviceId: service.id, scopes: ['users:read'] } },
    });
    expect(data.updateService.service).toEqual({ name: service.name, scopes: ['users:read'] });
    expect(await works(key)).toBe(false);
    expect(await newestAudit(service.id)).toMatchObject({
      action: 'service.updated',
      before: { scopes: ['tokens:validate'] },
      after: { scopes: ['users:read'] },
    });
  });

  it('refuses a name that is taken: CONFLICT; nothing to change: BAD_USER_INPUT', async () => {
    const [one, two] = [await create(), await create()];
    const update = (input: object) => h.graphql(UPDATE, { token, variables: { input } });
    expect((await update({ serviceId: one.service.id, name: two.service.name })).code).toBe('CONFLICT');
    expect((await update({ serviceId: one.service.id })).code).toBe('BAD_USER_INPUT');
    expect((await update({ serviceId: one.service.id, scopes: [] })).code).toBe('BAD_USER_INPUT');
    expect((await update({ serviceId: one.service.id, name: null, scopes: null })).code).toBe('BAD_USER_INPUT');
  });

  it('a disabled service is shut out at once and for good', async () => {
    const { key, service } = await create();
    const disable = () => h.graphql(DISABLE, { token, variables: { id: service.id, reason: 'gone' } });
    const first = await disable();
    expect(await works(key)).toBe(false);
    expect(await newestAudit(service.id)).toMatchObject({ action: 'service.disabled', reason: 'gone' });
    expect((await disable()).data).toEqual(first.data);
    const rotate = { input: { serviceId: service.id, overlap: 'NONE' } };
    expect((await h.graphql(ROTATE, { token, variables: rotate })).code).toBe('CONFLICT');
    const update = { input: { serviceId: service.id, scopes: ['users:read'] } };
    expect((await h.graphql(UPDATE, { token, variables: update })).code).toBe('CONFLICT');
  });

  it('an unknown id is NOT_FOUND, a malformed one BAD_USER_INPUT', async () => {
    for (const [id, code] of [
      [newId(), 'NOT_FOUND'],
      ['nonsense', 'BAD_USER_INPUT'],
      ['', 'BAD_USER_INPUT'],
    ]) {
      const calls = [
        h.graphql(ROTATE, { token, variables: { input: { serviceId: id, overlap: 'NONE' } } }),
        h.graphql(UPDATE, { token, variables: { input: { serviceId: id, scopes: ['users:read'] } } }),
        h.graphql(DISABLE, { token, variables: { id } }),
      ];
      for (const answer of await Promise.all(calls)) expect(answer.code).toBe(code);
    }
  });
});

describe('services', () => {
  it('lists all of them, newest first, a page at a time', async () => {
    const made = [await create(), await create(), await create()].map(({ service }) => service.id).reverse();
    const page = async (after?: string) =>
      (await h.graphql(LIST, { token, variables: { first: 2, after } })).data.services;
    const one = await page();
    const two = await page(one.pageInfo.endCursor);
    expect([...one.nodes, ...two.nodes].slice(0, 3).map(({ id }: { id: string }) => id)).toEqual(made);
    expect(one.nodes[0].keys).toHaveLength(1);
    expect(one.totalCount).toBeGreaterThanOrEqual(3);
  });

  it.each(['nonsense', '', 'WzFd', Buffer.from('["x","y"]').toString('base64url')])(
    'refuses the cursor "%s": BAD_USER_INPUT',
    async (after) => {
      expect((await h.graphql(LIST, { token, variables: { after } })).code).toBe('BAD_USER_INPUT');
    },
  );

  it('shows when a key was last used, to a minute, and writes it at most once a minute', async () => {
    const { key, service } = await create();
    const read = async () => {
      const [row] = await h.app.db.select().from(serviceKeys).where(eq(serviceKeys.serviceId, service.id));
      return row?.lastUsedAt?.getTime();
    };
    await works(key);
    await expect.poll(read).toBeDefined();
    const first = await read();
    h.clock.advance(30_000);
    await works(key);
    await works(key);
    expect(await read()).toBe(first);
    h.clock.advance(31_000);
    await works(key);
    await expect.poll(read).not.toBe(first);
  });
});

it('whoever may not manage services is refused', async () => {
  const { token: other } = await h.admin(['admins:manage', 'users:read']);
  const { key } = await h.service([...SERVICE_SCOPES]);
  const input = { name: uniqueName('svc'), scopes: ['users:read'] };
  for (const call of [{ token: other }, { serviceKey: key }, { token: (await h.person()).token }]) {
    expect((await h.graphql(CREATE, { ...call, variables: { input } })).code).toBe('FORBIDDEN');
    expect((await h.graphql(LIST, call)).code).toBe('FORBIDDEN');
  }
  expect((await h.graphql(LIST, { serviceKey: makeKey('svc') })).code).toBe('UNAUTHENTICATED');
});
