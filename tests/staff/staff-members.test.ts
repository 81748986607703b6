import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshIp, NEW_PASSWORD } from '../auth/operations.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import { createStaff, staffLogin } from './operations.js';

const POWERS = ['staff:manage', 'users:read', 'users:write', 'messages:read', 'credits:adjust'];
const ME = '{ staffMe { id level } }';

let h: Harness;
let keeper: { token: string; username: string };
beforeAll(async () => {
  h = await createHarness();
  keeper = await h.admin(POWERS);
});
afterAll(() => h.close());

async function invited(level = 1) {
  const username = uniqueName('helper');
  const email = `${username}@example.com`;
  const { data, errors } = await createStaff(h, keeper, { username, email, level });
  expect(errors).toBeUndefined();
  return { ...data.createStaff.staff, username, email } as {
    id: string;
    username: string;
    email: string;
    status: string;
  };
}

const accept = (token: string, password = NEW_PASSWORD) =>
  h.graphql('mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { ok } }', {
    variables: { input: { token, password } },
    ip: freshIp(),
  });

describe('staffLogin', () => {
  it('signs in by user name in any case and by address, for twelve hours at most', async () => {
    const staff = await h.staff(2);
    for (const identifier of [staff.username.toUpperCase(), staff.email]) {
      const { data } = await staffLogin(h, { identifier, password: PASSWORD });
      expect(data.staffLogin.staff).toMatchObject({ id: staff.id, level: 2, status: 'ACTIVE' });
      expect((await h.graphql(ME, { token: data.staffLogin.accessToken })).data.staffMe).toEqual({
        id: staff.id,
        level: 2,
      });
    }
    const { data } = await h.graphql('{ currentSession { createdAt expiresAt user { id } } }', { token: staff.token });
    const { createdAt, expiresAt, user } = data.currentSession;
    expect(new Date(expiresAt).getTime() - new Date(createdAt).getTime()).toBe(12 * 3_600_000);
    expect(user).toBeNull();
  });

  it('answers alike for unknown names, wrong passwords, people, admins and who was disabled', async () => {
    const [person, admin, staff] = [await h.person(), await h.admin([]), await h.staff(1)];
    const disable = `mutation { disableStaff(staffId: "${staff.id}", reason: "left us") { staff { status } } }`;
    expect((await h.graphql(disable, { token: keeper.token })).data.disableStaff.staff.status).toBe('DISABLED');
    for (const identifier of ['nobody', person.username, admin.username, staff.username])
      expect((await staffLogin(h, { identifier, password: PASSWORD })).code).toBe('INVALID_CREDENTIALS');
    const other = await h.staff(1);
    expect((await staffLogin(h, { identifier: other.username, password: 'not it at all' })).code).toBe(
      'INVALID_CREDENTIALS',
    );
  });

  it('holds up guesses as for people', async () => {
    const staff = await h.staff(1);
    for (let guesses = 0; guesses < 5; guesses += 1)
      await staffLogin(h, { identifier: staff.email, password: 'wrong wrong wrong' });
    expect((await staffLogin(h, { identifier: staff.username, password: PASSWORD })).code).toBe('INVALID_CREDENTIALS');
  });
});

