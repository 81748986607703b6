import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { admins } from '../../src/modules/admin/admin.table.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { backupCodes, loginFailures, totpFactors } from '../../src/modules/auth/auth.table.js';
import { staffMembers } from '../../src/modules/staff/staff.table.js';
import { freshIp } from '../auth/operations.js';
import { type Answer, createHarness, type Harness, PASSWORD } from '../support/harness.js';
import { totpCode, wrongCode } from './codes.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());
beforeEach(() => h.clock.advance(90_000));

const KINDS = ['user', 'staff', 'admin'] as const;
type Kind = (typeof KINDS)[number];

const REMOVE: Record<Kind, string> = {
  user: 'mutation($id: ID!, $reason: String!) { result: removeUserSecondFactor(userId: $id, reason: $reason) { account: user { id hasTotp } } }',
  staff:
    'mutation($id: ID!, $reason: String!) { result: removeStaffSecondFactor(staffId: $id, reason: $reason) { account: staff { id hasTotp } } }',
  admin:
    'mutation($id: ID!, $reason: String!) { result: removeAdminSecondFactor(adminId: $id, reason: $reason) { account: admin { id hasTotp } } }',
};
const LOGIN: Record<Kind, string> = {
  user: 'mutation($input: LoginInput!) { result: login(input: $input) { __typename ... on SecondFactorRequired { challenge } } }',
  staff:
    'mutation($input: StaffLoginInput!) { result: staffLogin(input: $input) { __typename ... on SecondFactorRequired { challenge } } }',
  admin:
    'mutation($input: AdminLoginInput!) { result: adminLogin(input: $input) { __typename ... on SecondFactorRequired { challenge } } }',
};
const NEEDED: Record<Kind, string[]> = {
  user: ['users:write', 'users:read'],
  staff: ['staff:manage', 'users:read', 'users:write'],
  admin: ['admins:manage', 'users:read'],
};

async function account(kind: Kind, options: { level?: number; permissions?: string[] } = {}) {
  if (kind === 'user') return { kind, ...(await h.person()) };
  if (kind === 'staff') return { kind, ...(await h.staff(options.level ?? 1)) };
  return { kind, ...(await h.admin(options.permissions ?? ['users:read'])) };
}
type Account = Awaited<ReturnType<typeof account>>;

async function enrol(of: Account): Promise<{ secret: string; codes: string[] }> {
  const call = { token: of.token, ip: freshIp() };
  const { secret } = (await h.graphql('mutation { startTotpEnrollment { secret } }', call)).data.startTotpEnrollment;
  const confirm = `mutation { confirmTotpEnrollment(code: "${totpCode(secret, h.clock.now())}") { backupCodes } }`;
  const { data } = await h.graphql(confirm, call);
  h.clock.advance(90_000);
  return { secret, codes: data.confirmTotpEnrollment.backupCodes };
}

async function enrolled(kind: Kind, options: { level?: number; permissions?: string[] } = {}) {
  const of = await account(kind, options);
  return { ...of, ...(await enrol(of)) };
}

const remove = (of: { kind: Kind; id: string }, by: { token: string }, reason = 'phone lost'): Promise<Answer> =>
  h.graphql(REMOVE[of.kind], { token: by.token, variables: { id: of.id, reason } });
const signIn = (of: Account): Promise<Answer> =>
  h.graphql(LOGIN[of.kind], {
    variables: { input: { identifier: of.username, password: PASSWORD } },
    ip: freshIp(),
  });
const guess = (challenge: string, code: string): Promise<Answer> =>
  h.graphql('mutation($input: CompleteSecondFactorInput!) { completeSecondFactor(input: $input) { __typename } }', {
    variables: { input: { challenge, code } },
    ip: freshIp(),
  });
const isSignedIn = async (of: Account) =>
  (await h.graphql('{ currentSession { id } }', { token: of.token })).errors === undefined;
const removals = (of: { kind: Kind; id: string }) =>
  h.app.db
    .select()
    .from(auditEvents)
    .where(and(eq(auditEvents.targetId, of.id), eq(auditEvents.action, `${of.kind}.second_factor_removed`)));
const leftOf = async (id: string) =>
  [...(await h.app.db.select().from(totpFactors)), ...(await h.app.db.select().from(backupCodes))].filter((row) =>
    [row.userId, row.adminId, row.staffId].includes(id),
  );

