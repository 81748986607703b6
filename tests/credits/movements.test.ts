import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

let h: Harness;
let grantKey: string;
let useKey: string;
let person: Person;
let keys = 0;
const key = () => {
  keys += 1;
  return `key-${keys}`;
};

beforeAll(async () => {
  h = await createHarness();
  grantKey = (await h.service(['credits:grant', 'credits:read'])).key;
  useKey = (await h.service(['credits:use'])).key;
  person = await h.person();
});
afterAll(() => h.close());

const FIELDS = `{ transaction { id version kind amount balanceAfter description referenceType referenceId metadata refundsTransactionId createdAt }
  account { balance held available } replayed }`;
const ADD = `mutation($input: AddCreditsInput!) { addCredits(input: $input) ${FIELDS} }`;
const USE = `mutation($input: UseCreditsInput!) { useCredits(input: $input) ${FIELDS} }`;
const REFUND = `mutation($input: RefundCreditsInput!) { refundCredits(input: $input) ${FIELDS} }`;

const add = (input: Record<string, unknown>, serviceKey = grantKey) =>
  h.graphql(ADD, { serviceKey, variables: { input: { idempotencyKey: key(), ...input } } });
const use = (input: Record<string, unknown>, serviceKey = useKey) =>
  h.graphql(USE, { serviceKey, variables: { input: { idempotencyKey: key(), ...input } } });
const refund = (input: Record<string, unknown>, serviceKey = grantKey) =>
  h.graphql(REFUND, { serviceKey, variables: { input: { idempotencyKey: key(), ...input } } });

async function personWith(amount: number): Promise<string> {
  const { id } = await h.person();
  const answer = await add({ userId: id, amount });
  expect(answer.errors).toBeUndefined();
  return id;
}

const suspend = (id: string, until: Date | null = null) =>
  h.app.db
    .update(users)
    .set({ status: 'SUSPENDED', suspendedAt: h.app.now(), suspendedUntil: until })
    .where(eq(users.id, id));