describe('a session of staff', () => {
  it('is refreshed, and the payload says whose it is', async () => {
    const staff = await h.staff(1);
    const { data } = await h.graphql(
      'mutation($t: String!) { refreshToken(refreshToken: $t) { accessToken user { id } admin { id } staff { id level } } }',
      { variables: { t: staff.refreshToken } },
    );
    expect(data.refreshToken).toMatchObject({ user: null, admin: null, staff: { id: staff.id, level: 1 } });
    expect((await h.graphql(ME, { token: data.refreshToken.accessToken })).errors).toBeUndefined();
  });

  it('is named by validateToken', async () => {
    const staff = await h.staff(3);
    const { key: serviceKey } = await h.service(['tokens:validate']);
    const { data } = await h.graphql(
      'query($token: String!) { validateToken(token: $token) { valid code kind user { id } admin { id } staff { id username level } } }',
      { serviceKey, variables: { token: staff.token } },
    );
    expect(data.validateToken).toEqual({
      valid: true,
      code: 'VALID',
      kind: 'STAFF',
      user: null,
      admin: null,
      staff: { id: staff.id, username: staff.username, level: 3 },
    });
  });

  it('ends like everybody’s: logout, change of password, reset by mail', async () => {
    const staff = await h.staff(1);
    const second = (await staffLogin(h, { identifier: staff.email, password: PASSWORD })).data.staffLogin.accessToken;
    expect((await h.graphql('mutation { logout { ok } }', { token: second })).errors).toBeUndefined();
    expect((await h.graphql(ME, { token: second })).code).toBe('UNAUTHENTICATED');
    const third = (await staffLogin(h, { identifier: staff.email, password: PASSWORD })).data.staffLogin.accessToken;
    const change = await h.graphql(
      'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { endedSessions } }',
      {
        token: staff.token,
        ip: freshIp(),
        variables: { input: { currentPassword: PASSWORD, newPassword: NEW_PASSWORD } },
      },
    );
    expect(change.data.changePassword.endedSessions).toBe(1);
    expect((await h.graphql(ME, { token: third })).code).toBe('UNAUTHENTICATED');
    await h.graphql('mutation($email: EmailAddress!) { requestPasswordReset(email: $email, account: STAFF) { ok } }', {
      variables: { email: staff.email },
      ip: freshIp(),
    });
    const token = await h.tokenFor(staff.email, '/reset-password');
    await h.graphql('mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }', {
      variables: { input: { token, newPassword: 'nine herons over the marsh' } },
    });
    expect((await h.graphql(ME, { token: staff.token })).code).toBe('UNAUTHENTICATED');
    expect(
      (await staffLogin(h, { identifier: staff.email, password: 'nine herons over the marsh' })).errors,
    ).toBeUndefined();
  });
});

describe('createStaff', () => {
  it('invites: nobody chooses another’s password', async () => {
    const staff = await invited(2);
    expect(staff.status).toBe('INVITED');
    expect((await staffLogin(h, { identifier: staff.email, password: NEW_PASSWORD })).code).toBe('INVALID_CREDENTIALS');
    const token = await h.tokenFor(staff.email, '/accept-invitation');
    expect((await accept(token)).data.acceptInvitation.ok).toBe(true);
    expect((await accept(token)).code).toBe('TOKEN_INVALID');
    const { data } = await staffLogin(h, { identifier: staff.username, password: NEW_PASSWORD });
    expect(data.staffLogin.staff).toMatchObject({ id: staff.id, level: 2, status: 'ACTIVE' });
  });

  it('refuses what is no level, no name, no address, and what is taken', async () => {
    const input = () => ({
      username: uniqueName('helper'),
      email: `${uniqueName('mail')}@example.com`,
      level: 1 as unknown,
    });
    for (const level of [0, -1, 4, 2147483647])
      expect((await createStaff(h, keeper, { ...input(), level })).errors?.[0]?.extensions).toMatchObject({
        code: 'BAD_USER_INPUT',
        fields: { level: 'must be 1, 2 or 3' },
      });
    for (const level of ['3', 1.5, null, true])
      expect((await createStaff(h, keeper, { ...input(), level })).status).toBe(400);
    expect((await createStaff(h, keeper, { ...input(), username: 'a b' })).code).toBe('BAD_USER_INPUT');
    const taken = await h.staff(1);
    expect((await createStaff(h, keeper, { ...input(), username: taken.username.toUpperCase() })).code).toBe(
      'USER_ALREADY_EXISTS',
    );
    expect((await createStaff(h, keeper, { ...input(), email: taken.email })).code).toBe('USER_ALREADY_EXISTS');
  });

  it('makes nobody who may do more than the admin who asks', async () => {
    const narrow = await h.admin(['staff:manage', 'users:read', 'users:write']);
    const input = { username: uniqueName('helper'), email: `${uniqueName('mail')}@example.com` };
    expect((await createStaff(h, narrow, { ...input, level: 2 })).code).toBe('FORBIDDEN');
    expect((await createStaff(h, narrow, { ...input, level: 1 })).errors).toBeUndefined();
    const staff = await h.staff(1);
    const raise = `mutation { updateStaff(input: { staffId: "${staff.id}", level: 3 }) { staff { level } } }`;
    expect((await h.graphql(raise, { token: narrow.token })).code).toBe('FORBIDDEN');
    expect((await h.graphql(raise, { token: (await h.admin(POWERS.slice(1))).token })).code).toBe('FORBIDDEN');
  });
});

