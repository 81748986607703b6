import { eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../src/api/server.js';
import { closeApp, createApp } from '../../src/app.js';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { loadSigningKeys } from '../../src/modules/auth/signing-keys.service.js';
import { forgetIpRules } from '../../src/modules/network/following.service.js';
import { ipRules } from '../../src/modules/network/network.table.js';
import { findPostgresServer } from '../support/database.js';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';

const FIELDS = `id action scope scopeId cidr note createdBy`;
const ADD = `mutation($input: AddIpRuleInput!) { addIpRule(input: $input) { ipRule { ${FIELDS} } } }`;
const REMOVE = `mutation($id: ID!) { removeIpRule(id: $id) { ipRule { ${FIELDS} } } }`;
const LIST = `query($first: Int, $after: String) { ipRules(first: $first, after: $after) { totalCount nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } }`;
const HOME = '192.0.2.10';
const AWAY = '203.0.113.9';

let h: Harness;
let token: string;

beforeAll(async () => {
  h = await createHarness();
  ({ token } = await h.admin(['security:manage', 'users:read']));
});
afterAll(() => h.close());
afterEach(async () => {
  await h.app.db.delete(ipRules);
  // The notification of it may come while the next test runs.
  forgetIpRules(h.app);
});

const add = (input: object, ip = HOME) => h.graphql(ADD, { token, ip, variables: { input } });

async function rule(input: object): Promise<string> {
  const { data, errors } = await add(input);
  expect(errors).toBeUndefined();
  return data.addIpRule.ipRule.id;
}

const remove = (id: string, ip = HOME) => h.graphql(REMOVE, { token, ip, variables: { id } });
const visit = async (ip: string) => (await h.graphql(`{ serviceInfo { name } }`, { ip })).code;
const everything = (action: 'ALLOW' | 'DENY', cidr: string) => ({ action, scope: 'EVERYTHING', cidr });

async function apiKey(ipAllowList: string[] = []): Promise<{ id: string; key: string }> {
  const person = await h.person();
  const input = { name: 'key', scopes: ['account:read'], ...(ipAllowList.length > 0 && { ipAllowList }) };
  const { data, errors } = await h.graphql(
    `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id } } }`,
    { token: person.token, variables: { input } },
  );
  expect(errors).toBeUndefined();
  return { id: data.createApiKey.apiKey.id, key: data.createApiKey.key };
}

describe('a rule for everything', () => {
  it('shuts an address out with the next request, and its removal lets it in again', async () => {
    expect(await visit(AWAY)).toBeUndefined();
    const id = await rule(everything('DENY', `${AWAY}/32`));
    const refused = await h.graphql(`{ serviceInfo { name } }`, { ip: AWAY });
    expect([refused.status, refused.code]).toEqual([403, 'IP_NOT_ALLOWED']);
    expect(await visit(HOME)).toBeUndefined();
    await remove(id);
    expect(await visit(AWAY)).toBeUndefined();
  });

  it('deny wins over allow, and one allow rule closes it to all others', async () => {
    await rule(everything('ALLOW', '192.0.2.0/24'));
    expect(await visit(AWAY)).toBe('IP_NOT_ALLOWED');
    expect(await visit('192.0.2.200')).toBeUndefined();
    await rule(everything('DENY', '192.0.2.200'));
    expect(await visit('192.0.2.200')).toBe('IP_NOT_ALLOWED');
  });

  it('knows IPv6 blocks, and an IPv4 address however it is wrapped (W1)', async () => {
    await rule(everything('DENY', '2001:db8:1::/48'));
    await rule(everything('DENY', AWAY));
    expect(await visit('2001:db8:1:ffff::1')).toBe('IP_NOT_ALLOWED');
    expect(await visit('2001:DB8:0001::1')).toBe('IP_NOT_ALLOWED');
    expect(await visit('2001:db8:2::1')).toBeUndefined();
    expect(await visit(`::ffff:${AWAY}`)).toBe('IP_NOT_ALLOWED');
    expect(await visit('64:ff9b::203.0.113.9')).toBe('IP_NOT_ALLOWED');
  });

  it('cannot be walked around by a header (W2), a path or a verb (W3); the probes stay', async () => {
    await rule(everything('DENY', AWAY));
    const forwarded = await h.graphql(`{ serviceInfo { name } }`, {
      ip: AWAY,
      headers: { 'x-forwarded-for': HOME, forwarded: `for=${HOME}` },
    });
    expect(forwarded.code).toBe('IP_NOT_ALLOWED');
    for (const [method, url] of [
      ['GET', '/.well-known/jwks.json'],
      ['GET', '/health'],
      ['GET', '//graphql'],
      ['GET', '/%2e%2e/graphql'],
      ['GET', '/health/live/'],
      ['OPTIONS', '/graphql'],
      ['DELETE', '/graphql'],
      ['POST', '/no-such-door'],
    ] as const) {
      const headers = { origin: 'https://example.com', 'access-control-request-method': 'POST' };
      const { statusCode } = await h.fastify.inject({ method, url, headers, remoteAddress: AWAY });
      expect(statusCode, `${method} ${url}`).toBe(403);
    }
    for (const url of ['/health/live', '/health/ready'])
      expect((await h.fastify.inject({ method: 'GET', url, remoteAddress: AWAY })).statusCode).toBe(200);
  });

  it('made by hand with SQL counts, too', async () => {
    expect(await visit(AWAY)).toBeUndefined();
    const values = { id: newId(), action: 'DENY', scope: 'EVERYTHING', cidr: `${AWAY}/32` } as const;
    await h.app.db.insert(ipRules).values({ ...values, createdAt: h.app.now() });
    await expect.poll(() => visit(AWAY), { timeout: 1_000, interval: 5 }).toBe('IP_NOT_ALLOWED');
  });
});

describe('a rule for operators', () => {
  const office = { action: 'ALLOW', scope: 'OPERATOR_SIGN_IN', cidr: '192.0.2.0/24' };
  const login = (identifier: string, password: string, ip: string) =>
    h.graphql(
      `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`,
      { ip, variables: { input: { identifier, password } } },
    );

  it('refuses sign-in and sessions from elsewhere, and the right password is not told from a wrong one', async () => {
    const admin = await h.admin(['users:read']);
    const staff = await h.staff(3);
    await rule(office);
    expect((await login(admin.username, PASSWORD, AWAY)).code).toBe('IP_NOT_ALLOWED');
    expect((await login(admin.username, 'wrong', AWAY)).code).toBe('IP_NOT_ALLOWED');
    expect((await login(admin.username, PASSWORD, HOME)).code).toBeUndefined();
    for (const who of [admin, staff]) {
      const users = (ip: string) => h.graphql(`{ users { totalCount } }`, { token: who.token, ip });
      expect((await users(HOME)).code).toBeUndefined();
      const refused = await users(AWAY);
      expect([refused.status, refused.code]).toEqual([403, 'IP_NOT_ALLOWED']);
    }
  });

  it('refuses their refresh tokens from elsewhere without using them up', async () => {
    const admin = await h.admin([]);
    await rule(office);
    const refresh = (ip: string) =>
      h.graphql(`mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken } }`, {
        ip,
        variables: { token: admin.refreshToken },
      });
    expect((await refresh(AWAY)).code).toBe('IP_NOT_ALLOWED');
    expect((await refresh(HOME)).code).toBeUndefined();
  });

  it('is nobody else’s business', async () => {
    const person = await h.person();
    await rule(office);
    expect((await h.graphql(`{ me { id } }`, { token: person.token, ip: AWAY })).code).toBeUndefined();
  });
});

describe('a rule for one service or one key', () => {
  it('holds the keys of that service to its addresses, and no other', async () => {
    const [bound, free] = [await h.service(['tokens:validate']), await h.service(['tokens:validate'])];
    await rule({ action: 'ALLOW', scope: 'SERVICE', scopeId: bound.id, cidr: '198.51.100.0/24' });
    const ask = async (serviceKey: string, ip: string) =>
      (await h.graphql(`{ validateToken(token: "x") { code } }`, { serviceKey, ip })).code;
    expect(await ask(bound.key, '198.51.100.7')).toBeUndefined();
    expect(await ask(bound.key, AWAY)).toBe('IP_NOT_ALLOWED');
    expect(await ask(free.key, AWAY)).toBeUndefined();
  });

  it('holds a key to its addresses beside the list it has itself, also when another service asks about it', async () => {
    const { id, key } = await apiKey(['192.0.2.0/24', '198.51.100.0/24']);
    await rule({ action: 'DENY', scope: 'API_KEY', scopeId: id, cidr: '198.51.100.0/24' });
    const read = async (ip: string) => (await h.graphql(`{ me { id } }`, { token: key, ip })).code;
    expect(await read(HOME)).toBeUndefined();
    expect(await read('198.51.100.7')).toBe('IP_NOT_ALLOWED');
    expect(await read(AWAY)).toBe('IP_NOT_ALLOWED');
    const service = await h.service(['tokens:validate']);
    const ask = async (ip: string | null) =>
      (
        await h.graphql(`query($t: String!, $ip: String) { validateToken(token: $t, ip: $ip) { code } }`, {
          serviceKey: service.key,
          variables: { t: key, ip },
        })
      ).data.validateToken.code;
    expect([await ask(HOME), await ask('198.51.100.7'), await ask(null)]).toEqual([
      'VALID',
      'IP_NOT_ALLOWED',
      'IP_NOT_ALLOWED',
    ]);
  });

  it('refuses a key for which there are rules when the asking service does not say where it came from', async () => {
    const { id, key } = await apiKey();
    await rule({ action: 'DENY', scope: 'API_KEY', scopeId: id, cidr: '198.51.100.0/24' });
    const service = await h.service(['tokens:validate']);
    const { data } = await h.graphql(`query($t: String!) { validateToken(token: $t) { code } }`, {
      serviceKey: service.key,
      variables: { t: key },
    });
    expect(data.validateToken.code).toBe('IP_NOT_ALLOWED');
  });
});

describe('addIpRule', () => {
  it('writes the block in its one form, with who made it, and audits it', async () => {
    const { data } = await add({ ...everything('DENY', '2001:DB8:0::/32'), note: ' botnet ' });
    const { ipRule } = data.addIpRule;
    expect(ipRule).toMatchObject({ cidr: '2001:db8::/32', note: 'botnet', createdBy: expect.any(String) });
    const [row] = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, ipRule.id));
    expect(row).toMatchObject({ action: 'ip_rule.added', actorKind: 'ADMIN', after: { cidr: '2001:db8::/32' } });
  });

  it.each([
    '',
    'x',
    '10.0.0.0/33',
    '010.1.2.3',
    '10.1.2.3/8',
    '10.0.0.0/08',
    '10.0.0/24',
    '::1%eth0',
    '2001:db8::/129',
    '10.0.0.1, 10.0.0.2',
    '::ffff:0.0.0.0/90',
  ])('refuses %j as a block and stores nothing (W4): BAD_USER_INPUT', async (cidr) => {
    expect((await add(everything('DENY', cidr))).code).toBe('BAD_USER_INPUT');
    expect(await h.app.db.$count(ipRules)).toBe(0);
  });

  it('the database itself takes no entry that is no block', async () => {
    const insert = h.app.db.execute(
      sql`insert into ip_rules (id, action, scope, cidr, created_at) values (${newId()}, 'DENY', 'EVERYTHING', '10.1.2.3/8', now())`,
    );
    await expect(insert).rejects.toThrow();
  });

  it.each([
    ['a service that is not named', { scope: 'SERVICE' }],
    ['a name where none belongs', { scope: 'EVERYTHING', scopeId: '01890000-0000-7000-8000-000000000000' }],
    ['a name that is no id', { scope: 'API_KEY', scopeId: 'x' }],
    ['a note that is too long', { scope: 'EVERYTHING', note: 'a'.repeat(201) }],
    ['a note of two lines', { scope: 'EVERYTHING', note: 'a\nb' }],
  ])('refuses %s: BAD_USER_INPUT', async (_, input) => {
    expect((await add({ action: 'DENY', cidr: '10.0.0.0/8', ...input })).code).toBe('BAD_USER_INPUT');
  });

  it.each(['SERVICE', 'API_KEY'])('refuses a %s that does not exist: NOT_FOUND', async (scope) => {
    expect((await add({ action: 'DENY', scope, scopeId: newId(), cidr: '10.0.0.0/8' })).code).toBe('NOT_FOUND');
  });

  it.each([
    ['denies the caller', everything('DENY', '192.0.2.0/24')],
    ['denies everybody', everything('DENY', '0.0.0.0/0')],
    ['allows others only', everything('ALLOW', '198.51.100.0/24')],
    ['allows other operators only', { action: 'ALLOW', scope: 'OPERATOR_SIGN_IN', cidr: '198.51.100.0/24' }],
    ['denies the caller as an operator', { action: 'DENY', scope: 'OPERATOR_SIGN_IN', cidr: HOME }],
  ])('refuses what %s: CONFLICT, and nothing is changed', async (_, input) => {
    const { code, errors } = await add(input);
    expect(code).toBe('CONFLICT');
    expect(errors?.[0]?.message).toBe('This would shut out the address that you call from.');
    expect(await h.app.db.$count(ipRules)).toBe(0);
    expect(await visit(HOME)).toBeUndefined();
  });

  it('of two who would shut each other out at once, one is refused', async () => {
    const [first, second] = await Promise.all([
      add(everything('DENY', '198.51.100.5'), HOME),
      add(everything('DENY', HOME), '198.51.100.5'),
    ]);
    // Each rule alone is fine for its maker; whichever came second was made by somebody who is out already, or is
    // stopped at the door.
    expect([first.code, second.code].filter((code) => code === undefined)).toHaveLength(1);
    await h.app.db.delete(ipRules);
  });
});

