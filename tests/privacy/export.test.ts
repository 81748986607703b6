import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { userNotes } from '../../src/modules/staff/user-notes.table.js';
import { actionsOf, createRecoveryPhrase, login, MINUTE, refresh, signIn } from '../auth/operations.js';
import { createHarness, type Harness } from '../support/harness.js';
import { createApiKey, exchange, logMessages, move } from './operations.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

const EXPORT = '{ exportMyData }';

it('hands out everything that is held about the caller, and nobody else’s', async () => {
  const { key: serviceKey } = await h.service(['messages:write', 'credits:grant', 'credits:use', 'usage:write']);
  const person = await h.person();
  const other = await h.person();
  await createRecoveryPhrase(h, person.token);
  await createApiKey(h, person.token);
  await move(h, serviceKey, { field: 'addCredits', userId: person.id, amount: 12, key: newId() });
  await move(h, serviceKey, { field: 'holdCredits', userId: person.id, amount: 5, key: newId() });
  await logMessages(h, serviceKey, { batch: [exchange(person.id, 'mine'), exchange(other.id, 'not mine')] });
  await h.app.db.insert(userNotes).values({
    id: newId(),
    userId: person.id,
    authorKind: 'ADMIN',
    authorId: newId(),
    text: 'asked for a refund twice',
    createdAt: h.app.now(),
  });
  expect((await login(h, { identifier: person.username, password: 'wrong' })).code).toBe('INVALID_CREDENTIALS');
  const { data, errors } = await h.graphql(EXPORT, { token: person.token });
  expect(errors).toBeUndefined();
  const document = data.exportMyData;
  expect(document.truncated).toEqual([]);
  expect(document.profile).toMatchObject({ id: person.id, username: person.username, email: person.email });
  expect(document.sessions).toHaveLength(1);
  expect(document.wrongSignIns).toMatchObject([{ failures: 1 }]);
  expect(document.apiKeys).toMatchObject([{ name: 'reader', scopes: ['account:read'] }]);
  expect(document.recoveryPhrase).toHaveLength(1);
  expect(document.creditAccount).toMatchObject([{ balance: 12, held: 5 }]);
  expect(document.creditTransactions).toMatchObject([{ kind: 'GRANT', amount: 12 }]);
  expect(document.creditHolds).toMatchObject([{ amount: 5, status: 'ACTIVE' }]);
  expect(document.usage).toMatchObject([{ kind: 'MESSAGES', used: 2 }]);
  expect(document.messages).toMatchObject([{ model: 'small-1', messages: [{ role: 'user', content: 'mine' }, {}] }]);
  expect(document.notes).toMatchObject([{ authorKind: 'ADMIN', text: 'asked for a refund twice' }]);
  expect(document.letters.map(({ kind }: { kind: string }) => kind)).toContain('WELCOME_VERIFY');
  expect(document.securityHistory.map(({ action }: { action: string }) => action)).toContain('user.registered');
  const text = JSON.stringify(document);
  for (const secret of ['argon2', 'Hash', 'sealed', 'not mine', other.username, 'authorId', 'actorId']) {
    expect(text).not.toContain(secret);
  }
});

it('is in the person’s history, and does not say where operators sit', async () => {
  const person = await h.person();
  const admin = await h.admin(['users:read']);
  const look = `query($id: ID!) { user(id: $id) { id } }`;
  await h.graphql(look, { token: admin.token, ip: '203.0.113.9', variables: { id: person.id } });
  const { data } = await h.graphql(EXPORT, { token: person.token });
  expect(JSON.stringify(data)).toContain('user.viewed');
  expect(JSON.stringify(data)).not.toContain('203.0.113.9');
  expect((await actionsOf(h, person.token))[0]).toBe('user.data_exported');
});

it('asks for a fresh sign-in of a person whose address is proven', async () => {
  const person = await h.person();
  const { refreshToken } = await signIn(h, { identifier: person.username });
  expect((await h.graphql(EXPORT)).code).toBe('UNAUTHENTICATED');
  const unverified = await h.person({ verified: false });
  expect((await h.graphql(EXPORT, { token: unverified.token })).code).toBe('EMAIL_NOT_VERIFIED');
  const { key } = (await createApiKey(h, person.token)).data.createApiKey;
  expect((await h.graphql(EXPORT, { token: key })).code).toBe('UNAUTHENTICATED');
  h.clock.advance(11 * MINUTE);
  const { data } = await refresh(h, refreshToken);
  const { code } = await h.graphql(EXPORT, { token: data.refreshToken.accessToken });
  expect(code).toBe('REAUTHENTICATION_REQUIRED');
});
