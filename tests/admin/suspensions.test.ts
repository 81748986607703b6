import { desc, eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

const SUSPEND = `mutation($input: SuspendUserInput!) { suspendUser(input: $input) { user { id status } } }`;
const UNSUSPEND = `mutation($input: UnsuspendUserInput!) { unsuspendUser(input: $input) { user { id status } } }`;
const LOGIN = `mutation($input: LoginInput!) { login(input: $input) { ... on AuthPayload { accessToken } } }`;

let h: Harness;
let admin: Awaited<ReturnType<Harness['admin']>>;

beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['users:read', 'users:write']);
});
afterAll(() => h.close());
afterEach(() => h.clock.set(new Date()));

const suspend = (input: object) => h.graphql(SUSPEND, { token: admin.token, variables: { input } });
const unsuspend = (input: object) => h.graphql(UNSUSPEND, { token: admin.token, variables: { input } });
const login = (person: Person) =>
  h.graphql(LOGIN, { variables: { input: { identifier: person.username, password: person.password } } });
const works = async (token: string) => (await h.graphql(`{ me { id } }`, { token })).code === undefined;

async function newestAudit(userId: string) {
  const [row] = await h.app.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.userId, userId))
    .orderBy(desc(auditEvents.id));
  return row;
}

describe('suspendUser', () => {
  it('shuts a person out at once, ends their sessions, writes it down and tells them why', async () => {
    const person = await h.person();
    const { data } = await suspend({ userId: person.id, reason: 'spam in the forum', until: null });
    expect(data.suspendUser.user).toEqual({ id: person.id, status: 'SUSPENDED' });
    expect(await works(person.token)).toBe(false);
    const refresh = `mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken } }`;
    expect((await h.graphql(refresh, { variables: { token: person.refreshToken } })).code).toBe('TOKEN_INVALID');
    expect(await newestAudit(person.id)).toMatchObject({
      action: 'user.suspended',
      actorId: admin.id,
      reason: 'spam in the forum',
      before: { status: 'ACTIVE' },
      after: { status: 'SUSPENDED' },
    });
    expect((await login(person)).code).toBe('ACCOUNT_SUSPENDED');
    const [letter] = (await h.letters(person.email)).slice(-1);
    expect(letter?.text).toContain('spam in the forum');
  });

  it('with an end lifts itself: people sign in again, the old sessions stay ended', async () => {
    const person = await h.person();
    const until = new Date(h.app.now().getTime() + 3_600_000).toISOString();
    await suspend({ userId: person.id, reason: 'an hour', until });
    expect((await login(person)).code).toBe('ACCOUNT_SUSPENDED');
    h.clock.advance(3_600_001);
    const { data } = await login(person);
    expect(await works(data.login.accessToken)).toBe(true);
    h.clock.set(new Date());
    expect(await works(person.token)).toBe(false);
  });

  it('again replaces reason and end', async () => {
    const person = await h.person();
    const until = new Date(h.app.now().getTime() + 60_000).toISOString();
    await suspend({ userId: person.id, reason: 'first', until });
    await suspend({ userId: person.id, reason: 'second' });
    h.clock.advance(120_000);
    expect((await login(person)).code).toBe('ACCOUNT_SUSPENDED');
    expect(await newestAudit(person.id)).toMatchObject({});
    const [row] = (await h.app.db.select().from(auditEvents).where(eq(auditEvents.reason, 'second'))).slice(-1);
    // The reasons are the rows' own; before and after hold nothing that somebody wrote.
    expect(row).toMatchObject({ before: { suspendedUntil: until }, after: { suspendedUntil: null } });
  });

  it('ends the sessions of a person who signs in at the same moment, or refuses them', async () => {
    const person = await h.person();
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => login(person)),
      suspend({ userId: person.id, reason: 'race' }),
    ]);
    for (const { data } of answers.slice(0, 5)) {
      if (data?.login) expect(await works(data.login.accessToken)).toBe(false);
    }
  });

  it.each([
    ['an empty reason', { reason: '' }],
    ['a blank reason', { reason: ' \n ' }],
    ['a reason that is too long', { reason: 'r'.repeat(501) }],
    ['a reason with NUL', { reason: 'a\0b' }],
    ['an end in the past', { reason: 'x', until: '2020-01-01T00:00:00Z' }],
    ['an end that is no time', { reason: 'x', until: 'tomorrow' }],
    ['no reason', {}],
  ])('refuses %s: BAD_USER_INPUT, and nothing happens', async (_, input) => {
    const person = await h.person();
    expect((await suspend({ userId: person.id, ...input })).code).toBe('BAD_USER_INPUT');
    expect(await works(person.token)).toBe(true);
  });
});

describe('unsuspendUser', () => {
  it('lets a person in again, and writes it down', async () => {
    const person = await h.person();
    await suspend({ userId: person.id, reason: 'a mistake' });
    const { data } = await unsuspend({ userId: person.id, reason: 'it was not them' });
    expect(data.unsuspendUser.user).toEqual({ id: person.id, status: 'ACTIVE' });
    expect(await newestAudit(person.id)).toMatchObject({ action: 'user.unsuspended', reason: 'it was not them' });
    expect((await login(person)).code).toBeUndefined();
    expect(await works(person.token)).toBe(false);
  });

  it('of somebody who is not suspended changes nothing', async () => {
    const person = await h.person();
    const before = await newestAudit(person.id);
    expect((await unsuspend({ userId: person.id })).data.unsuspendUser.user.status).toBe('ACTIVE');
    expect((await newestAudit(person.id))?.id).toBe(before?.id);
    expect(await works(person.token)).toBe(true);
  });

  it('refuses an empty reason: BAD_USER_INPUT', async () => {
    expect((await unsuspend({ userId: newId(), reason: '' })).code).toBe('BAD_USER_INPUT');
  });
});

it('an unknown id is NOT_FOUND, an admin’s too; a malformed one BAD_USER_INPUT', async () => {
  for (const userId of [newId(), admin.id]) {
    expect((await suspend({ userId, reason: 'x' })).code).toBe('NOT_FOUND');
    expect((await unsuspend({ userId })).code).toBe('NOT_FOUND');
  }
  expect((await suspend({ userId: 'x', reason: 'x' })).code).toBe('BAD_USER_INPUT');
  expect((await unsuspend({ userId: '' })).code).toBe('BAD_USER_INPUT');
});

it('who may not change people is refused', async () => {
  const person = await h.person();
  const calls = [
    { token: (await h.admin(['users:read', 'admins:manage'])).token },
    { token: person.token },
    { serviceKey: (await h.service(['users:read'])).key },
  ];
  for (const call of calls) {
    const input = { userId: person.id, reason: 'x' };
    expect((await h.graphql(SUSPEND, { ...call, variables: { input } })).code).toBe('FORBIDDEN');
    expect((await h.graphql(UNSUSPEND, { ...call, variables: { input } })).code).toBe('FORBIDDEN');
  }
  const input = { userId: person.id, reason: 'x' };
  expect((await h.graphql(SUSPEND, { variables: { input } })).code).toBe('UNAUTHENTICATED');
});