describe('removeIpRule', () => {
  it('answers the rule as it was and audits it', async () => {
    const id = await rule(everything('DENY', AWAY));
    const { data } = await remove(id);
    expect(data.removeIpRule.ipRule).toMatchObject({ id, cidr: `${AWAY}/32` });
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, id));
    expect(rows.map(({ action }) => action).sort()).toEqual(['ip_rule.added', 'ip_rule.removed']);
    expect((await remove(id)).code).toBe('NOT_FOUND');
  });

  it('refuses to take away the rule that lets the caller in while others are let in: CONFLICT', async () => {
    const mine = await rule(everything('ALLOW', '192.0.2.0/24'));
    const other = await rule(everything('ALLOW', '198.51.100.0/24'));
    expect((await remove(mine)).code).toBe('CONFLICT');
    await remove(other);
    // The last allow rule: without one, everybody may come.
    expect((await remove(mine)).code).toBeUndefined();
  });

  it('refuses what does not exist: NOT_FOUND, and what is no id: BAD_USER_INPUT', async () => {
    expect((await remove(newId())).code).toBe('NOT_FOUND');
    expect((await remove('x')).code).toBe('BAD_USER_INPUT');
  });
});

describe('ipRules', () => {
  it('lists rules newest first, page by page', async () => {
    const ids: string[] = [];
    for (const cidr of ['10.0.0.0/8', '10.1.0.0/16', '10.2.0.0/16']) ids.unshift(await rule(everything('DENY', cidr)));
    const { data } = await h.graphql(LIST, { token, ip: HOME, variables: { first: 2 } });
    expect(data.ipRules.totalCount).toBe(3);
    const after = data.ipRules.pageInfo.endCursor;
    const rest = await h.graphql(LIST, { token, ip: HOME, variables: { first: 2, after } });
    const nodes: { id: string }[] = [...data.ipRules.nodes, ...rest.data.ipRules.nodes];
    expect(nodes.map(({ id }) => id)).toEqual(ids);
  });
});