describe.each(KINDS)('taking the second factor off: %s', (kind) => {
  it('lets them in with their password alone, after their sessions ended, with an audit row and a letter', async () => {
    const of = await enrolled(kind);
    const by = await h.admin(NEEDED[kind]);
    const { data } = await remove(of, by);
    expect(data.result.account).toEqual({ id: of.id, hasTotp: false });
    expect(await leftOf(of.id)).toEqual([]);
    expect(await isSignedIn(of)).toBe(false);
    expect((await signIn(of)).data.result.__typename).toMatch(/AuthPayload$/);
    expect(await removals(of)).toMatchObject([
      { actorKind: 'ADMIN', actorId: by.id, reason: 'phone lost', userId: kind === 'user' ? of.id : null },
    ]);
    const letter = (await h.letters(of.email)).at(-1);
    expect(letter?.text).toContain('phone lost');
    // And they can have one again.
    expect((await enrol({ ...of, ...(await relogged(of)) })).codes).toHaveLength(10);
  });

  it('answers the same a second time, without a second letter or ended sessions', async () => {
    const of = await account(kind);
    const by = await h.admin(NEEDED[kind]);
    const before = (await h.letters(of.email)).length;
    expect((await remove(of, by)).data.result.account.hasTotp).toBe(false);
    expect(await isSignedIn(of)).toBe(true);
    expect(await removals(of)).toEqual([]);
    expect(await h.letters(of.email)).toHaveLength(before);
  });

  it('opens codes again that guessing had closed', async () => {
    const of = await enrolled(kind);
    const { challenge } = (await signIn(of)).data.result;
    for (let n = 0; n < 5; n += 1) await guess(challenge, wrongCode(of.secret, h.clock.now()));
    const by = await h.admin(NEEDED[kind]);
    expect((await remove(of, by)).errors).toBeUndefined();
    const again = { ...of, ...(await relogged(of)) };
    const { secret } = await enrol(again);
    const asked = (await signIn(of)).data.result;
    expect((await guess(asked.challenge, totpCode(secret, h.clock.now()))).errors).toBeUndefined();
  });

  it('refuses a reason that says nothing, and whom nobody knows', async () => {
    const of = await enrolled(kind);
    const by = await h.admin(NEEDED[kind]);
    for (const reason of ['', '   ', 'x'.repeat(501)])
      expect((await remove(of, by, reason)).code).toBe('BAD_USER_INPUT');
    expect((await remove({ kind, id: 'nonsense' }, by)).code).toBe('BAD_USER_INPUT');
    const stranger = { kind, id: by.id.replace(/^.{8}/, '00000000') };
    expect((await remove(stranger, by)).code).toBe('NOT_FOUND');
    // An account of another kind is nobody of this one.
    const other = await account(kind === 'user' ? 'staff' : 'user');
    expect((await remove({ kind, id: other.id }, by)).code).toBe('NOT_FOUND');
    expect(await leftOf(of.id)).not.toEqual([]);
  });
});

/** A session by password alone. */
async function relogged(of: Account): Promise<{ token: string }> {
  const query = LOGIN[of.kind]
    .replace('__typename', '... on AuthPayload { accessToken } __typename')
    .replaceAll('AuthPayload', { user: 'AuthPayload', staff: 'StaffAuthPayload', admin: 'AdminAuthPayload' }[of.kind]);
  const variables = { input: { identifier: of.username, password: PASSWORD } };
  return { token: (await h.graphql(query, { variables, ip: freshIp() })).data.result.accessToken };
}

describe('nobody gains power by it', () => {
  it('an admin neither takes off their own nor that of one who holds more', async () => {
    const self = await enrolled('admin', { permissions: ['admins:manage', 'users:read'] });
    expect((await remove(self, self)).code).toBe('FORBIDDEN');
    const above = await enrolled('admin', { permissions: ['users:read', 'security:manage'] });
    const refused = await remove(above, self);
    expect(refused.code).toBe('FORBIDDEN');
    expect(refused.errors?.[0]?.message).toContain('security:manage');
    expect(await leftOf(self.id)).not.toEqual([]);
    expect(await leftOf(above.id)).not.toEqual([]);
  });

  it('an admin takes none off a staff member who may do what they may not', async () => {
    const of = await enrolled('staff', { level: 3 });
    const by = await h.admin(['staff:manage', 'users:read', 'users:write']);
    const refused = await remove(of, by);
    expect(refused.code).toBe('FORBIDDEN');
    expect(refused.errors?.[0]?.message).toContain('credits:adjust');
    expect(await leftOf(of.id)).not.toEqual([]);
  });

  it('is not for staff, whatever their level', async () => {
    const of = await enrolled('user');
    expect((await remove(of, await h.staff(3))).code).toBe('FORBIDDEN');
  });

  it('finds nobody who was deleted', async () => {
    const of = await enrolled('user');
    const by = await h.admin(['users:write', 'users:delete']);
    const gone = await h.graphql(
      `mutation { deleteUser(input: { userId: "${of.id}", reason: "a test" }) { __typename } }`,
      { token: by.token },
    );
    expect(gone.errors).toBeUndefined();
    expect((await remove(of, by)).code).toBe('NOT_FOUND');
  });

  it('two admins who take each other’s off at once both end, and neither keeps the other out', async () => {
    const permissions = ['admins:manage', 'users:read'];
    const [one, other] = [await enrolled('admin', { permissions }), await enrolled('admin', { permissions })];
    const answers = await Promise.all([remove(one, other), remove(other, one)]);
    // Whoever came second may have lost their session by then.
    for (const { code } of answers) expect([undefined, 'UNAUTHENTICATED']).toContain(code);
    expect(answers.some(({ code }) => code === undefined)).toBe(true);
  });
});

