import { and, desc, eq, isNull, ne } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { admins } from '../../src/modules/admin/admin.table.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';

const CREATE = `mutation($input: CreateAdminInput!) { createAdmin(input: $input) { admin { id username email status permissions } } }`;
const UPDATE = `mutation($input: UpdateAdminInput!) { updateAdmin(input: $input) { admin { id permissions status } } }`;
const DISABLE = `mutation($id: ID!, $reason: String!) { disableAdmin(adminId: $id, reason: $reason) { admin { id status } } }`;
const LIST = `query($first: Int, $after: String) { admins(first: $first, after: $after) { totalCount nodes { id username } pageInfo { hasNextPage endCursor } } }`;
const ME = `{ adminMe { id } }`;

type Admin = Awaited<ReturnType<Harness['admin']>>;

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());
/** Each test begins with nobody who manages admins but those it makes. */
beforeEach(async () => {
  await h.app.db.update(admins).set({ disabledAt: h.app.now() });
});

const create = (by: Admin, input: object) =>
  h.graphql(CREATE, {
    token: by.token,
    variables: {
      input: { username: uniqueName('op'), email: `${uniqueName('op')}@example.com`, permissions: [], ...input },
    },
  });
const update = (by: Admin, adminId: string, permissions: string[]) =>
  h.graphql(UPDATE, { token: by.token, variables: { input: { adminId, permissions } } });
const disable = (by: Admin, id: string, reason = 'a test') =>
  h.graphql(DISABLE, { token: by.token, variables: { id, reason } });

const accept = (token: string) =>
  h.graphql(`mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { ok } }`, {
    variables: { input: { token, password: PASSWORD } },
  });

async function row(id: string) {
  const [found] = await h.app.db.select().from(admins).where(eq(admins.id, id));
  if (!found) throw new Error('no such admin');
  return found;
}

async function newestAudit(targetId: string) {
  const [found] = await h.app.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetId, targetId))
    .orderBy(desc(auditEvents.id));
  return found;
}

