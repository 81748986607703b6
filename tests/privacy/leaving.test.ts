import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { apiKeys, emailTokens, users } from '../../src/modules/auth/auth.table.js';
import { deletedUsers as table } from '../../src/modules/privacy/privacy.table.js';
import {
  actionsOf,
  confirmEmailChange,
  createRecoveryPhrase,
  DAY,
  freshIp,
  isSignedIn,
  login,
  MINUTE,
  recoverAccount,
  refresh,
  requestEmailChange,
  requestPasswordReset,
  resetPassword,
  signIn,
} from '../auth/operations.js';
import { createHarness, type Harness } from '../support/harness.js';
import {
  createApiKey,
  deleteAccount,
  deletedUsers,
  deleteUser,
  eraseUser,
  move,
  register,
  restoreUser,
  validateToken,
} from './operations.js';

let h: Harness;
let serviceKey: string;
let admin: { id: string; token: string };

beforeAll(async () => {
  h = await createHarness();
  serviceKey = (
    await h.service([
      'tokens:validate',
      'users:read',
      'credits:read',
      'credits:grant',
      'credits:use',
      'usage:read',
      'usage:write',
    ])
  ).key;
  admin = await h.admin(['users:read', 'users:write', 'users:delete']);
});
afterAll(() => h.close());

/** A new session of an admin: the clock of these tests outruns any session. */
async function adminCall() {
  admin = await h.admin(['users:read', 'users:write', 'users:delete']);
  return { token: admin.token };
}

async function hold(userId: string, amount: number): Promise<string> {
  const { data } = await move(h, serviceKey, { field: 'holdCredits', userId, amount, key: newId() });
  return data.holdCredits.hold.id;
}

const give = (userId: string, amount: number) =>
  move(h, serviceKey, { field: 'addCredits', userId, amount, key: newId() });
const balanceOf = async (userId: string) => {
  const query = `query($userId: ID!) { creditBalance(userId: $userId) { balance held available } }`;
  return (await h.graphql(query, { serviceKey, variables: { userId } })).data?.creditBalance;
};

describe('deleteAccount', () => {
  it('lets a person go who signed in just now, and says until when they can come back', async () => {
    const person = await h.person();
    const { data, errors } = await deleteAccount(h, person.token, 'found something else');
    expect(errors).toBeUndefined();
    const days = (Date.parse(data.deleteAccount.purgeAt) - h.app.now().getTime()) / DAY;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);
    const [row] = await h.app.db.select().from(table).where(eq(table.userId, person.id));
    expect(row).toMatchObject({ deletedByKind: 'USER', deletedById: person.id, reason: 'found something else' });
  });

  it('needs no reason', async () => {
    expect((await deleteAccount(h, (await h.person()).token)).errors).toBeUndefined();
    expect((await deleteAccount(h, (await h.person()).token, '  ')).errors).toBeUndefined();
  });

  it('refuses a sign-in that is not fresh, an address not proven, and a reason that is too long', async () => {
    const person = await h.person();
    const unverified = await h.person({ verified: false });
    expect((await deleteAccount(h, undefined)).code).toBe('UNAUTHENTICATED');
    expect((await deleteAccount(h, unverified.token)).code).toBe('EMAIL_NOT_VERIFIED');
    expect((await deleteAccount(h, person.token, 'x'.repeat(501))).code).toBe('BAD_USER_INPUT');
    const { refreshToken } = await signIn(h, { identifier: person.username });
    h.clock.advance(11 * MINUTE);
    const { data } = await refresh(h, refreshToken);
    expect((await deleteAccount(h, data.refreshToken.accessToken)).code).toBe('REAUTHENTICATION_REQUIRED');
  });

  it('leaves nothing of the person in their row, and no proof of who they were', async () => {
    const person = await h.person();
    await h.graphql(
      `mutation { updateProfile(input: { displayName: "Ada L.", timeZone: "Europe/Berlin" }) { user { id } } }`,
      {
        token: person.token,
      },
    );
    await createRecoveryPhrase(h, person.token);
    await requestPasswordReset(h, person.email);
    await deleteAccount(h, person.token);
    const [row] = await h.app.db.select().from(users).where(eq(users.id, person.id));
    expect(row).toMatchObject({
      username: `deleted-${person.id}`,
      email: `${person.id}@deleted.invalid`,
      passwordHash: null,
      displayName: null,
      timeZone: 'UTC',
      emailVerifiedAt: null,
      lastLoginAt: null,
      status: 'DELETED',
    });
    const text = JSON.stringify(await rowsAbout(person.id));
    expect(text).not.toContain('Ada L.');
    expect(await h.app.db.select().from(emailTokens).where(eq(emailTokens.userId, person.id))).toEqual([]);
    const [left] = await h.app.db.select().from(table).where(eq(table.userId, person.id));
    expect(left?.sealedSnapshot).toMatch(/^d1\.1\./);
    expect(left?.sealedSnapshot).not.toContain(person.username);
  });

  const rowsAbout = (id: string) => h.app.db.select().from(users).where(eq(users.id, id));

  it('writes to the old address how to come back', async () => {
    const person = await h.person();
    await deleteAccount(h, person.token);
    const letter = (await h.letters(person.email)).at(-1);
    expect(letter?.subject).toBe('Your account was deleted');
    expect(letter?.text).toMatch(/Until .+ UTC it can be brought back/);
  });

  it('writes to an address that could still take the account back, too', async () => {
    const person = await h.person();
    const thief = `thief.${person.email}`;
    await requestEmailChange(h, person.token, thief);
    await confirmEmailChange(h, await h.tokenFor(thief, '/confirm-email-change'));
    const { token } = await signIn(h, { identifier: person.username });
    await deleteAccount(h, token);
    for (const address of [thief, person.email]) {
      expect((await h.letters(address)).at(-1)?.subject, address).toBe('Your account was deleted');
    }
  });
});

