import { asc, eq, ne } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { transact } from '../../src/core/database.js';
import { emitEvent } from '../../src/modules/events/events.service.js';
import { type EventKind, outboxEvents, webhookEndpoints } from '../../src/modules/events/events.table.js';
import { requestPasswordReset } from '../auth/operations.js';
import { createApiKey, deleteAccount, move, restoreUser } from '../privacy/operations.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

let h: Harness;
let admin: { token: string };
beforeAll(async () => {
  h = await createHarness({ config: { credits: { lowAt: 10 } } });
  admin = await h.admin(['users:write', 'users:delete']);
});
afterAll(() => h.close());

/** A receiver of these kinds; of all without. */
async function listen(kinds: EventKind[] = []): Promise<void> {
  await h.app.db.insert(webhookEndpoints).values({
    id: newId(),
    url: 'https://receiver.example/',
    kinds,
    sealedSecret: '',
    createdAt: h.app.now(),
    updatedAt: h.app.now(),
  });
}

beforeEach(async () => {
  await h.app.db.delete(webhookEndpoints);
  await h.app.db.delete(outboxEvents);
});

async function toldOf(userId: string): Promise<{ kind: string; data: Record<string, unknown> }[]> {
  return h.app.db
    .select({ kind: outboxEvents.kind, data: outboxEvents.data })
    .from(outboxEvents)
    .where(eq(outboxEvents.userId, userId))
    .orderBy(asc(outboxEvents.occurredAt), asc(outboxEvents.id));
}
const kindsOf = async (userId: string) => (await toldOf(userId)).map(({ kind }) => kind);

async function asAdmin(query: string, input: object): Promise<void> {
  expect((await h.graphql(query, { token: admin.token, variables: { input } })).errors).toBeUndefined();
}
const asPerson = async (person: Person, query: string) =>
  expect((await h.graphql(query, { token: person.token })).errors).toBeUndefined();

