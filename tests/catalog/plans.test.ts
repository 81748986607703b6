import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, uniqueName } from '../support/harness.js';

const FIELDS = `code name conversationsPerDay messagesPerDay monthlyCredits archivedAt product { code }`;
const CREATE = `mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { ${FIELDS} } } }`;
const UPDATE = `mutation($input: UpdatePlanInput!) { updatePlan(input: $input) { plan { ${FIELDS} } } }`;
const LIST = `query($all: Boolean! = false, $first: Int, $after: String) {
  plans(includeArchived: $all, first: $first, after: $after) { totalCount nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } }`;
const PRODUCT = `mutation($input: CreateProductInput!) { createProduct(input: $input) { product { id code } } }`;
const ARCHIVE_PRODUCT = `mutation($id: ID!) { archiveProduct(productId: $id) { product { id } } }`;

interface Shown {
  code: string;
}

let h: Harness;
let token: string;

beforeAll(async () => {
  h = await createHarness();
  ({ token } = await h.admin(['catalog:manage']));
});
afterAll(() => h.close());

const send = (query: string, input: object) => h.graphql(query, { token, variables: { input } });

async function create(changes: object = {}): Promise<string> {
  const code = uniqueName('plan');
  const { errors } = await send(CREATE, { code, name: 'Plan', ...changes });
  expect(errors).toBeUndefined();
  return code;
}

async function product(kind = 'SUBSCRIPTION'): Promise<{ id: string; code: string }> {
  const creditsGranted = kind === 'CREDIT_PACK' ? 1 : 0;
  const { data } = await send(PRODUCT, { code: uniqueName('sub'), name: 'Pro', kind, creditsGranted, prices: [] });
  return data.createProduct.product;
}

const listed = async (variables: object = {}) =>
  (await h.graphql(LIST, { token, variables: { first: 100, ...variables } })).data.plans.nodes as Shown[];

describe('createPlan', () => {
  it('makes a plan that everybody sees, with the product that brings it', async () => {
    const sold = await product();
    const code = await create({ conversationsPerDay: 50, monthlyCredits: 1000, productId: sold.id });
    const { data } = await h.graphql(LIST, { variables: { first: 100 } });
    expect(data.plans.nodes).toContainEqual({
      code,
      name: 'Plan',
      conversationsPerDay: 50,
      messagesPerDay: null,
      monthlyCredits: 1000,
      archivedAt: null,
      product: { code: sold.code },
    });
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, code));
    expect(rows).toMatchObject([{ action: 'plan.created', actorKind: 'ADMIN' }]);
  });

  it('refuses a code that is taken: CONFLICT', async () => {
    expect((await send(CREATE, { code: 'free', name: 'x' })).code).toBe('CONFLICT');
  });

  it.each([
    ['a code with a space', { code: 'a b' }],
    ['an empty name', { name: '' }],
    ['a negative limit', { conversationsPerDay: -1 }],
    ['a negative limit of messages', { messagesPerDay: -1 }],
    ['negative credits', { monthlyCredits: -1 }],
    ['a limit beyond 2^31', { conversationsPerDay: 2 ** 31 }],
    ['a product that is no id', { productId: 'x' }],
    ['a product that does not exist', { productId: newId() }],
  ])('refuses %s: BAD_USER_INPUT', async (_, changes) => {
    const { code } = await send(CREATE, { code: uniqueName('plan'), name: 'x', ...changes });
    expect(code).toBe('BAD_USER_INPUT');
  });

  it('refuses a product that is no subscription, or is not sold any more: BAD_USER_INPUT', async () => {
    const pack = await product('CREDIT_PACK');
    const over = await product();
    await h.graphql(ARCHIVE_PRODUCT, { token, variables: { id: over.id } });
    for (const { id } of [pack, over])
      expect((await send(CREATE, { code: uniqueName('plan'), name: 'x', productId: id })).code).toBe('BAD_USER_INPUT');
  });
});