describe('somebody who was deleted passes nowhere', () => {
  it('no session, refresh token, password, phrase, key or link of theirs is good any more', async () => {
    const person = await h.person();
    const second = await signIn(h, { identifier: person.email });
    const apiKey = (await createApiKey(h, person.token)).data.createApiKey.key;
    const { phrase } = (await createRecoveryPhrase(h, person.token)).data.createRecoveryPhrase;
    await requestPasswordReset(h, person.email);
    const resetToken = await h.tokenFor(person.email, '/reset-password');
    await deleteAccount(h, person.token);
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect(await isSignedIn(h, second.token)).toBe(false);
    expect((await h.graphql('{ me { id } }', { token: apiKey })).code).toBe('UNAUTHENTICATED');
    expect((await refresh(h, person.refreshToken)).code).toBe('TOKEN_INVALID');
    for (const identifier of [person.username, person.email, `deleted-${person.id}`, `${person.id}@deleted.invalid`]) {
      expect((await login(h, { identifier })).code, identifier).toBe('INVALID_CREDENTIALS');
      expect((await recoverAccount(h, { identifier, phrase }, { ip: freshIp() })).code).toBe('INVALID_CREDENTIALS');
    }
    expect((await resetPassword(h, resetToken)).code).toBe('TOKEN_INVALID');
    for (const token of [person.token, second.token, apiKey]) {
      const { validateToken: verdict } = (await validateToken(h, serviceKey, token)).data;
      expect(verdict).toMatchObject({ valid: false, user: null });
      expect(['NOT_FOUND', 'REVOKED']).toContain(verdict.code);
    }
  });

  it('to services they do not exist', async () => {
    const person = await h.person();
    await give(person.id, 10);
    await deleteAccount(h, person.token);
    const { id: userId } = person;
    for (const field of ['addCredits', 'useCredits', 'holdCredits'] as const) {
      expect((await move(h, serviceKey, { field, userId, amount: 1, key: newId() })).code, field).toBe('NOT_FOUND');
    }
    const ask = (query: string, variables = { userId }) => h.graphql(query, { serviceKey, variables });
    expect((await ask(`query($userId: ID!) { userEmail(userId: $userId) }`)).code).toBe('NOT_FOUND');
    expect((await ask(`query($userId: ID!) { usage(userId: $userId) { messages { used } } }`)).code).toBe('NOT_FOUND');
    const consume = `mutation($userId: ID!) { consumeConversation(input: { userId: $userId }) { allowed } }`;
    expect((await ask(consume)).code).toBe('NOT_FOUND');
    const byEmail = await h.graphql(`query($email: EmailAddress!) { userByEmail(email: $email) { id } }`, {
      serviceKey,
      variables: { email: person.email },
    });
    expect(byEmail.data.userByEmail).toBeNull();
    // The books stay as they are.
    expect(await balanceOf(userId)).toEqual({ balance: 10, held: 0, available: 10 });
  });

  it('what was held of them is free again, and cannot be captured', async () => {
    const person = await h.person();
    await give(person.id, 10);
    const holdId = await hold(person.id, 4);
    await deleteAccount(h, person.token);
    expect(await balanceOf(person.id)).toEqual({ balance: 10, held: 0, available: 10 });
    const capture = `mutation($input: CaptureCreditsInput!) { captureCredits(input: $input) { hold { status } } }`;
    const { code, errors } = await h.graphql(capture, {
      serviceKey,
      variables: { input: { holdId, idempotencyKey: newId() } },
    });
    expect([code, errors?.[0]?.extensions.status]).toEqual(['CONFLICT', 'RELEASED']);
  });

  it('operators see them only when they ask for the deleted, and cannot act on them', async () => {
    const person = await h.person();
    await deleteAccount(h, person.token);
    const call = await adminCall();
    const list = (filter: object) =>
      h.graphql(`query($filter: UserFilter) { users(first: 100, filter: $filter) { nodes { id status } } }`, {
        ...call,
        variables: { filter },
      });
    const ids = async (filter: object) => (await list(filter)).data.users.nodes.map(({ id }: { id: string }) => id);
    for (const filter of [{}, { status: 'ACTIVE' }, { status: 'SUSPENDED' }, { search: person.id }]) {
      expect(await ids(filter)).not.toContain(person.id);
    }
    expect(await ids({ status: 'DELETED' })).toContain(person.id);
    const suspend = `mutation($id: ID!) { suspendUser(input: { userId: $id, reason: "x" }) { user { id } } }`;
    const limit = `mutation($id: ID!) { setUserLimits(input: { userId: $id, messagesPerDay: 1 }) { user { id } } }`;
    for (const query of [suspend, limit]) {
      expect((await h.graphql(query, { ...call, variables: { id: person.id } })).code).toBe('NOT_FOUND');
    }
  });

  it('their names are free at once, and whoever takes them inherits nothing', async () => {
    const person = await h.person();
    await give(person.id, 10);
    await createApiKey(h, person.token);
    await deleteAccount(h, person.token);
    const { data, errors } = await register(h, person, freshIp());
    expect(errors).toBeUndefined();
    const { id } = data.register.user;
    expect(id).not.toBe(person.id);
    expect(await balanceOf(id)).toEqual({ balance: 0, held: 0, available: 0 });
    expect(await h.app.db.select().from(apiKeys).where(eq(apiKeys.userId, id))).toEqual([]);
    expect(await actionsOf(h, data.register.accessToken)).toEqual(['user.registered']);
  });

  it('nobody can register the address that a deleted person is given', async () => {
    const person = await h.person();
    const squatter = { ...person, username: 'squatter', email: `${person.id}@deleted.invalid` };
    expect((await register(h, squatter, freshIp())).code).toBe('BAD_USER_INPUT');
    expect((await deleteAccount(h, person.token)).errors).toBeUndefined();
  });
});