describe('while somebody listens', () => {
  beforeEach(() => listen());

  it('tells of a registration and of a proven address', async () => {
    const person = await h.person();
    expect(await toldOf(person.id)).toEqual([
      { kind: 'user.registered', data: { userId: person.id, invited: false } },
      { kind: 'user.verified', data: { userId: person.id } },
    ]);
  });

  it('tells of an address that a reset proves, once', async () => {
    const person = await h.person({ verified: false });
    for (let times = 0; times < 2; times += 1) {
      await requestPasswordReset(h, person.email);
      const token = await h.tokenFor(person.email, '/reset-password');
      const { errors } = await h.graphql(
        `mutation($token: String!) { resetPassword(input: { token: $token, newPassword: "eleven herons over the marsh" }) { endedSessions } }`,
        { variables: { token } },
      );
      expect(errors).toBeUndefined();
    }
    expect((await kindsOf(person.id)).filter((kind) => kind === 'user.verified')).toHaveLength(1);
  });

  it('names the fields that a person or an admin changed, and not what they hold', async () => {
    const person = await h.person();
    await asPerson(person, 'mutation { updateProfile(input: { displayName: "Ada", locale: "de" }) { user { id } } }');
    await asAdmin('mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', {
      userId: person.id,
      username: `${person.username}b`,
    });
    await asAdmin('mutation($input: SetUserLimitsInput!) { setUserLimits(input: $input) { user { id } } }', {
      userId: person.id,
      messagesPerDay: 7,
    });
    const told = (await toldOf(person.id)).filter(({ kind }) => kind === 'user.updated');
    expect(told.map(({ data }) => data.fields)).toEqual([['displayName', 'locale'], ['username'], ['messagesPerDay']]);
  });

  it('tells of a suspension, with the sessions that it ended, and of its end', async () => {
    const person = await h.person();
    const query = (field: string, type: string) =>
      `mutation($input: ${type}!) { ${field}(input: $input) { user { status } } }`;
    await asAdmin(query('suspendUser', 'SuspendUserInput'), { userId: person.id, reason: 'spam from Mallory' });
    await asAdmin(query('unsuspendUser', 'UnsuspendUserInput'), { userId: person.id });
    const told = (await toldOf(person.id)).slice(2);
    expect(told).toEqual([
      {
        kind: 'session.revoked',
        data: { userId: person.id, sessionId: expect.any(String), reason: 'USER_SUSPENDED' },
      },
      { kind: 'user.suspended', data: { userId: person.id, until: null } },
      { kind: 'user.updated', data: { userId: person.id, fields: ['status'] } },
    ]);
    expect(JSON.stringify(told)).not.toContain('Mallory');
  });

  it('tells of keys made and revoked, and of all that ends when somebody leaves and comes back', async () => {
    const person = await h.person();
    const { data } = await createApiKey(h, person.token);
    const { id } = data.createApiKey.apiKey;
    expect(JSON.stringify(await toldOf(person.id))).not.toContain(data.createApiKey.key);
    await deleteAccount(h, person.token, 'moved to quux.example');
    await restoreUser(h, admin, { userId: person.id });
    const told = (await toldOf(person.id)).slice(2);
    expect(told.map(({ kind }) => kind)).toEqual([
      'api_key.created',
      'session.revoked',
      'api_key.revoked',
      'user.deleted',
      'user.restored',
    ]);
    expect(told[2]?.data).toMatchObject({ keyId: id });
    expect(JSON.stringify(told)).not.toMatch(/quux|example/);
  });

  it('tells of a sign-out', async () => {
    const person = await h.person();
    await asPerson(person, 'mutation { logout { ok } }');
    expect((await toldOf(person.id)).at(-1)).toMatchObject({ kind: 'session.revoked', data: { reason: 'LOGOUT' } });
  });

  it('tells of every movement of credits, under the id of its transaction, and of a balance that falls low, once', async () => {
    const { key } = await h.service(['credits:grant', 'credits:use']);
    const { id } = await h.person();
    const step = (field: 'addCredits' | 'useCredits' | 'holdCredits', amount: number) =>
      move(h, key, { field, userId: id, amount, key: newId() });
    await step('addCredits', 20);
    await step('holdCredits', 5);
    const used = await step('useCredits', 10);
    await step('useCredits', 1);
    const told = (await toldOf(id)).filter(({ kind }) => kind.startsWith('credits.'));
    const transactionId = used.data.useCredits.transaction.id;
    expect(told).toHaveLength(4);
    expect(told).toContainEqual({
      kind: 'credits.changed',
      data: { userId: id, transactionId, kind: 'USE', amount: -10, balance: 10, version: 2 },
    });
    expect(told).toContainEqual({
      kind: 'credits.low',
      data: { userId: id, transactionId, balance: 10, threshold: 10 },
    });
    const [row] = await h.app.db.select().from(outboxEvents).where(eq(outboxEvents.id, transactionId));
    expect(row?.kind).toBe('credits.changed');
  });

  it('tells nothing of a movement that was refused or asked for twice', async () => {
    const { key } = await h.service(['credits:grant', 'credits:use']);
    const { id } = await h.person();
    await move(h, key, { field: 'addCredits', userId: id, amount: 5, key: 'once' });
    await move(h, key, { field: 'addCredits', userId: id, amount: 5, key: 'once' });
    expect((await move(h, key, { field: 'useCredits', userId: id, amount: 6, key: 'more' })).code).toBe(
      'INSUFFICIENT_CREDITS',
    );
    expect((await kindsOf(id)).filter((kind) => kind.startsWith('credits.'))).toEqual(['credits.changed']);
  });

  it('tells nothing of what was rolled back', async () => {
    const userId = newId();
    const work = transact(h.app, async (app) => {
      await emitEvent(app, { kind: 'payment.failed', userId });
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await toldOf(userId)).toEqual([]);
  });

  it('refuses to be told outside of a transaction', async () => {
    await expect(emitEvent(h.app, { kind: 'payment.failed', userId: newId() })).rejects.toThrow('transaction');
  });
});

describe('what nobody listens for', () => {
  it('is not written at all', async () => {
    const { key } = await h.service(['credits:grant']);
    const { id } = await h.person();
    await move(h, key, { field: 'addCredits', userId: id, amount: 5, key: newId() });
    expect(await h.app.db.$count(outboxEvents)).toBe(0);
  });

  it('is left out by kind, for credits too', async () => {
    await listen(['user.verified', 'credits.low']);
    const { key } = await h.service(['credits:grant', 'credits:use']);
    const { id } = await h.person();
    await move(h, key, { field: 'addCredits', userId: id, amount: 11, key: newId() });
    await move(h, key, { field: 'useCredits', userId: id, amount: 1, key: newId() });
    expect(await kindsOf(id)).toEqual(['user.verified', 'credits.low']);
  });
});

it('writes everything while a topic or a queue is set', async () => {
  const events = { queueUrl: 'https://sqs.eu-central-1.amazonaws.com/123456789012/events' };
  const other = await createHarness({ config: { events } });
  try {
    const { id } = await other.person();
    const { key } = await other.service(['credits:grant']);
    await move(other, key, { field: 'addCredits', userId: id, amount: 5, key: newId() });
    const rows = await other.app.db.select().from(outboxEvents).where(ne(outboxEvents.kind, 'credits.low'));
    expect(rows.map(({ kind }) => kind)).toEqual(['user.registered', 'user.verified', 'credits.changed']);
  } finally {
    await other.close();
  }
});