describe('createAdmin', () => {
  it('invites somebody who sets a password and then signs in with the permissions given', async () => {
    const boss = await h.admin([...PERMISSIONS]);
    const { data } = await create(boss, { permissions: ['users:read', 'audit:read'] });
    const made = data.createAdmin.admin;
    expect(made).toMatchObject({ status: 'INVITED', permissions: ['users:read', 'audit:read'] });
    expect(await newestAudit(made.id)).toMatchObject({ action: 'admin.created', actorId: boss.id });
    const [letter] = await h.letters(made.email);
    expect(letter?.text).toContain(boss.username);
    const token = await h.tokenFor(made.email, '/accept-invitation');
    expect((await accept(token)).errors).toBeUndefined();
    const login = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { admin { id status permissions } } } }`;
    const variables = { input: { identifier: made.username, password: PASSWORD } };
    const signedIn = await h.graphql(login, { variables });
    expect(signedIn.data.adminLogin.admin).toMatchObject({ id: made.id, status: 'ACTIVE' });
  });

  it('gives no permission that the caller does not hold: FORBIDDEN, and nobody is made', async () => {
    const boss = await h.admin(['admins:manage', 'users:read']);
    const before = await h.app.db.$count(admins);
    const answer = await create(boss, { permissions: ['users:read', 'users:write'] });
    expect(answer.code).toBe('FORBIDDEN');
    expect(answer.errors?.[0]?.message).toContain('users:write');
    expect(await h.app.db.$count(admins)).toBe(before);
  });

  it('refuses a user name or an address that an admin has: USER_ALREADY_EXISTS', async () => {
    const boss = await h.admin(['admins:manage']);
    for (const input of [
      { username: boss.username },
      { username: boss.username.toUpperCase() },
      { email: boss.email },
    ]) {
      expect((await create(boss, input)).code).toBe('USER_ALREADY_EXISTS');
    }
    expect((await create(boss, { email: (await h.person()).email })).code).toBeUndefined();
  });

  it.each([
    ['an unknown permission', { permissions: ['users:read', 'root'] }],
    ['a permission in other letters', { permissions: ['USERS:READ'] }],
    ['an empty permission', { permissions: [''] }],
    ['a user name that is too short', { username: 'ab' }],
    ['a user name that looks like another', { username: 'аdmin' }],
    ['a user name with NUL', { username: 'admin\0' }],
    ['an address that is none', { email: 'nonsense' }],
    ['two addresses', { email: 'a@example.com, b@example.com' }],
    ['permissions that are no list of texts', { permissions: [[]] }],
  ])('refuses %s: BAD_USER_INPUT', async (_, input) => {
    const boss = await h.admin([...PERMISSIONS]);
    expect((await create(boss, input)).code).toBe('BAD_USER_INPUT');
  });
});

describe('updateAdmin', () => {
  it('replaces the permissions, which count at once', async () => {
    const [boss, other] = [await h.admin([...PERMISSIONS]), await h.admin(['users:read'])];
    const { data } = await update(boss, other.id, ['services:manage', 'users:write']);
    expect(data.updateAdmin.admin).toMatchObject({ id: other.id, permissions: ['users:write', 'services:manage'] });
    expect((await h.graphql(`{ users { totalCount } }`, { token: other.token })).code).toBe('FORBIDDEN');
    expect((await h.graphql(`{ services { totalCount } }`, { token: other.token })).code).toBeUndefined();
    expect(await newestAudit(other.id)).toMatchObject({
      action: 'admin.updated',
      before: { permissions: ['users:read'] },
      after: { permissions: ['users:write', 'services:manage'] },
    });
  });

  it('gives nothing that the caller does not hold', async () => {
    const [boss, other] = [await h.admin(['admins:manage', 'users:read']), await h.admin([])];
    expect((await update(boss, other.id, ['users:write'])).code).toBe('FORBIDDEN');
    expect((await update(boss, other.id, ['users:read', 'admins:manage'])).code).toBeUndefined();
  });

  it('does not touch somebody who holds what the caller does not hold', async () => {
    const [boss, higher] = [
      await h.admin(['admins:manage', 'users:read']),
      await h.admin(['users:read', 'users:write']),
    ];
    for (const permissions of [[], ['users:read'], ['users:read', 'users:write']]) {
      expect((await update(boss, higher.id, permissions)).code).toBe('FORBIDDEN');
    }
    expect((await disable(boss, higher.id)).code).toBe('FORBIDDEN');
    expect(await row(higher.id)).toMatchObject({ permissions: ['users:read', 'users:write'], disabledAt: null });
  });

  it('nobody changes their own rights, neither up nor down', async () => {
    const [boss] = [await h.admin(['admins:manage', 'users:read']), await h.admin(['admins:manage'])];
    for (const permissions of [[...PERMISSIONS], ['admins:manage'], ['admins:manage', 'users:read'], []]) {
      expect((await update(boss, boss.id, permissions)).code).toBe('FORBIDDEN');
    }
    expect((await row(boss.id)).permissions).toEqual(['admins:manage', 'users:read']);
  });

  it('a disabled admin stays as they are: CONFLICT', async () => {
    const [boss, other] = [await h.admin([...PERMISSIONS]), await h.admin([])];
    await disable(boss, other.id);
    expect((await update(boss, other.id, ['users:read'])).code).toBe('CONFLICT');
  });
});

describe('disableAdmin', () => {
  it('shuts an admin out at once: session, refresh, sign-in, and the letters on their way', async () => {
    const boss = await h.admin([...PERMISSIONS]);
    const other = await h.admin(['users:read']);
    const request = `mutation($email: EmailAddress!) { requestPasswordReset(email: $email, account: ADMIN) { ok } }`;
    await h.graphql(request, { variables: { email: other.email } });
    const reset = await h.tokenFor(other.email, '/reset-password');
    expect((await disable(boss, other.id, 'left the company')).data.disableAdmin.admin.status).toBe('DISABLED');
    expect(await newestAudit(other.id)).toMatchObject({ action: 'admin.disabled', reason: 'left the company' });
    expect((await h.graphql(ME, { token: other.token })).code).toBe('UNAUTHENTICATED');
    const refresh = `mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken } }`;
    expect((await h.graphql(refresh, { variables: { token: other.refreshToken } })).code).toBe('TOKEN_INVALID');
    const login = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { __typename } }`;
    const variables = { input: { identifier: other.username, password: PASSWORD } };
    expect((await h.graphql(login, { variables })).code).toBe('INVALID_CREDENTIALS');
    const set = `mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { __typename } }`;
    const input = { token: reset, newPassword: 'another fine sentence 42' };
    expect(['TOKEN_INVALID', 'ACCOUNT_SUSPENDED']).toContain((await h.graphql(set, { variables: { input } })).code);
  });

  it('takes an open invitation back', async () => {
    const boss = await h.admin([...PERMISSIONS]);
    const made = (await create(boss, {})).data.createAdmin.admin;
    const token = await h.tokenFor(made.email, '/accept-invitation');
    await disable(boss, made.id);
    expect((await accept(token)).code).toBe('TOKEN_INVALID');
  });

  it('twice answers the same', async () => {
    const [boss, other] = [await h.admin([...PERMISSIONS]), await h.admin([])];
    const first = await disable(boss, other.id);
    expect((await disable(boss, other.id)).data).toEqual(first.data);
  });

  it('nobody disables themself', async () => {
    const boss = await h.admin(['admins:manage']);
    await h.admin(['admins:manage']);
    expect((await disable(boss, boss.id)).code).toBe('FORBIDDEN');
    expect((await row(boss.id)).disabledAt).toBeNull();
  });

  it.each([
    ['an empty reason', ''],
    ['a blank reason', '   '],
    ['a reason that is too long', 'r'.repeat(501)],
    ['a reason with NUL', 'r\0'],
  ])('refuses %s: BAD_USER_INPUT', async (_, reason) => {
    const [boss, other] = [await h.admin([...PERMISSIONS]), await h.admin([])];
    expect((await disable(boss, other.id, reason)).code).toBe('BAD_USER_INPUT');
  });
});

