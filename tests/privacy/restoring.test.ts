import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { purgeDeletedUsers } from '../../src/modules/privacy/erasing.service.js';
import {
  createRecoveryPhrase,
  DAY,
  freshIp,
  historyOf,
  isSignedIn,
  login,
  recoverAccount,
  refresh,
  signIn,
} from '../auth/operations.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import {
  createApiKey,
  deleteAccount,
  deletedUsers,
  deleteUser,
  eraseUser,
  move,
  register,
  restoreUser,
} from './operations.js';

let h: Harness;
let serviceKey: string;
let admin: { token: string };

beforeAll(async () => {
  h = await createHarness();
  serviceKey = (await h.service(['credits:grant', 'credits:use', 'credits:read'])).key;
});
beforeEach(async () => {
  // The clock of these tests outruns any session.
  admin = await h.admin(['users:read', 'users:write', 'users:delete']);
});
afterAll(() => h.close());

async function departed() {
  const person = await h.person();
  await deleteAccount(h, person.token);
  return person;
}

describe('restoreUser', () => {
  it('brings a person back as who they were: id, names, profile, plan, credits, password and phrase', async () => {
    const person = await h.person();
    const update = `mutation { updateProfile(input: { displayName: "Ada L.", timeZone: "Europe/Berlin" }) { user { id } } }`;
    await h.graphql(update, { token: person.token });
    await move(h, serviceKey, { field: 'addCredits', userId: person.id, amount: 7, key: newId() });
    const { phrase } = (await createRecoveryPhrase(h, person.token)).data.createRecoveryPhrase;
    await deleteAccount(h, person.token);
    const { data, errors } = await restoreUser(h, admin, { userId: person.id });
    expect(errors).toBeUndefined();
    expect(data.restoreUser.user).toEqual({
      id: person.id,
      username: person.username,
      email: person.email,
      emailVerified: true,
      displayName: 'Ada L.',
      timeZone: 'Europe/Berlin',
      status: 'ACTIVE',
      plan: { code: 'free' },
    });
    const { token } = await signIn(h, { identifier: person.username });
    const { data: mine } = await h.graphql('{ me { id creditAccount { balance held } } }', { token });
    expect(mine.me).toEqual({ id: person.id, creditAccount: { balance: 7, held: 0 } });
    expect((await recoverAccount(h, { identifier: person.username, phrase })).errors).toBeUndefined();
    const letters = (await h.letters(person.email)).map(({ subject }) => subject);
    expect(letters).toContain('Your account is back');
  });

  it('brings no session and no key back', async () => {
    const person = await h.person();
    const { key } = (await createApiKey(h, person.token)).data.createApiKey;
    await deleteAccount(h, person.token);
    await restoreUser(h, admin, { userId: person.id });
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect((await refresh(h, person.refreshToken)).code).toBe('TOKEN_INVALID');
    expect((await h.graphql('{ me { id } }', { token: key })).code).toBe('UNAUTHENTICATED');
  });

  it('somebody who was suspended comes back suspended', async () => {
    const person = await h.person();
    const suspend = `mutation($id: ID!) { suspendUser(input: { userId: $id, reason: "spam" }) { user { id } } }`;
    expect((await h.graphql(suspend, { ...admin, variables: { id: person.id } })).errors).toBeUndefined();
    await deleteUser(h, admin, person.id);
    const { data } = await restoreUser(h, admin, { userId: person.id });
    expect(data.restoreUser.user.status).toBe('SUSPENDED');
    expect((await login(h, { identifier: person.username })).code).toBe('ACCOUNT_SUSPENDED');
  });

  it('can be deleted and brought back again', async () => {
    const person = await h.person();
    for (const _ of [1, 2]) {
      expect((await deleteUser(h, admin, person.id)).errors).toBeUndefined();
      expect((await restoreUser(h, admin, { userId: person.id })).errors).toBeUndefined();
    }
    expect((await login(h, { identifier: person.username })).errors).toBeUndefined();
    const { token } = await signIn(h, { identifier: person.username });
    const actions = (await historyOf(h, token)).map(({ action }) => action);
    expect(actions.filter((action) => action === 'user.deleted')).toHaveLength(2);
    expect(actions.filter((action) => action === 'user.restored')).toHaveLength(2);
  });

  it('says which of the names somebody took meanwhile, changes nothing, and takes new ones', async () => {
    const person = await departed();
    const other = { username: person.username.toUpperCase(), email: `x${person.email}`, password: PASSWORD };
    await register(h, other, freshIp());
    const refused = await restoreUser(h, admin, { userId: person.id });
    expect([refused.code, refused.errors?.[0]?.extensions.taken]).toEqual(['USER_ALREADY_EXISTS', ['username']]);
    await register(h, { ...other, username: uniqueName(), email: person.email }, freshIp());
    const again = await restoreUser(h, admin, { userId: person.id });
    expect(again.errors?.[0]?.extensions.taken).toEqual(['username', 'email']);
    const username = uniqueName();
    const half = await restoreUser(h, admin, { userId: person.id, username });
    expect(half.errors?.[0]?.extensions.taken).toEqual(['email']);
    const { data, errors } = await restoreUser(h, admin, { userId: person.id, username, email: `new.${person.email}` });
    expect(errors).toBeUndefined();
    // Nobody has proven the new address.
    expect(data.restoreUser.user).toMatchObject({ id: person.id, username, emailVerified: false });
    expect((await login(h, { identifier: username })).errors).toBeUndefined();
    for (const to of [person.email, `new.${person.email}`]) {
      expect((await h.letters(to)).map(({ subject }) => subject)).toContain('Your account is back');
    }
  });

  it('refuses who is not deleted, who was erased, and whose purge date has come although no purge ran', async () => {
    const present = await h.person();
    const statusOf = async (userId: string) => {
      const { code, errors } = await restoreUser(h, admin, { userId });
      return [code, errors?.[0]?.extensions.status];
    };
    expect(await statusOf(present.id)).toEqual(['CONFLICT', 'ACTIVE']);
    const erased = await departed();
    await eraseUser(h, admin, erased.id);
    expect(await statusOf(erased.id)).toEqual(['CONFLICT', 'ERASED']);
    const late = await departed();
    h.clock.advance(30 * DAY);
    admin = await h.admin(['users:delete']);
    expect(await statusOf(late.id)).toEqual(['CONFLICT', 'ERASED']);
  });

  it('refuses unknown ids and bad input', async () => {
    const person = await departed();
    expect((await restoreUser(h, admin, { userId: newId() })).code).toBe('NOT_FOUND');
    expect((await restoreUser(h, admin, { userId: 'ada' })).code).toBe('BAD_USER_INPUT');
    expect((await restoreUser(h, admin, { userId: person.id, username: '-' })).code).toBe('BAD_USER_INPUT');
  });
});