describe('hasTotp of operators', () => {
  it('is seen by who manages them and by themselves, and by nobody else', async () => {
    const [admin, staff] = [await enrolled('admin'), await enrolled('staff')];
    const query = '{ admins(first: 100) { nodes { id hasTotp } } staffMembers(first: 100) { nodes { id hasTotp } } }';
    const manager = await h.admin(['admins:manage', 'staff:manage']);
    const { data } = await h.graphql(query, { token: manager.token });
    const hasTotp = (nodes: { id: string; hasTotp: boolean }[], id: string) =>
      nodes.find((node) => node.id === id)?.hasTotp;
    expect(hasTotp(data.admins.nodes, admin.id)).toBe(true);
    expect(hasTotp(data.admins.nodes, manager.id)).toBe(false);
    expect(hasTotp(data.staffMembers.nodes, staff.id)).toBe(true);
    expect((await h.graphql('{ adminMe { hasTotp } }', { token: admin.token })).data.adminMe.hasTotp).toBe(true);
    expect((await h.graphql('{ staffMe { hasTotp } }', { token: staff.token })).data.staffMe.hasTotp).toBe(true);
    // With the list, but not with the other's.
    const onlyStaff = await h.admin(['staff:manage', 'users:read', 'users:write']);
    const update = `mutation { updateStaff(input: { staffId: "${staff.id}", level: 1 }) { staff { hasTotp } } }`;
    expect((await h.graphql(update, { token: onlyStaff.token })).data.updateStaff.staff.hasTotp).toBe(true);
    expect((await h.graphql(query, { token: onlyStaff.token })).code).toBe('FORBIDDEN');
  });
});

describe('an operator at the hard stop of guessing', () => {
  const wrong = (of: Account) =>
    h.graphql(LOGIN[of.kind], {
      variables: { input: { identifier: of.username, password: 'nothing like it at all' } },
      ip: freshIp(),
    });

  it.each(['staff', 'admin'] as const)('gets in again after a reset by mail: %s', async (kind) => {
    const of = await account(kind);
    await wrong(of);
    // The 99th of them a while ago.
    const failures = { failures: 99, blockedUntil: null };
    await h.app.db
      .update(loginFailures)
      .set(failures)
      .where(eq(loginFailures.key, `account:${of.id}`));
    await wrong(of);
    expect((await signIn(of)).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(365 * 86_400_000);
    expect((await signIn(of)).code).toBe('INVALID_CREDENTIALS');
    const reset =
      'mutation($email: EmailAddress!, $account: AccountKind) { requestPasswordReset(email: $email, account: $account) { ok } }';
    const variables = { email: of.email, account: kind.toUpperCase() };
    expect((await h.graphql(reset, { variables, ip: freshIp() })).errors).toBeUndefined();
    const input = { token: await h.tokenFor(of.email, '/reset-password'), newPassword: PASSWORD };
    const set = await h.graphql(
      'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { ok: endedSessions } }',
      {
        variables: { input },
        ip: freshIp(),
      },
    );
    expect(set.errors).toBeUndefined();
    expect((await signIn(of)).data.result.__typename).toMatch(/AuthPayload$/);
  });
});

describe('the rows behind', () => {
  it('keep the account itself as it was', async () => {
    const [admin, staff] = [await enrolled('admin'), await enrolled('staff')];
    const rows = async () => [
      await h.app.db.select().from(admins).where(eq(admins.id, admin.id)),
      await h.app.db.select().from(staffMembers).where(eq(staffMembers.id, staff.id)),
    ];
    const before = await rows();
    await remove(admin, await h.admin(['admins:manage', 'users:read']));
    await remove(staff, await h.admin(['staff:manage', 'users:read', 'users:write']));
    expect(await rows()).toEqual(before);
  });
});
