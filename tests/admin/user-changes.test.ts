import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { plans } from '../../src/modules/catalog/catalog.table.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';

const FIELDS = `id username email emailVerified displayName locale timeZone plan { code } status`;
const CREATE = `mutation($input: CreateUserInput!) { createUser(input: $input) { user { ${FIELDS} } } }`;
const UPDATE = `mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { ${FIELDS} } } }`;
const ACCEPT = `mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { ok } }`;
const LOGIN = `mutation($input: LoginInput!) { login(input: $input) { __typename ... on AuthPayload { accessToken user { emailVerified } } } }`;
const VERIFY = `mutation($token: String!) { verifyEmail(token: $token) { user { email emailVerified } } }`;
const ME = `{ me { id } }`;

let h: Harness;
let admin: { token: string; username: string };

beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['users:write']);
});
afterAll(() => h.close());

const send = (query: string, input: object) => h.graphql(query, { token: admin.token, variables: { input } });
const login = (identifier: string) => h.graphql(LOGIN, { variables: { input: { identifier, password: PASSWORD } } });

async function create(changes: object = {}) {
  const username = uniqueName('made');
  const { data, errors } = await send(CREATE, { username, email: `${username}@example.com`, ...changes });
  expect(errors).toBeUndefined();
  return data.createUser.user as { id: string; username: string; email: string };
}

async function audits(userId: string) {
  const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, userId));
  return rows.sort((one, other) => (one.id < other.id ? -1 : 1));
}

describe('createUser', () => {
  it('makes a person who sets a password with the invitation, which proves the address', async () => {
    const user = await create();
    expect(user).toMatchObject({ emailVerified: false, plan: { code: 'free' }, status: 'ACTIVE' });
    expect((await login(user.username)).code).toBe('INVALID_CREDENTIALS');
    const [letter] = await h.letters(user.email);
    expect(letter?.text).toContain(admin.username);
    const token = await h.tokenFor(user.email, '/accept-invitation');
    const accepted = await h.graphql(ACCEPT, { variables: { input: { token, password: PASSWORD } } });
    expect(accepted.errors).toBeUndefined();
    const { data } = await login(user.username);
    expect(data.login).toMatchObject({ __typename: 'AuthPayload', user: { emailVerified: true } });
    expect((await h.graphql(ACCEPT, { variables: { input: { token, password: PASSWORD } } })).code).toBe(
      'TOKEN_INVALID',
    );
  });

  it('is audited without a name or an address, which the row would keep for ever', async () => {
    const user = await create();
    const [row] = await audits(user.id);
    expect(row).toMatchObject({
      action: 'user.created',
      actorKind: 'ADMIN',
      userId: user.id,
      after: { planCode: 'free' },
    });
    expect(JSON.stringify([row?.before, row?.after])).not.toContain(user.username);
  });

  it('gives the plan that is named', async () => {
    const code = uniqueName('plan');
    await h.app.db.insert(plans).values({ code, name: 'Plan', createdAt: h.app.now() });
    expect(await create({ planCode: code })).toMatchObject({ plan: { code } });
  });

  it.each([
    ['a name that is too short', { username: 'ab' }],
    ['a name with look-alikes', { username: 'аdmin' }],
    ['an address that is none', { email: 'nobody' }],
    ['an address beyond saving', { email: 'a@b' }],
    ['a plan that does not exist', { planCode: 'none' }],
  ])('refuses %s: BAD_USER_INPUT', async (_, changes) => {
    const username = uniqueName('bad');
    expect((await send(CREATE, { username, email: `${username}@example.com`, ...changes })).code).toBe(
      'BAD_USER_INPUT',
    );
    expect(await h.letters(`${username}@example.com`)).toEqual([]);
  });

  it('refuses a plan that is archived: BAD_USER_INPUT', async () => {
    const code = uniqueName('plan');
    await h.app.db.insert(plans).values({ code, name: 'Plan', createdAt: h.app.now(), archivedAt: h.app.now() });
    const username = uniqueName('bad');
    const { code: refused } = await send(CREATE, { username, email: `${username}@example.com`, planCode: code });
    expect(refused).toBe('BAD_USER_INPUT');
  });

  it('refuses a name or address that is taken, in any case: USER_ALREADY_EXISTS, and sends nothing', async () => {
    const person = await h.person();
    const free = uniqueName('free');
    for (const input of [
      { username: person.username.toUpperCase(), email: `${free}@example.com` },
      { username: free, email: person.email.toUpperCase() },
    ])
      expect((await send(CREATE, input)).code).toBe('USER_ALREADY_EXISTS');
    expect(await h.letters(`${free}@example.com`)).toEqual([]);
  });
});

