import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import {
  actionsOf,
  changePassword,
  createRecoveryPhrase,
  historyOf,
  isSignedIn,
  MINUTE,
  reauthenticate,
  refresh,
  requestEmailChange,
  SECOND,
  sessionsOf,
} from '../auth/operations.js';
import { type Answer, type Call, createHarness, type Harness } from '../support/harness.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

const IMPERSONATE = `mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) {
  accessToken accessTokenExpiresAt user { id username lastLoginAt } } }`;
const REASON = 'ticket 4711: the page of keys stays empty';

function impersonate(call: Call, input: { userId: string; reason?: string; readOnly?: boolean | null }) {
  return h.graphql(IMPERSONATE, { ...call, variables: { input: { reason: REASON, ...input } } });
}

/** A person, an admin who may, and the admin's session in the person's name. */
async function scene(options: { readOnly?: boolean } = {}) {
  const person = await h.person();
  const admin = await h.admin(['users:impersonate']);
  const answer = await impersonate(admin, { userId: person.id, ...options });
  expect(answer.errors).toBeUndefined();
  return {
    person,
    admin,
    token: answer.data.impersonateUser.accessToken as string,
    payload: answer.data.impersonateUser,
  };
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
const ME = '{ me { id username } }';
const RENAME = 'mutation($name: String!) { updateProfile(input: { displayName: $name }) { user { displayName } } }';
const rename = (token: string): Promise<Answer> => h.graphql(RENAME, { token, variables: { name: 'Somebody' } });
const CURRENT = `{ currentSession { id method current ip userAgent authenticatedAt expiresAt impersonation { reason readOnly } user { id } } }`;

describe('impersonateUser', () => {
  it('signs the admin in as the person, and says so in the token, the session and to services', async () => {
    h.clock.freeze();
    const { person, admin, token, payload } = await scene();
    expect(payload.user).toMatchObject({ id: person.id, username: person.username });
    expect((await h.graphql(ME, { token })).data.me).toEqual({ id: person.id, username: person.username });

    const claims = claimsOf(token);
    expect(claims).toMatchObject({ sub: person.id, kind: 'user', act: { sub: admin.id } });
    expect(claims.exp - claims.iat).toBe(15 * 60);
    expect(new Date(payload.accessTokenExpiresAt).getTime()).toBe(claims.exp * 1000);

    const { currentSession } = (await h.graphql(CURRENT, { token })).data;
    expect(currentSession).toMatchObject({
      method: 'IMPERSONATION',
      current: true,
      ip: null,
      userAgent: null,
      authenticatedAt: '1970-01-01T00:00:00.000Z',
      impersonation: { reason: REASON, readOnly: true },
      user: { id: person.id },
    });

    const service = await h.service(['tokens:validate']);
    const validate = `query($token: String!) { validateToken(token: $token) { valid code kind user { id } impersonatedBy readOnly } }`;
    const verdictOn = async (tested: string) =>
      (await h.graphql(validate, { serviceKey: service.key, variables: { token: tested } })).data.validateToken;
    expect(await verdictOn(token)).toMatchObject({
      valid: true,
      kind: 'USER',
      impersonatedBy: admin.id,
      readOnly: true,
    });
    expect(await verdictOn(person.token)).toMatchObject({ valid: true, impersonatedBy: null, readOnly: false });
  });

  it('tells the person: a letter, their history and their sessions, where they can end it', async () => {
    const { person, token } = await scene();
    const letter = (await h.letters(person.email)).at(-1);
    expect(letter?.subject).toBe('An operator opened your account');
    expect(letter?.text).toContain('ticket 4711');

    const seen = (await historyOf(h, person.token)).find((event) => event.action === 'user.impersonated');
    expect(seen).toMatchObject({ actorKind: 'ADMIN', ip: null, userAgent: null, reason: REASON });

    const listed = (await sessionsOf(h, person.token)).nodes.find(
      (session: { method: string }) => session.method === 'IMPERSONATION',
    );
    expect(listed).toMatchObject({ current: false, ip: null, userAgent: null });
    const revoke = 'mutation($id: ID!) { revokeSession(id: $id) { ok } }';
    const ended = await h.graphql(revoke, { token: person.token, variables: { id: listed.id } });
    expect(ended.data.revokeSession.ok).toBe(true);
    expect(await isSignedIn(h, token)).toBe(false);
    expect(await isSignedIn(h, person.token)).toBe(true);
  });

  it('is no sign-in: the time of the last one stays', async () => {
    const { payload, person } = await scene();
    expect(payload.user.lastLoginAt).toBeNull();
    expect(await actionsOf(h, person.token)).not.toContain('user.signed_in');
  });

  it('leaves an audit row with who, whom, why and how', async () => {
    const { person, admin } = await scene({ readOnly: false });
    const auditor = await h.admin(['audit:read']);
    const query = `query($filter: AuditFilter) { auditLog(filter: $filter) { nodes { action actorKind actorId userId reason after } } }`;
    const filter = { userId: person.id, action: 'user.impersonated' };
    const answer = await h.graphql(query, { token: auditor.token, variables: { filter } });
    expect(answer.data.auditLog.nodes).toEqual([
      {
        action: 'user.impersonated',
        actorKind: 'ADMIN',
        actorId: admin.id,
        userId: person.id,
        reason: REASON,
        after: { readOnly: false, endsAt: expect.any(String) },
      },
    ]);
  });

  it('works for whoever has not verified their address, who sees what they see', async () => {
    const person = await h.person({ verified: false });
    const admin = await h.admin(['users:impersonate']);
    const { accessToken: token } = (await impersonate(admin, { userId: person.id })).data.impersonateUser;
    expect((await h.graphql(ME, { token })).code).toBe('EMAIL_NOT_VERIFIED');
    expect(await isSignedIn(h, token)).toBe(true);
  });

  it.each([
    ['a reason of two characters', { reason: '  ab  ' }],
    ['a reason of 501 characters', { reason: 'x'.repeat(501) }],
    ['a malformed id', { userId: 'nobody' }],
    ['null where true or false belongs', { readOnly: null }],
  ])('refuses %s', async (_what, input) => {
    const person = await h.person();
    const admin = await h.admin(['users:impersonate']);
    const answer = await impersonate(admin, { userId: person.id, ...input });
    expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED']).toContain(answer.code);
    expect((await sessionsOf(h, person.token)).totalCount).toBe(1);
    expect(await h.letters(person.email)).toHaveLength(1);
  });

  it('finds nobody under an unknown id, nor under an admin’s or a staff member’s', async () => {
    const admin = await h.admin(['users:impersonate']);
    const others = [newId(), admin.id, (await h.admin([])).id, (await h.staff(1)).id];
    for (const userId of others) expect((await impersonate(admin, { userId })).code).toBe('NOT_FOUND');
  });

  it('acts for nobody who is suspended, and ends with a suspension for good', async () => {
    const { person, admin, token } = await scene();
    const operator = await h.admin(['users:write']);
    const change = (name: string) =>
      h.graphql(
        `mutation($input: ${name === 'suspendUser' ? 'SuspendUserInput' : 'UnsuspendUserInput'}!) { ${name}(input: $input) { user { id } } }`,
        {
          token: operator.token,
          variables: { input: { userId: person.id, reason: 'spam' } },
        },
      );
    expect((await change('suspendUser')).errors).toBeUndefined();
    expect(await isSignedIn(h, token)).toBe(false);
    expect((await impersonate(admin, { userId: person.id })).code).toBe('ACCOUNT_SUSPENDED');
    expect((await change('unsuspendUser')).errors).toBeUndefined();
    expect(await isSignedIn(h, token)).toBe(false);
  });

  it('is for admins who hold users:impersonate, and for nobody else', async () => {
    const person = await h.person();
    const others = PERMISSIONS.filter((permission) => permission !== 'users:impersonate');
    for (const viewer of [await h.admin(others), await h.staff(3), await h.person()])
      expect((await impersonate(viewer, { userId: person.id })).code).toBe('FORBIDDEN');
    const service = await h.service([]);
    expect((await impersonate({ serviceKey: service.key }, { userId: person.id })).code).toBe('FORBIDDEN');
    expect((await impersonate({}, { userId: person.id })).code).toBe('UNAUTHENTICATED');
  });
});

describe('an impersonation', () => {
  it('ends after 15 minutes, absolutely: use does not move the end, and there is nothing to refresh it with', async () => {
    const { token } = await scene();
    const before = (await h.graphql(CURRENT, { token })).data.currentSession.expiresAt;
    h.clock.advance(14 * MINUTE);
    const later = (await h.graphql(CURRENT, { token })).data.currentSession;
    expect(later.expiresAt).toBe(before);
    expect((await refresh(h, undefined, { token })).code).toBe('FORBIDDEN');
    h.clock.advance(MINUTE + SECOND);
    expect((await h.graphql(CURRENT, { token })).code).toBe('UNAUTHENTICATED');
    h.clock.advance(MINUTE);
    expect((await h.graphql(CURRENT, { token })).code).toBe('TOKEN_EXPIRED');
  });

  it('is ended by the admin with logout, which leaves the person’s own sessions alone', async () => {
    const { person, token } = await scene();
    expect((await h.graphql('mutation { logout { ok } }', { token })).data.logout.ok).toBe(true);
    expect(await isSignedIn(h, token)).toBe(false);
    expect(await isSignedIn(h, person.token)).toBe(true);
    const [newest] = await historyOf(h, person.token);
    expect(newest).toMatchObject({ action: 'user.signed_out', actorKind: 'ADMIN' });
  });

  it('changes nothing when it is read-only', async () => {
    const { token } = await scene();
    expect((await rename(token)).code).toBe('FORBIDDEN');
  });

  it('changes the profile when writing was asked for, in the name of the admin', async () => {
    const { person, admin, token } = await scene({ readOnly: false });
    expect((await rename(token)).data.updateProfile.user.displayName).toBe('Somebody');
    const [newest] = await historyOf(h, person.token);
    expect(newest).toMatchObject({ action: 'user.profile_updated', actorKind: 'ADMIN', ip: null });
    const auditor = await h.admin(['audit:read']);
    const query = `query($filter: AuditFilter) { auditLog(filter: $filter) { nodes { actorId userId } } }`;
    const filter = { userId: person.id, action: 'user.profile_updated' };
    const answer = await h.graphql(query, { token: auditor.token, variables: { filter } });
    expect(answer.data.auditLog.nodes).toEqual([{ actorId: admin.id, userId: person.id }]);
  });

  it.each([true, false])('touches no credential, and is never fresh (read-only: %s)', async (readOnly) => {
    const { person, token } = await scene({ readOnly });
    const attempts = [
      changePassword(h, token),
      reauthenticate(h, token, person.password),
      requestEmailChange(h, token, `new-${person.email}`),
      createRecoveryPhrase(h, token),
      h.graphql('mutation { revokeOtherSessions { endedSessions } }', { token }),
      h.graphql('mutation($id: ID!) { revokeSession(id: $id) { ok } }', { token, variables: { id: newId() } }),
      h.graphql('mutation($id: ID!) { revokeApiKey(id: $id) { __typename } }', {
        token,
        variables: { id: newId() },
      }),
      h.graphql('mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename } }', {
        token,
        variables: { input: { name: 'key', scopes: ['account:read'] } },
      }),
    ];
    for (const attempt of attempts) expect((await attempt).code).toBe('FORBIDDEN');
    expect(await isSignedIn(h, person.token)).toBe(true);
  });

  it('is never chained', async () => {
    const { token } = await scene({ readOnly: false });
    const other = await h.person();
    expect((await impersonate({ token }, { userId: other.id })).code).toBe('FORBIDDEN');
  });

  it('ends at once when the admin is disabled', async () => {
    const { admin, token } = await scene();
    const manager = await h.admin([...PERMISSIONS]);
    await h.admin([...PERMISSIONS]);
    const disable = 'mutation($id: ID!) { disableAdmin(adminId: $id, reason: "left") { admin { id } } }';
    expect((await h.graphql(disable, { token: manager.token, variables: { id: admin.id } })).errors).toBeUndefined();
    expect((await h.graphql(ME, { token })).code).toBe('UNAUTHENTICATED');
  });

  it('ends at once, and for good, when the admin loses the permission', async () => {
    const { person, admin, token } = await scene();
    const manager = await h.admin([...PERMISSIONS]);
    const update = 'mutation($input: UpdateAdminInput!) { updateAdmin(input: $input) { admin { id } } }';
    const set = (permissions: string[]) =>
      h.graphql(update, { token: manager.token, variables: { input: { adminId: admin.id, permissions } } });
    expect((await set([])).errors).toBeUndefined();
    expect((await h.graphql(ME, { token })).code).toBe('UNAUTHENTICATED');
    expect((await sessionsOf(h, person.token)).totalCount).toBe(1);
    expect((await set(['users:impersonate'])).errors).toBeUndefined();
    expect((await h.graphql(ME, { token })).code).toBe('UNAUTHENTICATED');
  });

  it('ends when the admin signs out', async () => {
    const { admin, token } = await scene();
    expect((await h.graphql('mutation { logout { ok } }', { token: admin.token })).data.logout.ok).toBe(true);
    expect((await h.graphql(ME, { token })).code).toBe('UNAUTHENTICATED');
  });

  it('ends with the person’s other sessions when their password changes', async () => {
    const { person, token } = await scene();
    expect((await changePassword(h, person.token)).errors).toBeUndefined();
    expect((await h.graphql(ME, { token })).code).toBe('UNAUTHENTICATED');
  });
});

describe('in cookie mode', () => {
  it('ending an impersonation leaves the admin’s own cookie alone', async () => {
    const cookies = await createHarness({ config: { tokens: { refreshCookie: true } } });
    try {
      const person = await cookies.person();
      const admin = await cookies.admin(['users:impersonate']);
      const variables = { input: { userId: person.id, reason: REASON } };
      const started = await cookies.graphql(IMPERSONATE, { token: admin.token, variables });
      expect(started.headers['set-cookie']).toBeUndefined();
      const token = started.data.impersonateUser.accessToken;
      const ended = await cookies.graphql('mutation { logout { ok } }', { token });
      expect(ended.data.logout.ok).toBe(true);
      expect(ended.headers['set-cookie']).toBeUndefined();
    } finally {
      await cookies.close();
    }
  });
});