describe('the last admin who manages admins', () => {
  it('can neither be disabled nor lose it: CONFLICT', async () => {
    const last = await h.admin([...PERMISSIONS]);
    await h.admin(['users:read']);
    expect((await disable(last, last.id)).code).toBe('CONFLICT');
    expect((await update(last, last.id, ['users:read'])).code).toBe('CONFLICT');
    expect(await row(last.id)).toMatchObject({ disabledAt: null, permissions: [...PERMISSIONS] });
  });

  it('an invitation that was not accepted does not count as another', async () => {
    const last = await h.admin([...PERMISSIONS]);
    await create(last, { permissions: ['admins:manage'] });
    expect((await disable(last, last.id)).code).toBe('CONFLICT');
  });

  it('two who disable each other at once leave exactly one, round after round', async () => {
    for (let round = 0; round < 8; round += 1) {
      await h.app.db.update(admins).set({ disabledAt: h.app.now() });
      const [a, b] = [await h.admin(['admins:manage']), await h.admin(['admins:manage'])];
      const codes = (await Promise.all([disable(a, b.id), disable(b, a.id)])).map(({ code }) => code);
      expect(codes.filter((code) => code === undefined)).toHaveLength(1);
      expect(codes.filter((code) => code === 'FORBIDDEN' || code === 'UNAUTHENTICATED')).toHaveLength(1);
      const left = [await row(a.id), await row(b.id)].filter(({ disabledAt }) => disabledAt === null);
      expect(left).toHaveLength(1);
    }
  });

  it('the same race has teeth: looking first and disabling then leaves nobody', async () => {
    const [a, b] = [await h.admin(['admins:manage']), await h.admin(['admins:manage'])];
    const naive = async (id: string) => {
      const others = await h.app.db.$count(admins, and(isNull(admins.disabledAt), ne(admins.id, id)));
      if (others > 0) await h.app.db.update(admins).set({ disabledAt: h.app.now() }).where(eq(admins.id, id));
    };
    await Promise.all([naive(a.id), naive(b.id)]);
    expect(await h.app.db.$count(admins, isNull(admins.disabledAt))).toBe(0);
  });

  it('eight who take it from each other at once leave at least one', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => h.admin(['admins:manage'])));
    const acts = all.flatMap((by) => all.filter((whom) => whom !== by).map((whom) => [by, whom] as const));
    await Promise.all(acts.map(([by, whom], n) => (n % 2 ? disable(by, whom.id) : update(by, whom.id, []))));
    const rows = await Promise.all(all.map(({ id }) => row(id)));
    const left = rows.filter(({ disabledAt, permissions }) => !disabledAt && permissions.includes('admins:manage'));
    expect(left).toHaveLength(1);
  });
});

