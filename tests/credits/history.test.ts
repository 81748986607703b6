import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addCredits, useCredits as spend } from '../../src/modules/credits/movements.service.js';
import { createOwner, serviceActor } from '../support/credits.js';
import { createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let service: string;
let userId: string;
const actor = serviceActor();
const SPENDS = 45;

beforeAll(async () => {
  h = await createHarness();
  service = (await h.service(['credits:read'])).key;
  userId = await createOwner(h.app, { balance: 10_000 });
  for (let index = 1; index <= SPENDS; index += 1) {
    await spend(h.app, {
      userId,
      amount: index,
      description: `spend ${index}`,
      idempotencyKey: `spend ${index}`,
      actor,
    });
  }
});
afterAll(() => h.close());

const PAGE = `query($userId: ID!, $first: Int, $after: String) { creditTransactions(userId: $userId, first: $first, after: $after)
  { nodes { id version kind amount balanceAfter description createdAt } edges { cursor node { version } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`;
const page = (variables: Record<string, unknown>) =>
  h.graphql(PAGE, { serviceKey: service, variables: { userId, ...variables } });

describe('creditTransactions', () => {
  it('shows the newest first, 20 at a time, with the count of all', async () => {
    const { data } = await page({});
    const { nodes, edges, pageInfo, totalCount } = data.creditTransactions;
    expect(nodes.map((node: { version: number }) => node.version)).toEqual(
      Array.from({ length: 20 }, (_, index) => 46 - index),
    );
    expect(nodes[0]).toMatchObject({ kind: 'USE', amount: -45, description: 'spend 45' });
    expect(edges.map((edge: { node: { version: number } }) => edge.node.version)).toEqual(
      nodes.map((node: { version: number }) => node.version),
    );
    expect(pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: edges[0].cursor,
      endCursor: edges[19].cursor,
    });
    expect(totalCount).toBe(46);
  });

  it('gives every row once, page after page, also while rows are added', async () => {
    const other = await createOwner(h.app, { balance: 10 });
    const grant = (index: number) =>
      addCredits(h.app, { userId: other, amount: 1, idempotencyKey: `${other}:${index}`, actor });
    for (let index = 0; index < 9; index += 1) await grant(index);
    const seen: number[] = [];
    let after: string | null = null;
    for (let index = 100; ; index += 1) {
      const { data } = await page({ userId: other, first: 3, after });
      const { nodes, pageInfo } = data.creditTransactions;
      seen.push(...nodes.map((node: { version: number }) => node.version));
      await grant(index);
      if (!pageInfo.hasNextPage) break;
      after = pageInfo.endCursor;
    }
    expect(seen).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('is empty for somebody who never had any', async () => {
    const { id } = await h.person();
    expect((await page({ userId: id })).data.creditTransactions).toEqual({
      nodes: [],
      edges: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
      totalCount: 0,
    });
  });

  it('shows nobody else’s rows to a borrowed cursor', async () => {
    const other = await createOwner(h.app, { balance: 10 });
    const { data } = await page({ first: 1 });
    const borrowed = data.creditTransactions.pageInfo.endCursor;
    expect((await page({ userId: other, after: borrowed })).data.creditTransactions.nodes).toMatchObject([
      { version: 1, amount: 10 },
    ]);
  });

  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  it.each([
    ['no base64', '%%%'],
    ['no JSON', Buffer.from('nonsense').toString('base64url')],
    ['of another shape', encode({ version: 1 })],
    ['of another list', encode([1, '01890000-0000-7000-8000-000000000000'])],
    ['no whole number', encode([1.5])],
    ['too large a number', '[9007199254740993]'.replace(/.*/, (text) => Buffer.from(text).toString('base64url'))],
    ['SQL', encode(["1'; drop table users; --"])],
    ['empty', ''],
    ['huge', 'A'.repeat(5_000)],
  ])('refuses a cursor that is %s', async (_, after) => {
    expect(await page({ after })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it.each([[0], [-1], [101]])('refuses to show %i at a time', async (first) => {
    expect(await page({ first })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('knows nobody by an unknown id, and refuses what is no id', async () => {
    expect(await page({ userId: '01890000-0000-7000-8000-000000000000' })).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
    expect(await page({ userId: 'x' })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('walks down an index and never sorts', async () => {
    const lines = await h.app.database.alone(async (lane) => {
      // A table of one page is read whole, whatever the index. With that forbidden the index must do, and alone.
      await lane.query('set local enable_seqscan = off', []);
      return lane.query<Record<string, string>>(
        `explain select * from credit_transactions where user_id = '${userId}' and version < 30 order by version desc limit 21`,
        [],
      );
    });
    const plan = lines.map((line) => Object.values(line)[0]).join('\n');
    expect(plan).toContain('Index Scan Backward using credit_transactions_version');
    expect(plan).not.toContain('Sort');
  });
});

describe('creditBalance', () => {
  it('says what somebody has, and zero for somebody who never had any', async () => {
    const ask = (id: string) =>
      h.graphql('query($id: ID!) { creditBalance(userId: $id) { balance held available } }', {
        serviceKey: service,
        variables: { id },
      });
    const left = 10_000 - (SPENDS * (SPENDS + 1)) / 2;
    expect((await ask(userId)).data.creditBalance).toEqual({ balance: left, held: 0, available: left });
    expect((await ask((await h.person()).id)).data.creditBalance).toEqual({ balance: 0, held: 0, available: 0 });
    expect(await ask('01890000-0000-7000-8000-000000000000')).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  it('is for services with credits:read alone', async () => {
    const query = `{ creditBalance(userId: "${userId}") { balance } }`;
    const person = await h.person();
    expect(await h.graphql(query)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await h.graphql(query, { token: person.token })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await h.graphql(query, { serviceKey: (await h.service(['credits:use'])).key })).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
  });
});

describe('User.creditAccount', () => {
  const ME =
    '{ me { creditAccount { balance held available transactions(first: 2) { nodes { amount } totalCount } } } }';

  it('shows people their own credits and history', async () => {
    const person = await h.person();
    await addCredits(h.app, { userId: person.id, amount: 5, idempotencyKey: 'a', actor });
    await addCredits(h.app, { userId: person.id, amount: 6, idempotencyKey: 'b', actor });
    await addCredits(h.app, { userId: person.id, amount: 7, idempotencyKey: 'c', actor });
    expect((await h.graphql(ME, { token: person.token })).data.me.creditAccount).toEqual({
      balance: 18,
      held: 0,
      available: 18,
      transactions: { nodes: [{ amount: 7 }, { amount: 6 }], totalCount: 3 },
    });
  });

  it('keeps the history from a service that may only spend', async () => {
    const spender = (await h.service(['credits:use'])).key;
    const owner = await createOwner(h.app, { balance: 5 });
    const query = `mutation { useCredits(input: { userId: "${owner}", amount: 1, idempotencyKey: "x" }) { account { transactions { totalCount } } } }`;
    expect(await h.graphql(query, { serviceKey: spender })).toMatchObject({ code: 'FORBIDDEN' });
  });
});