describe('addCredits', () => {
  it('gives credits, says what the account then holds, and keeps all particulars', async () => {
    const { id } = await h.person();
    const particulars = {
      description: 'welcome',
      referenceType: 'campaign',
      referenceId: 'spring',
      metadata: { a: [1, null, 'é'] },
    };
    const { data, errors } = await add({ userId: id, amount: 100, ...particulars });
    expect(errors).toBeUndefined();
    expect(data.addCredits).toEqual({
      transaction: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        version: 1,
        kind: 'GRANT',
        amount: 100,
        balanceAfter: 100,
        refundsTransactionId: null,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        ...particulars,
      },
      account: { balance: 100, held: 0, available: 100 },
      replayed: false,
    });
  });

  it('answers the same key with the first answer, word for word, and gives nothing twice', async () => {
    const { id } = await h.person();
    const input = { userId: id, amount: 7, idempotencyKey: key(), metadata: { x: 1, y: { z: 2, w: 3 } } };
    const first = await add(input);
    await add({ userId: id, amount: 1 });
    const again = await add({ ...input, metadata: { y: { w: 3, z: 2 }, x: 1 } });
    expect(again.data.addCredits).toEqual({ ...first.data.addCredits, replayed: true });
    expect((await add({ userId: id, amount: 1 })).data.addCredits.account.balance).toBe(9);
  });

  it.each([
    ['amount', { amount: 8 }],
    ['description', { description: 'other' }],
    ['metadata', { metadata: { x: 2 } }],
  ])('refuses the same key with another %s', async (_, change) => {
    const input = { userId: person.id, amount: 7, idempotencyKey: key(), description: 'first', metadata: { x: 1 } };
    await add(input);
    const answer = await add({ ...input, ...change });
    expect(answer).toMatchObject({ status: 409, code: 'IDEMPOTENCY_CONFLICT' });
  });

  it('keeps the keys of two services and of two operations apart', async () => {
    const id = await personWith(10);
    const other = (await h.service(['credits:grant', 'credits:use'])).key;
    const input = { userId: id, amount: 1, idempotencyKey: key() };
    expect((await add(input)).data.addCredits.replayed).toBe(false);
    expect((await add(input, other)).data.addCredits.replayed).toBe(false);
    expect((await use(input, other)).data.useCredits.replayed).toBe(false);
  });

  it.each([
    ['zero', 0],
    ['negative', -1],
    ['more than a thousand million', 1_000_000_001],
  ])('refuses an amount that is %s', async (_, amount) => {
    expect(await add({ userId: person.id, amount })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it.each([['1.5'], ['1e3'], ['"5"'], ['true'], ['9007199254740993']])('refuses the amount %s', async (amount) => {
    const query = `mutation { addCredits(input: { userId: "${person.id}", amount: ${amount}, idempotencyKey: "${key()}" }) { replayed } }`;
    const answer = await h.graphql(query, { serviceKey: grantKey });
    expect(answer.status).toBe(400);
    expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED']).toContain(answer.code);
  });

  it('refuses keys, texts and metadata that are too long, naming each', async () => {
    const answer = await add({
      userId: person.id,
      amount: 1,
      idempotencyKey: 'k'.repeat(256),
      description: 'd'.repeat(501),
      metadata: { text: 'm'.repeat(9_990), more: 'm'.repeat(300) },
    });
    expect(answer).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    expect(Object.keys(answer.errors?.[0]?.extensions.fields as object).sort()).toEqual([
      'description',
      'idempotencyKey',
      'metadata',
    ]);
    expect(await add({ userId: person.id, amount: 1, idempotencyKey: '' })).toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  it('refuses NUL and lone surrogates wherever they stand', async () => {
    for (const text of ['a\0b', 'a\ud800b']) {
      for (const input of [
        { idempotencyKey: text },
        { description: text },
        { referenceId: text },
        { metadata: { x: [text] } },
        { metadata: { [text]: 1 } },
      ]) {
        expect(await add({ userId: person.id, amount: 1, ...input })).toMatchObject({
          status: 400,
          code: 'BAD_USER_INPUT',
        });
      }
    }
  });

  it('knows nobody by an id that nobody has, and refuses what is no id', async () => {
    expect(await add({ userId: '01890000-0000-7000-8000-000000000000', amount: 1 })).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
    expect(await add({ userId: 'ada', amount: 1 })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('refuses a balance that a JSON number could not hold exactly', async () => {
    const id = await personWith(1);
    await h.app.db.execute(`update credit_accounts set balance = 9007199254740991 where user_id = '${id}'`);
    const answer = await add({ userId: id, amount: 1 });
    expect(answer).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    expect((await use({ userId: id, amount: 1 })).data.useCredits.account.balance).toBe(9_007_199_254_740_990);
  });

  it('gives to people who are suspended or not verified', async () => {
    const { id } = await h.person({ verified: false });
    await suspend(id);
    expect((await add({ userId: id, amount: 5 })).data.addCredits.account.balance).toBe(5);
  });

  it('is for services with credits:grant alone', async () => {
    const input = { userId: person.id, amount: 1, idempotencyKey: key() };
    const admin = await h.admin(['users:read', 'credits:adjust']);
    expect(await h.graphql(ADD, { variables: { input } })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await h.graphql(ADD, { variables: { input }, token: person.token })).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
    expect(await h.graphql(ADD, { variables: { input }, token: admin.token })).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
    expect(await add(input, useKey)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });
});

describe('useCredits', () => {
  it('spends what is there', async () => {
    const id = await personWith(10);
    const { data } = await use({
      userId: id,
      amount: 3,
      description: 'chat',
      referenceType: 'message',
      referenceId: 'm1',
    });
    expect(data.useCredits).toMatchObject({
      transaction: {
        kind: 'USE',
        amount: -3,
        balanceAfter: 7,
        version: 2,
        description: 'chat',
        referenceType: 'message',
        referenceId: 'm1',
      },
      account: { balance: 7, held: 0, available: 7 },
      replayed: false,
    });
  });

  it('refuses to go below zero, says what is missing, and leaves the balance alone', async () => {
    const id = await personWith(2);
    const answer = await use({ userId: id, amount: 3 });
    expect(answer).toMatchObject({ status: 402, code: 'INSUFFICIENT_CREDITS' });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ needed: 3, available: 2 });
    expect((await use({ userId: id, amount: 2 })).data.useCredits.account).toEqual({
      balance: 0,
      held: 0,
      available: 0,
    });
  });

  it('refuses somebody who never had any', async () => {
    const { id } = await h.person();
    const answer = await use({ userId: id, amount: 1 });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'INSUFFICIENT_CREDITS', needed: 1, available: 0 });
  });

  it('takes a refused key again after a top-up', async () => {
    const { id } = await h.person();
    const input = { userId: id, amount: 5, idempotencyKey: key() };
    expect(await use(input)).toMatchObject({ code: 'INSUFFICIENT_CREDITS' });
    await add({ userId: id, amount: 5 });
    expect((await use(input)).data.useCredits).toMatchObject({ replayed: false, account: { balance: 0 } });
    expect((await use(input)).data.useCredits).toMatchObject({ replayed: true, account: { balance: 0 } });
  });

  it('refuses a suspended account while the suspension lasts, and spends nothing', async () => {
    const id = await personWith(5);
    await suspend(id);
    expect(await use({ userId: id, amount: 1 })).toMatchObject({ status: 403, code: 'ACCOUNT_SUSPENDED' });
    await suspend(id, new Date(h.app.now().getTime() - 1_000));
    expect((await use({ userId: id, amount: 1 })).data.useCredits.account.balance).toBe(4);
  });

  it('refuses an account whose address was never verified', async () => {
    const { id } = await h.person({ verified: false });
    await add({ userId: id, amount: 5 });
    expect(await use({ userId: id, amount: 1 })).toMatchObject({ status: 403, code: 'EMAIL_NOT_VERIFIED' });
  });

  it('may stand once in an operation', async () => {
    const id = await personWith(5);
    const one = (name: string) =>
      `${name}: useCredits(input: { userId: "${id}", amount: 1, idempotencyKey: "${key()}" }) { replayed }`;
    const answer = await h.graphql(`mutation { ${one('a')} ${one('b')} }`, { serviceKey: useKey });
    expect(answer.status).toBe(400);
    expect((await use({ userId: id, amount: 5 })).data.useCredits.account.balance).toBe(0);
  });

  it('is for services with credits:use alone', async () => {
    const input = { userId: person.id, amount: 1, idempotencyKey: key() };
    expect(await h.graphql(USE, { variables: { input } })).toMatchObject({ status: 401 });
    expect(await h.graphql(USE, { variables: { input }, token: person.token })).toMatchObject({ status: 403 });
    expect(await use(input, grantKey)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });
});

describe('refundCredits', () => {
  async function spent(amount: number): Promise<{ userId: string; transactionId: string }> {
    const userId = await personWith(amount);
    const { data } = await use({ userId, amount });
    return { userId, transactionId: data.useCredits.transaction.id };
  }

  it('gives back all of a use, and says which', async () => {
    const { transactionId } = await spent(10);
    const { data } = await refund({ transactionId, description: 'it failed' });
    expect(data.refundCredits).toMatchObject({
      transaction: {
        kind: 'REFUND',
        amount: 10,
        balanceAfter: 10,
        refundsTransactionId: transactionId,
        description: 'it failed',
      },
      account: { balance: 10, held: 0, available: 10 },
    });
  });

  it('gives back in parts that never sum up to more than was spent', async () => {
    const { transactionId } = await spent(10);
    expect((await refund({ transactionId, amount: 4 })).data.refundCredits.account.balance).toBe(4);
    const tooMuch = await refund({ transactionId, amount: 7 });
    expect(tooMuch).toMatchObject({ status: 409, code: 'CONFLICT' });
    expect(tooMuch.errors?.[0]?.extensions).toMatchObject({ refundable: 6 });
    expect((await refund({ transactionId })).data.refundCredits.transaction.amount).toBe(6);
    expect((await refund({ transactionId })).errors?.[0]?.extensions).toMatchObject({
      code: 'CONFLICT',
      refundable: 0,
    });
  });

  it('answers the same key with the first refund', async () => {
    const { transactionId } = await spent(10);
    const input = { transactionId, amount: 3, idempotencyKey: key() };
    const first = await refund(input);
    expect((await refund(input)).data.refundCredits).toEqual({ ...first.data.refundCredits, replayed: true });
  });

  it('refuses to give back what was not spent', async () => {
    const { id } = await h.person();
    const { data } = await add({ userId: id, amount: 5 });
    expect(await refund({ transactionId: data.addCredits.transaction.id })).toMatchObject({
      status: 400,
      code: 'BAD_USER_INPUT',
    });
  });

  it('knows no transaction by an unknown id, and refuses what is no id', async () => {
    expect(await refund({ transactionId: '01890000-0000-7000-8000-000000000000' })).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
    expect(await refund({ transactionId: 'x' })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('is for services with credits:grant alone', async () => {
    const { transactionId } = await spent(1);
    expect(await refund({ transactionId }, useKey)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await h.graphql(REFUND, { variables: { input: { transactionId, idempotencyKey: key() } } })).toMatchObject({
      status: 401,
    });
  });
});