describe('updateUser', () => {
  it('changes what is given, leaves the rest, and clears what is null', async () => {
    const person = await h.person();
    const username = uniqueName('renamed');
    const change = { userId: person.id, username, displayName: 'Ada', locale: 'pt-br', timeZone: 'Europe/Lisbon' };
    const { data } = await send(UPDATE, change);
    expect(data.updateUser.user).toMatchObject({
      username,
      email: person.email,
      emailVerified: true,
      displayName: 'Ada',
      locale: 'pt-BR',
      timeZone: 'Europe/Lisbon',
    });
    const cleared = await send(UPDATE, { userId: person.id, displayName: null });
    expect(cleared.data.updateUser.user).toMatchObject({ username, displayName: null, locale: 'pt-BR' });
    // The session stays: nothing it rests on was changed.
    expect((await h.graphql(ME, { token: person.token })).code).toBeUndefined();
    expect((await login(username)).data.login.__typename).toBe('AuthPayload');
    const row = (await audits(person.id)).find(({ action }) => action === 'user.updated');
    expect(row?.after).toEqual({ fields: ['username', 'displayName', 'locale', 'timeZone'] });
  });

  it('has a new address proven, ends all sessions, and tells the old one', async () => {
    const person = await h.person();
    const before = (await h.letters(person.email)).length;
    const email = `${uniqueName('moved')}@example.com`;
    const { data } = await send(UPDATE, { userId: person.id, email });
    expect(data.updateUser.user).toMatchObject({ email, emailVerified: false });
    expect((await h.graphql(ME, { token: person.token })).code).toBe('UNAUTHENTICATED');
    expect((await h.letters(person.email)).length).toBe(before + 1);
    const token = await h.tokenFor(email, '/verify-email');
    expect((await h.graphql(VERIFY, { variables: { token } })).data.verifyEmail.user).toEqual({
      email,
      emailVerified: true,
    });
    expect((await login(email)).data.login.__typename).toBe('AuthPayload');
    expect(JSON.stringify((await audits(person.id)).map(({ before, after }) => [before, after]))).not.toContain(email);
  });

  it('takes the force of what went to the old address', async () => {
    const person = await h.person();
    await h.graphql(`mutation($email: EmailAddress!) { requestPasswordReset(email: $email) { ok } }`, {
      variables: { email: person.email },
    });
    const token = await h.tokenFor(person.email, '/reset-password');
    await send(UPDATE, { userId: person.id, email: `${uniqueName('moved')}@example.com` });
    const { code } = await h.graphql(
      `mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { __typename } }`,
      { variables: { input: { token, newPassword: PASSWORD } } },
    );
    expect(code).toBe('TOKEN_INVALID');
  });

  it('invites somebody anew who has not set a password yet', async () => {
    const user = await create();
    const old = await h.tokenFor(user.email, '/accept-invitation');
    const email = `${uniqueName('moved')}@example.com`;
    await send(UPDATE, { userId: user.id, email });
    const accept = (token: string) => h.graphql(ACCEPT, { variables: { input: { token, password: PASSWORD } } });
    expect((await accept(old)).code).toBe('TOKEN_INVALID');
    expect((await accept(await h.tokenFor(email, '/accept-invitation'))).errors).toBeUndefined();
    expect((await login(email)).data.login.user.emailVerified).toBe(true);
  });

  it('the same address again changes nothing: it stays verified, sessions stay, nobody is written to', async () => {
    const person = await h.person();
    const before = (await h.letters(person.email)).length;
    const { data } = await send(UPDATE, { userId: person.id, email: person.email });
    expect(data.updateUser.user.emailVerified).toBe(true);
    expect((await h.graphql(ME, { token: person.token })).code).toBeUndefined();
    expect((await h.letters(person.email)).length).toBe(before);
  });

  it('refuses a name or address that is taken: USER_ALREADY_EXISTS, and nothing is changed', async () => {
    const [person, other] = [await h.person(), await h.person()];
    for (const change of [{ username: other.username }, { email: other.email }])
      expect((await send(UPDATE, { userId: person.id, displayName: 'x', ...change })).code).toBe('USER_ALREADY_EXISTS');
    const [row] = await h.app.db.select().from(users).where(eq(users.id, person.id));
    expect(row).toMatchObject({ username: person.username, email: person.email, displayName: null });
    expect((await h.graphql(ME, { token: person.token })).code).toBeUndefined();
  });

  it.each([
    ['no change', {}],
    ['a name that is too short', { username: 'ab' }],
    ['an address that is none', { email: 'nobody' }],
    ['a language that is none', { locale: 'not a language' }],
    ['a zone that is none', { timeZone: 'Mars/Olympus' }],
    ['a display name of two lines', { displayName: 'a\nb' }],
  ])('refuses %s: BAD_USER_INPUT', async (_, changes) => {
    const person = await h.person();
    expect((await send(UPDATE, { userId: person.id, ...changes })).code).toBe('BAD_USER_INPUT');
  });

  it('refuses who does not exist: NOT_FOUND, and what is no id: BAD_USER_INPUT', async () => {
    expect((await send(UPDATE, { userId: newId(), displayName: 'x' })).code).toBe('NOT_FOUND');
    expect((await send(UPDATE, { userId: 'x', displayName: 'x' })).code).toBe('BAD_USER_INPUT');
  });
});

it('only admins who write people make and change them', async () => {
  const person = await h.person();
  const other = await h.admin(['users:read']);
  const staff = await h.staff(3);
  for (const [token, code] of [
    [undefined, 'UNAUTHENTICATED'],
    [person.token, 'FORBIDDEN'],
    [other.token, 'FORBIDDEN'],
    [staff.token, 'FORBIDDEN'],
  ] as const) {
    const username = uniqueName('no');
    const input = { username, email: `${username}@example.com` };
    expect((await h.graphql(CREATE, { token, variables: { input } })).code).toBe(code);
    const change = { userId: person.id, displayName: 'x' };
    expect((await h.graphql(UPDATE, { token, variables: { input: change } })).code).toBe(code);
  }
});
