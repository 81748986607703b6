import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS } from '../../src/api/access.js';
import { CLIENT_CODES, type CredenceClient, type CredenceError, SERVER_CODES } from '../../src/client/client.js';
import { ERROR_CODES } from '../../src/core/errors.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import type { Person } from '../support/harness.js';
import { type ClientWorld, createClientWorld } from './support.js';

let world: ClientWorld;
let client: CredenceClient;
let person: Person;
let userId: string;
beforeAll(async () => {
  world = await createClientWorld({ scopes: [...SERVICE_SCOPES] });
  client = world.client();
  person = await world.h.person();
  userId = person.id;
});
afterAll(() => world.close());

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'OK',
    (error: CredenceError) => error.code,
  );

describe('the client', () => {
  it('has a call for every field that a service may use, by its name', () => {
    const fields = Object.entries({ ...ACCESS.Query, ...ACCESS.Mutation })
      .filter(([, level]) => level.name.startsWith('INTERNAL_SERVICE'))
      .map(([name]) => name);
    const others = ['forget', 'handleEvent', 'close'];
    expect(Object.keys(client).sort()).toEqual([...fields, ...others].sort());
  });

  it('knows every code of the server, and those of its own are no others', () => {
    expect([...SERVER_CODES].sort()).toEqual([...ERROR_CODES].sort());
    expect(CLIENT_CODES.filter((code) => (ERROR_CODES as string[]).includes(code))).toEqual([]);
  });
});

describe('credits', () => {
  it('are added, spent and given back, and every step stands in the history', async () => {
    const added = await client.addCredits({ userId, amount: 100, description: 'a gift', metadata: { from: 'us' } });
    expect(added).toMatchObject({ replayed: false, account: { available: 100, balance: 100, held: 0 } });
    const used = await client.useCredits({ userId, amount: 30, referenceType: 'message', referenceId: 'm1' });
    expect(used.transaction).toMatchObject({ kind: 'USE', amount: -30, referenceType: 'message', referenceId: 'm1' });
    const refunded = await client.refundCredits({ transactionId: used.transaction.id, amount: 10 });
    expect(refunded.transaction).toMatchObject({
      kind: 'REFUND',
      amount: 10,
      refundsTransactionId: used.transaction.id,
    });
    expect(await client.creditBalance(userId)).toEqual({ available: 80, balance: 80, held: 0 });

    const first = await client.creditTransactions({ userId, first: 2 });
    expect(first.nodes.map(({ kind }) => kind)).toEqual(['REFUND', 'USE']);
    expect(first).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    const rest = await client.creditTransactions({ userId, after: first.pageInfo.endCursor ?? '' });
    expect(rest.nodes).toEqual([added.transaction]);
  });

  it('are held, captured in part, and let go', async () => {
    const before = await client.creditBalance(userId);
    const { hold, account } = await client.holdCredits({ userId, amount: 20, ttlSeconds: 60, description: 'work' });
    expect(account).toEqual({ ...before, available: before.available - 20, held: 20 });
    const captured = await client.captureCredits({ holdId: hold.id, amount: 5 });
    expect(captured).toMatchObject({ hold: { status: 'CAPTURED', capturedAmount: 5 }, transaction: { amount: -5 } });
    expect(captured.account).toEqual({ ...before, available: before.available - 5, balance: before.balance - 5 });
    const other = await client.holdCredits({ userId, amount: 20 });
    const released = await client.releaseCredits({ holdId: other.hold.id });
    expect(released).toMatchObject({ hold: { status: 'RELEASED' }, account: captured.account });
  });

  it('are spent once for one key of the caller’s own, and as often as asked without', async () => {
    const idempotencyKey = randomUUID();
    const once = await client.useCredits({ userId, amount: 1, idempotencyKey });
    expect(await client.useCredits({ userId, amount: 1, idempotencyKey })).toEqual({ ...once, replayed: true });
    expect(await codeOf(client.useCredits({ userId, amount: 2, idempotencyKey }))).toBe('IDEMPOTENCY_CONFLICT');
    const twice = [await client.useCredits({ userId, amount: 1 }), await client.useCredits({ userId, amount: 1 })];
    expect(new Set(twice.map(({ transaction }) => transaction.id)).size).toBe(2);
  });

  it('that are not there are refused with the code, the key that was used, and what to tell the operator', async () => {
    const error: CredenceError = await client.useCredits({ userId, amount: 1_000_000 }).then(
      () => expect.fail('spent'),
      (refused) => refused,
    );
    expect(error).toMatchObject({ name: 'CredenceError', code: 'INSUFFICIENT_CREDITS', status: 402 });
    expect(error.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await codeOf(client.creditBalance(randomUUID()))).toBe('NOT_FOUND');
    const amiss: CredenceError = await client.addCredits({ userId, amount: 0 }).catch((refused) => refused);
    expect(amiss).toMatchObject({ code: 'BAD_USER_INPUT', fields: { amount: expect.any(String) } });
  });
});

describe('people, usage and billing', () => {
  it('people are found by id and by address', async () => {
    expect(await client.userEmail(userId)).toBe(person.email);
    const { id, username, email } = person;
    expect(await client.userByEmail(person.email)).toMatchObject({ id, username, email, status: 'ACTIVE' });
    expect(await client.userByEmail('nobody@example.com')).toBeNull();
    expect(await codeOf(client.userEmail(randomUUID()))).toBe('NOT_FOUND');
  });

  it('conversations are counted, messages logged, and both show in the usage of the day', async () => {
    const first = await client.consumeConversation({ userId });
    expect(first).toMatchObject({ allowed: true, used: 1, replayed: false });
    const entry = { userId, model: 'm', messages: [{ role: 'user', content: 'hi' }], occurredAt: world.h.clock.now() };
    const logged = await client.logMessages({ batch: [entry, { ...entry, userId: randomUUID() }] });
    expect(logged).toEqual({ accepted: 1, rejected: [{ index: 1, code: 'NOT_FOUND' }], replayed: false });
    const usage = await client.usage(userId);
    expect([usage.conversations.used, usage.messages.used]).toEqual([1, 1]);
  });

  it('where nothing is sold, billing says so by its code', async () => {
    const priceId = randomUUID();
    const answers = [
      client.subscription(userId),
      client.paymentMethods(userId),
      client.createSetupIntent(userId),
      client.createCheckoutSession({ userId, priceId }),
      client.createSubscription({ userId, priceId }),
      client.changeSubscription({ userId, priceId, when: 'NOW' }),
      client.cancelSubscription({ userId }),
    ];
    expect(new Set(await Promise.all(answers.map(codeOf)))).toEqual(new Set(['BILLING_NOT_CONFIGURED']));
  });

  it('a service gets no further than its scopes', async () => {
    const { key } = await world.h.service(['tokens:validate']);
    const narrow = world.client({ serviceKey: key });
    expect((await narrow.validateToken(person.token)).valid).toBe(true);
    expect(await codeOf(narrow.useCredits({ userId, amount: 1 }))).toBe('FORBIDDEN');
    expect(await codeOf(world.client({ serviceKey: 'crd_svc_nonsense' }).creditBalance(userId))).toBe(
      'UNAUTHENTICATED',
    );
  });

  it('options that cannot be meant are refused when the client is made', () => {
    for (const options of [
      { url: 'id.example.com' },
      { url: 'https://ada:secret@id.example.com' },
      { serviceKey: 'crd_key_x' },
      { maxStalenessMs: -1 },
      { timeoutMs: 0 },
      { retries: 0.5 },
    ])
      expect(() => world.client(options), JSON.stringify(options)).toThrow(TypeError);
  });
});