describe('deletedUsers', () => {
  it('lists who left with the names they had, the latest first, and who came back no more', async () => {
    const [one, two, three] = [await departed(), await departed(), await departed()];
    await restoreUser(h, admin, { userId: two.id });
    await eraseUser(h, admin, one.id);
    const { data, errors } = await deletedUsers(h, admin, { first: 2 });
    expect(errors).toBeUndefined();
    const { nodes, pageInfo, totalCount } = data.deletedUsers;
    expect(nodes[0]).toMatchObject({ userId: three.id, username: three.username, email: three.email, erasedAt: null });
    expect(nodes[1]).toMatchObject({ userId: one.id, username: null, email: null, reason: null });
    expect(nodes[1].erasedAt).not.toBeNull();
    expect(totalCount).toBeGreaterThan(2);
    const next = await deletedUsers(h, admin, { first: 2, after: pageInfo.endCursor });
    const ids = next.data.deletedUsers.nodes.map(({ userId }: { userId: string }) => userId);
    expect(ids).not.toContain(one.id);
    expect(ids).not.toContain(two.id);
    expect((await deletedUsers(h, admin, { first: 0 })).code).toBe('BAD_USER_INPUT');
  });
});

describe('eraseUser', () => {
  it('forgets at once who was there a moment ago, and says so by mail', async () => {
    const person = await h.person();
    const { data, errors } = await eraseUser(h, admin, person.id);
    expect(errors).toBeUndefined();
    expect(data.eraseUser.deletedUser).toMatchObject({ userId: person.id, username: null, email: null, reason: null });
    expect(data.eraseUser.user.status).toBe('DELETED');
    expect((await h.letters(person.email)).at(-1)?.subject).toBe('Your data was erased');
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    expect((await eraseUser(h, admin, person.id)).data).toEqual(data);
  });

  it('refuses unknown ids, words for ids, and no reason', async () => {
    expect((await eraseUser(h, admin, newId())).code).toBe('NOT_FOUND');
    expect((await eraseUser(h, admin, 'ada')).code).toBe('BAD_USER_INPUT');
    expect((await eraseUser(h, admin, newId(), '')).code).toBe('BAD_USER_INPUT');
  });
});

it('the purge erases exactly those whose date has come, once', async () => {
  h.clock.advance(31 * DAY);
  admin = await h.admin(['users:delete']);
  await purgeDeletedUsers(h.app);
  const early = await departed();
  const back = await departed();
  await restoreUser(h, admin, { userId: back.id });
  h.clock.advance(29 * DAY);
  const late = await departed();
  expect(await purgeDeletedUsers(h.app)).toBe(0);
  h.clock.advance(DAY + 60_000);
  const counts = await Promise.all([purgeDeletedUsers(h.app), purgeDeletedUsers(h.app)]);
  expect(counts.reduce((sum, count) => sum + count)).toBe(1);
  admin = await h.admin(['users:delete']);
  const { nodes } = (await deletedUsers(h, admin, { first: 100 })).data.deletedUsers;
  const erased = new Map(
    nodes.map((node: { userId: string; erasedAt: string | null }) => [node.userId, node.erasedAt]),
  );
  expect(erased.get(early.id)).not.toBeNull();
  expect(erased.get(late.id)).toBeNull();
  expect((await login(h, { identifier: back.username })).errors).toBeUndefined();
});