describe('deleteUser', () => {
  it('does the same by an admin, who is in the person’s row and in the audit log with the reason', async () => {
    const person = await h.person();
    const { data, errors } = await deleteUser(h, admin, person.id, ' sold fakes ');
    expect(errors).toBeUndefined();
    expect(data.deleteUser).toMatchObject({
      user: { id: person.id, username: `deleted-${person.id}`, status: 'DELETED' },
      deletedUser: {
        userId: person.id,
        username: person.username,
        email: person.email,
        deletedByKind: 'ADMIN',
        deletedById: admin.id,
        reason: 'sold fakes',
        erasedAt: null,
      },
    });
    expect(await isSignedIn(h, person.token)).toBe(false);
  });

  it('twice answers the first', async () => {
    const person = await h.person();
    const first = await deleteUser(h, admin, person.id, 'one');
    expect((await deleteUser(h, admin, person.id, 'two')).data).toEqual(first.data);
  });

  it('refuses unknown ids, words for ids, and no reason', async () => {
    expect((await deleteUser(h, admin, newId())).code).toBe('NOT_FOUND');
    expect((await deleteUser(h, admin, 'ada')).code).toBe('BAD_USER_INPUT');
    expect((await deleteUser(h, admin, newId(), ' ')).code).toBe('BAD_USER_INPUT');
  });
});

it('who lacks users:delete is refused, everywhere', async () => {
  const person = await h.person();
  const writer = await h.admin(['users:write', 'users:read']);
  const calls = [
    (call: object) => deleteUser(h, call, person.id),
    (call: object) => eraseUser(h, call, person.id),
    (call: object) => restoreUser(h, call, { userId: person.id }),
    (call: object) => deletedUsers(h, call),
  ];
  for (const ask of calls) {
    expect((await ask({ token: writer.token })).code).toBe('FORBIDDEN');
    expect((await ask({ token: person.token })).code).toBe('FORBIDDEN');
    expect((await ask({ serviceKey })).code).toBe('FORBIDDEN');
    expect((await ask({})).code).toBe('UNAUTHENTICATED');
  }
});
