import { and, desc, eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { admins } from '../../src/modules/admin/admin.table.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';

const LOGIN = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { __typename
  ... on AdminAuthPayload { accessToken accessTokenExpiresAt refreshToken admin { id username email status permissions lastLoginAt } }
  ... on SecondFactorRequired { challenge } } }`;
const ME = `{ adminMe { id username permissions } }`;
const REFRESH = `mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken refreshToken user { id } admin { id permissions } } }`;

let h: Harness;
let network = 0;

beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());
afterEach(() => h.clock.set(new Date()));

/** From a network of its own, unless told otherwise: guesses are counted by network, too. */
const login = (identifier: string, password = PASSWORD, ip?: string) => {
  network += 1;
  const variables = { input: { identifier, password } };
  return h.graphql(LOGIN, { variables, ip: ip ?? `10.77.${network >> 8}.${network & 255}` });
};

describe('adminLogin', () => {
  it('signs an admin in, by user name or address in any case', async () => {
    const admin = await h.admin(['users:read', 'audit:read']);
    for (const identifier of [admin.username, admin.username.toUpperCase(), admin.email, admin.email.toUpperCase()]) {
      const { data, errors } = await login(identifier);
      expect(errors).toBeUndefined();
      const { accessToken, admin: shown } = data.adminLogin;
      expect(data.adminLogin.__typename).toBe('AdminAuthPayload');
      expect(shown).toMatchObject({ id: admin.id, status: 'ACTIVE', permissions: ['users:read', 'audit:read'] });
      expect(shown.lastLoginAt).not.toBeNull();
      const me = await h.graphql(ME, { token: accessToken });
      expect(me.data.adminMe).toMatchObject({ id: admin.id, username: admin.username });
    }
    const [row] = await h.app.db
      .select()
      .from(auditEvents)
      .where(and(eq(auditEvents.actorId, admin.id), eq(auditEvents.action, 'admin.signed_in')));
    expect(row).toMatchObject({ actorKind: 'ADMIN', targetKind: 'session' });
  });

  it('answers one and the same for an unknown name, a wrong password, an invited and a disabled admin', async () => {
    const [invited, disabled, fine] = [await h.admin([]), await h.admin([]), await h.admin([])];
    await h.app.db.update(admins).set({ passwordHash: null }).where(eq(admins.id, invited.id));
    await h.app.db.update(admins).set({ disabledAt: h.app.now() }).where(eq(admins.id, disabled.id));
    const answers = [
      await login(uniqueName('nobody')),
      await login(fine.username, 'not the right password'),
      await login(invited.username),
      await login(disabled.username),
      await login(disabled.email),
    ];
    for (const { status, data, errors } of answers) {
      const [error] = errors ?? [];
      expect([status, data, error?.extensions.code]).toEqual([401, null, 'INVALID_CREDENTIALS']);
      expect(error?.message).toBe(answers[0]?.errors?.[0]?.message);
    }
  });

  it('a failure is written down with where it came from', async () => {
    const admin = await h.admin([]);
    await login(admin.username, 'not the right password', '203.0.113.77');
    const [row] = await h.app.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.targetId, admin.id))
      .orderBy(desc(auditEvents.id));
    expect(row).toMatchObject({ action: 'admin.sign_in_failed', actorKind: 'ANONYMOUS', ip: '203.0.113.77' });
  });

  it('a person is not an admin, and an admin is not a person', async () => {
    const person = await h.person();
    expect((await login(person.username, person.password)).code).toBe('INVALID_CREDENTIALS');
    const admin = await h.admin([]);
    const query = `mutation($input: LoginInput!) { login(input: $input) { __typename } }`;
    const variables = { input: { identifier: admin.username, password: PASSWORD } };
    expect((await h.graphql(query, { variables, ip: '10.78.0.1' })).code).toBe('INVALID_CREDENTIALS');
    expect((await h.graphql(ME, { token: person.token })).code).toBe('FORBIDDEN');
    expect((await h.graphql(`{ me { id } }`, { token: admin.token })).code).toBe('UNAUTHENTICATED');
  });

  it('of 200 wrong passwords at once five are looked at; then the right one is refused, too, until the delay is over', async () => {
    // Time stands still: however slow the machine is, the delay does not run out meanwhile.
    let now = new Date();
    const still = await createHarness({ overrides: { now: () => now } });
    const admin = await still.admin([]);
    const guess = (password: string, n: number) => {
      const variables = { input: { identifier: admin.username, password } };
      return still.graphql(LOGIN, { variables, ip: `10.79.${n >> 4}.${n}` });
    };
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => guess(`guess number ${n}`, n)));
    // Some wait in vain for a place in the hashing queue, which says nothing of the password.
    for (const { code } of answers) expect(['INVALID_CREDENTIALS', 'RETRY_LATER']).toContain(code);
    expect((await guess(PASSWORD, 200)).code).toBe('INVALID_CREDENTIALS');
    const failed = and(eq(auditEvents.targetId, admin.id), eq(auditEvents.action, 'admin.sign_in_failed'));
    expect(await still.app.db.$count(auditEvents, failed)).toBeLessThanOrEqual(5);
    now = new Date(now.getTime() + 2_000);
    expect((await guess(PASSWORD, 201)).code).toBeUndefined();
    await still.close();
  });

  it('from one network stops after thirty guesses a minute: RATE_LIMITED', async () => {
    const codes: (string | undefined)[] = [];
    for (let n = 0; n < 32; n += 1) codes.push((await login(uniqueName('guess'), PASSWORD, '10.80.0.1')).code);
    expect(codes.slice(0, 30).every((code) => code === 'INVALID_CREDENTIALS')).toBe(true);
    expect(codes.slice(30)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
  });

  it('may stand once in an operation', async () => {
    const field = `adminLogin(input: { identifier: "a", password: "b" }) { __typename }`;
    expect((await h.graphql(`mutation { a: ${field} b: ${field} }`)).status).toBe(400);
  });

  it.each([
    ['an empty name', '', PASSWORD],
    ['an empty password', 'admin', ''],
    ['a huge name', 'a'.repeat(9_000), PASSWORD],
    ['a name with SQL', "admin' --", PASSWORD],
    ['a password with NUL', 'admin', 'secret\0'],
  ])('%s is just not right: INVALID_CREDENTIALS', async (_, identifier, password) => {
    expect((await login(identifier, password)).code).toBe('INVALID_CREDENTIALS');
  });

  it.each([
    ['a name with NUL', 'admin\0', PASSWORD],
    ['a name with half a surrogate pair', 'admin\ud800', PASSWORD],
    ['a name beyond all bounds', 'a'.repeat(20_000), PASSWORD],
    ['a password with half a surrogate pair', 'admin', 'secret\ud800'],
  ])('%s is BAD_USER_INPUT', async (_, identifier, password) => {
    expect((await login(identifier, password)).code).toBe('BAD_USER_INPUT');
  });
});

describe('an admin’s session', () => {
  it('is refreshed, and the answer names the admin and no person', async () => {
    const admin = await h.admin(['users:read']);
    const { data } = await h.graphql(REFRESH, { variables: { token: admin.refreshToken } });
    expect(data.refreshToken).toMatchObject({ user: null, admin: { id: admin.id, permissions: ['users:read'] } });
    expect((await h.graphql(ME, { token: data.refreshToken.accessToken })).data.adminMe.id).toBe(admin.id);
    const person = await h.person();
    const other = await h.graphql(REFRESH, { variables: { token: person.refreshToken } });
    expect(other.data.refreshToken).toMatchObject({ user: { id: person.id }, admin: null });
  });

  it('ends eight hours after the sign-in, however often it is refreshed', async () => {
    const admin = await h.admin([]);
    let token = admin.refreshToken;
    for (let hour = 0; hour < 7; hour += 1) {
      h.clock.advance(3_600_000);
      const { data } = await h.graphql(REFRESH, { variables: { token } });
      token = data.refreshToken.refreshToken;
    }
    h.clock.advance(3_600_000 + 1_000);
    expect((await h.graphql(REFRESH, { variables: { token } })).code).toBe('TOKEN_EXPIRED');
  });

  it('lost permissions count with the next request', async () => {
    const admin = await h.admin(['users:read']);
    const users = () => h.graphql(`{ users { totalCount } }`, { token: admin.token });
    expect((await users()).code).toBeUndefined();
    await h.app.db.update(admins).set({ permissions: [] }).where(eq(admins.id, admin.id));
    expect((await users()).code).toBe('FORBIDDEN');
    expect((await h.graphql(ME, { token: admin.token })).data.adminMe.permissions).toEqual([]);
  });
});

it('adminMe is for admins', async () => {
  const { key } = await h.service(['users:read']);
  expect((await h.graphql(ME)).code).toBe('UNAUTHENTICATED');
  expect((await h.graphql(ME, { serviceKey: key })).code).toBe('FORBIDDEN');
});