it('only admins of security see and change rules', async () => {
  const other = await h.admin(['users:write']);
  const staff = await h.staff(3);
  for (const [as, code] of [
    [undefined, 'UNAUTHENTICATED'],
    [other.token, 'FORBIDDEN'],
    [staff.token, 'FORBIDDEN'],
  ] as const) {
    expect((await h.graphql(LIST, { token: as })).code).toBe(code);
    const input = everything('DENY', AWAY);
    expect((await h.graphql(ADD, { token: as, variables: { input } })).code).toBe(code);
    expect((await h.graphql(REMOVE, { token: as, variables: { id: newId() } })).code).toBe(code);
  }
});

it.runIf(findPostgresServer())('a rule made on one instance counts on the other within the second', async () => {
  const other = await createApp(h.app.config, { log: h.app.log, mailer: h.app.mailer, now: h.app.now });
  await loadSigningKeys(other);
  const { fastify } = await createServer(other);
  const status = async () =>
    (await fastify.inject({ method: 'GET', url: '/.well-known/jwks.json', remoteAddress: AWAY })).statusCode;
  try {
    for (let round = 0; round < 10; round += 1) {
      await expect.poll(status, { timeout: 1_000, interval: 2 }).toBe(200);
      const id = await rule(everything('DENY', AWAY));
      await expect.poll(status, { timeout: 1_000, interval: 2 }).toBe(403);
      await remove(id);
    }
  } finally {
    await fastify.close();
    await closeApp({ ...other, mailer: { send: async () => undefined, close: async () => undefined } });
  }
});