describe('updateStaff and disableStaff', () => {
  it('count with the next request', async () => {
    const staff = await h.staff(1);
    const person = await h.person();
    const unlock = `mutation { unlockUser(userId: "${person.id}", reason: "asked") { user { id } } }`;
    const update = (level: number) =>
      h.graphql(`mutation { updateStaff(input: { staffId: "${staff.id}", level: ${level} }) { staff { level } } }`, {
        token: keeper.token,
      });
    expect((await h.graphql(unlock, { token: staff.token })).code).toBe('FORBIDDEN');
    expect((await update(2)).data.updateStaff.staff.level).toBe(2);
    expect((await h.graphql(unlock, { token: staff.token })).errors).toBeUndefined();
    expect((await update(1)).errors).toBeUndefined();
    expect((await h.graphql(unlock, { token: staff.token })).code).toBe('FORBIDDEN');
    expect((await update(7)).code).toBe('BAD_USER_INPUT');
    const disable = `mutation { disableStaff(staffId: "${staff.id}", reason: "left us") { staff { status } } }`;
    expect((await h.graphql(disable, { token: keeper.token })).errors).toBeUndefined();
    expect((await h.graphql(ME, { token: staff.token })).code).toBe('UNAUTHENTICATED');
    expect((await h.graphql(disable, { token: keeper.token })).data.disableStaff.staff.status).toBe('DISABLED');
    expect((await update(1)).code).toBe('CONFLICT');
    const refreshed = await h.graphql('mutation($t: String!) { refreshToken(refreshToken: $t) { accessToken } }', {
      variables: { t: staff.refreshToken },
    });
    expect(refreshed.code).toBe('TOKEN_INVALID');
  });

  it('take an open invitation away', async () => {
    const staff = await invited();
    const token = await h.tokenFor(staff.email, '/accept-invitation');
    await h.graphql(`mutation { disableStaff(staffId: "${staff.id}", reason: "mistake") { staff { id } } }`, {
      token: keeper.token,
    });
    expect((await accept(token)).code).toBe('TOKEN_INVALID');
  });

  it('answer NOT_FOUND for who is not there, and BAD_USER_INPUT for what is no id or no reason', async () => {
    const person = await h.person();
    const disable = (staffId: string, reason: string) =>
      h.graphql('mutation($s: ID!, $r: String!) { disableStaff(staffId: $s, reason: $r) { staff { id } } }', {
        token: keeper.token,
        variables: { s: staffId, r: reason },
      });
    expect((await disable(person.id, 'x')).code).toBe('NOT_FOUND');
    expect((await disable('x', 'x')).code).toBe('BAD_USER_INPUT');
    expect((await disable((await h.staff(1)).id, '  ')).code).toBe('BAD_USER_INPUT');
    const update = `mutation { updateStaff(input: { staffId: "${person.id}", level: 1 }) { staff { id } } }`;
    expect((await h.graphql(update, { token: keeper.token })).code).toBe('NOT_FOUND');
  });
});

it('staffMembers lists all, newest first, page by page', async () => {
  const [older, newer] = [await h.staff(1), await h.staff(2)];
  const list = (after: string | null) =>
    h.graphql(
      'query($after: String) { staffMembers(first: 1, after: $after) { nodes { id level } totalCount pageInfo { endCursor hasNextPage } } }',
      { token: keeper.token, variables: { after } },
    );
  const first = (await list(null)).data.staffMembers;
  expect(first.nodes).toEqual([{ id: newer.id, level: 2 }]);
  expect(first.totalCount).toBeGreaterThanOrEqual(2);
  const second = (await list(first.pageInfo.endCursor)).data.staffMembers;
  expect(second.nodes).toEqual([{ id: older.id, level: 1 }]);
});