describe('who is not there, and who may not', () => {
  it('an unknown id is NOT_FOUND, as is a person’s; a malformed one BAD_USER_INPUT', async () => {
    const boss = await h.admin([...PERMISSIONS]);
    const person = await h.person();
    for (const id of [newId(), person.id]) {
      expect((await disable(boss, id)).code).toBe('NOT_FOUND');
      expect((await update(boss, id, [])).code).toBe('NOT_FOUND');
    }
    for (const id of ['x', '', `${boss.id} `]) {
      expect((await disable(boss, id)).code).toBe('BAD_USER_INPUT');
      expect((await update(boss, id, [])).code).toBe('BAD_USER_INPUT');
    }
  });

  it('admins without the permission, people and services are refused', async () => {
    const target = await h.admin([]);
    const other = await h.admin(PERMISSIONS.filter((permission) => permission !== 'admins:manage'));
    const calls = [
      { token: other.token },
      { token: (await h.person()).token },
      { serviceKey: (await h.service(['users:read'])).key },
    ];
    for (const call of calls) {
      const input = { username: 'mallory', email: 'mallory@example.com', permissions: [] };
      expect((await h.graphql(CREATE, { ...call, variables: { input } })).code).toBe('FORBIDDEN');
      const change = { input: { adminId: target.id, permissions: [] } };
      expect((await h.graphql(UPDATE, { ...call, variables: change })).code).toBe('FORBIDDEN');
      const end = { id: target.id, reason: 'x' };
      expect((await h.graphql(DISABLE, { ...call, variables: end })).code).toBe('FORBIDDEN');
      expect((await h.graphql(LIST, call)).code).toBe('FORBIDDEN');
    }
    expect((await h.graphql(LIST)).code).toBe('UNAUTHENTICATED');
  });
});

describe('admins', () => {
  it('lists all of them, newest first, without anything secret', async () => {
    const made = [await h.admin(['admins:manage']), await h.admin([]), await h.admin([])];
    const list = async (after?: string) =>
      (await h.graphql(LIST, { token: made[0]?.token, variables: { first: 2, after } })).data.admins;
    const one = await list();
    const two = await list(one.pageInfo.endCursor);
    const ids = [...one.nodes, ...two.nodes].map(({ id }: { id: string }) => id);
    expect(ids.slice(0, 3)).toEqual(made.map(({ id }) => id).reverse());
    expect(one.totalCount).toBe(await h.app.db.$count(admins));
    expect((await h.graphql(LIST, { token: made[0]?.token, variables: { after: 'x' } })).code).toBe('BAD_USER_INPUT');
    const { code } = await h.graphql(`{ admins { nodes { passwordHash } } }`, { token: made[0]?.token });
    expect(code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});