describe('updatePlan', () => {
  it('changes what is given, null takes a limit away, and both count at once for whoever has the plan', async () => {
    const code = await create({ conversationsPerDay: 3, messagesPerDay: 5 });
    const person = await h.person();
    await h.app.db.update(users).set({ planCode: code }).where(eq(users.id, person.id));
    const usage = async () =>
      (await h.graphql(`{ me { plan { code name } usage { conversations { limit } } } }`, { token: person.token })).data
        .me;
    expect(await usage()).toMatchObject({ plan: { name: 'Plan' }, usage: { conversations: { limit: 3 } } });
    const { data } = await send(UPDATE, { code, name: 'Better', conversationsPerDay: null });
    expect(data.updatePlan.plan).toMatchObject({ name: 'Better', conversationsPerDay: null, messagesPerDay: 5 });
    expect(await usage()).toMatchObject({ plan: { name: 'Better' }, usage: { conversations: { limit: null } } });
  });

  it('archived, leaves the list and stays with who has it; it can come back', async () => {
    const code = await create();
    const person = await h.person();
    await h.app.db.update(users).set({ planCode: code }).where(eq(users.id, person.id));
    const { data } = await send(UPDATE, { code, archived: true });
    expect(data.updatePlan.plan.archivedAt).toEqual(expect.any(String));
    expect((await listed()).map((plan) => plan.code)).not.toContain(code);
    expect((await listed({ all: true })).map((plan) => plan.code)).toContain(code);
    const me = await h.graphql(`{ me { plan { code name } } }`, { token: person.token });
    expect(me.data.me.plan).toEqual({ code, name: 'Plan' });
    // Twice is once.
    const again = await send(UPDATE, { code, archived: true });
    expect(again.data).toEqual(data);
    await send(UPDATE, { code, archived: false });
    expect((await listed()).map((plan) => plan.code)).toContain(code);
  });

  it('a product taken off sale does not take the plan with it', async () => {
    const sold = await product();
    const code = await create({ productId: sold.id });
    await h.graphql(ARCHIVE_PRODUCT, { token, variables: { id: sold.id } });
    expect(await listed()).toContainEqual(expect.objectContaining({ code, product: null }));
    // The plan can still be changed.
    expect((await send(UPDATE, { code, monthlyCredits: 5 })).data.updatePlan.plan.monthlyCredits).toBe(5);
  });

  it('keeps the plan of every sign-up: CONFLICT', async () => {
    expect((await send(UPDATE, { code: 'free', archived: true })).code).toBe('CONFLICT');
    const person = await h.person();
    const { data } = await h.graphql(`{ me { plan { code archivedAt } } }`, { token: person.token });
    expect(data.me.plan).toEqual({ code: 'free', archivedAt: null });
  });

  it('refuses no change: BAD_USER_INPUT, and what does not exist: NOT_FOUND', async () => {
    expect((await send(UPDATE, { code: 'free' })).code).toBe('BAD_USER_INPUT');
    expect((await send(UPDATE, { code: 'none', name: 'x' })).code).toBe('NOT_FOUND');
  });
});

describe('plans', () => {
  it('goes page by page', async () => {
    await create();
    const first = await h.graphql(LIST, { variables: { first: 1 } });
    expect(first.data.plans.pageInfo.hasNextPage).toBe(true);
    const rest = await h.graphql(LIST, { variables: { first: 100, after: first.data.plans.pageInfo.endCursor } });
    expect(first.data.plans.totalCount).toBe(1 + rest.data.plans.nodes.length);
  });

  it('shows archived ones to admins of the catalogue only', async () => {
    const person = await h.person();
    const variables = { all: true };
    expect((await h.graphql(LIST, { variables })).code).toBe('UNAUTHENTICATED');
    expect((await h.graphql(LIST, { token: person.token, variables })).code).toBe('FORBIDDEN');
  });
});

it('only admins of the catalogue change plans', async () => {
  const other = await h.admin(['services:manage']);
  const staff = await h.staff(3);
  for (const as of [other.token, staff.token]) {
    const input = { code: uniqueName('plan'), name: 'x' };
    expect((await h.graphql(CREATE, { token: as, variables: { input } })).code).toBe('FORBIDDEN');
    const change = { code: 'free', name: 'x' };
    expect((await h.graphql(UPDATE, { token: as, variables: { input: change } })).code).toBe('FORBIDDEN');
  }
});
