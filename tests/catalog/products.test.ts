import { desc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { prices, products } from '../../src/modules/catalog/catalog.table.js';
import { createHarness, type Harness, uniqueName } from '../support/harness.js';

const FIELDS = `id code name description kind creditsGranted images archivedAt prices { id currency amountMinor interval }`;
const CREATE = `mutation($input: CreateProductInput!) { createProduct(input: $input) { product { ${FIELDS} } } }`;
const UPDATE = `mutation($input: UpdateProductInput!) { updateProduct(input: $input) { product { ${FIELDS} } } }`;
const ARCHIVE = `mutation($id: ID!) { archiveProduct(productId: $id) { product { ${FIELDS} } } }`;
const ONE = `query($code: String!) { product(code: $code) { ${FIELDS} } }`;
const LIST = `query($kind: ProductKind, $all: Boolean! = false, $first: Int, $after: String) {
  products(kind: $kind, includeArchived: $all, first: $first, after: $after) {
    totalCount nodes { ${FIELDS} } pageInfo { hasNextPage endCursor } } }`;

interface Shown {
  id: string;
  code: string;
  prices: { id: string; currency: string; amountMinor: number; interval: string }[];
}

let h: Harness;
let token: string;

beforeAll(async () => {
  h = await createHarness();
  ({ token } = await h.admin(['catalog:manage']));
});
afterAll(() => h.close());

const pack = (changes: object = {}) => ({
  code: uniqueName('pack'),
  name: 'A hundred credits',
  kind: 'CREDIT_PACK',
  creditsGranted: 100,
  prices: [{ currency: 'EUR', amountMinor: 999, interval: 'ONCE' }],
  ...changes,
});

const send = (query: string, input: object, as: string | undefined = token) =>
  h.graphql(query, { token: as, variables: { input } });

async function create(changes: object = {}): Promise<Shown> {
  const { data, errors } = await send(CREATE, pack(changes));
  expect(errors).toBeUndefined();
  return data.createProduct.product;
}

async function newestAudit(targetId: string) {
  const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, targetId));
  return rows.sort((one, other) => (one.id < other.id ? 1 : -1))[0];
}

describe('createProduct', () => {
  it('puts it on sale at once, with its prices, for everybody', async () => {
    const images = ['https://example.com/a.png'];
    const made = await create({ description: ' Two\nlines ', images });
    const { data } = await h.graphql(ONE, { variables: { code: made.code } });
    expect(data.product).toEqual(made);
    expect(made).toMatchObject({
      name: 'A hundred credits',
      description: 'Two\nlines',
      kind: 'CREDIT_PACK',
      creditsGranted: 100,
      images,
      archivedAt: null,
      prices: [{ currency: 'EUR', amountMinor: 999, interval: 'ONCE' }],
    });
    expect(await newestAudit(made.id)).toMatchObject({ action: 'product.created', actorKind: 'ADMIN' });
  });

  it('takes amounts beyond 2^31, and one price for each currency and interval', async () => {
    const amounts = [
      { currency: 'EUR', amountMinor: 9_007_199_254_740_991, interval: 'MONTH' },
      { currency: 'EUR', amountMinor: 0, interval: 'YEAR' },
      { currency: 'JPY', amountMinor: 1500, interval: 'MONTH' },
    ];
    const made = await create({ kind: 'SUBSCRIPTION', creditsGranted: 0, prices: amounts });
    expect(made.prices).toMatchObject(amounts);
  });

  it('refuses a code that is taken, by an archived product too: CONFLICT', async () => {
    const { id, code } = await create();
    expect((await send(CREATE, pack({ code }))).code).toBe('CONFLICT');
    await h.graphql(ARCHIVE, { token, variables: { id } });
    expect((await send(CREATE, pack({ code }))).code).toBe('CONFLICT');
  });

  it('of any number with one code at once, makes one, and leaves no prices of the others', async () => {
    const input = pack();
    const codes = (await Promise.all(Array.from({ length: 8 }, () => send(CREATE, input)))).map(({ code }) => code);
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === 'CONFLICT')).toHaveLength(7);
    const [product] = await h.app.db.select().from(products).where(eq(products.code, input.code));
    expect(await h.app.db.$count(prices, eq(prices.productId, product?.id ?? ''))).toBe(1);
  });

  const price = (changes: object) => [{ currency: 'EUR', amountMinor: 1, interval: 'ONCE', ...changes }];
  it.each([
    ['a code in capitals', { code: 'Pack' }, 'code'],
    ['a code that begins with a digit', { code: '1pack' }, 'code'],
    ['a code that is too long', { code: 'a'.repeat(41) }, 'code'],
    ['an empty name', { name: '  ' }, 'name'],
    ['a name of two lines', { name: 'a\nb' }, 'name'],
    ['a name that turns the text around it', { name: 'a\u202eb' }, 'name'],
    ['a name that is too long', { name: 'a'.repeat(81) }, 'name'],
    ['a description that is too long', { description: 'a'.repeat(2001) }, 'description'],
    ['negative credits', { creditsGranted: -1 }, 'creditsGranted'],
    ['a credit pack without credits', { creditsGranted: 0 }, 'creditsGranted'],
    ['nine images', { images: Array(9).fill('https://example.com/a.png') }, 'images'],
    ['an image over http', { images: ['http://example.com/a.png'] }, 'images'],
    ['an image that is a script', { images: ['javascript:alert(1)'] }, 'images'],
    ['an image with a password', { images: ['https://a:b@example.com/a.png'] }, 'images'],
    ['a currency that does not exist', { prices: price({ currency: 'EUX' }) }, 'prices.0.currency'],
    ['a currency in small letters', { prices: price({ currency: 'eur' }) }, 'prices.0.currency'],
    ['a negative amount', { prices: price({ amountMinor: -1 }) }, 'prices.0.amountMinor'],
    ['a credit pack paid every month', { prices: price({ interval: 'MONTH' }) }, 'prices.0.interval'],
    ['a subscription paid once', { kind: 'SUBSCRIPTION' }, 'prices.0.interval'],
    ['a price twice', { prices: [...price({}), ...price({ amountMinor: 2 })] }, 'prices.1.currency'],
  ])('refuses %s: BAD_USER_INPUT', async (_, changes, field) => {
    const { code, errors } = await send(CREATE, pack(changes));
    expect(code).toBe('BAD_USER_INPUT');
    expect(errors?.[0]?.extensions.fields).toHaveProperty([field]);
  });

  it.each([
    ['half a surrogate pair', { name: 'a\ud800b' }],
    ['NUL', { description: 'a\0b' }],
    ['a fraction', { creditsGranted: 1.5 }],
    ['more than 2^53 - 1', { creditsGranted: 2 ** 53 }],
  ])('refuses %s: BAD_USER_INPUT', async (_, changes) => {
    expect((await send(CREATE, pack(changes))).code).toBe('BAD_USER_INPUT');
  });
});

describe('updateProduct', () => {
  it('changes what is given and leaves the rest', async () => {
    const made = await create({ description: 'old' });
    const { data } = await send(UPDATE, { productId: made.id, name: 'New', creditsGranted: 7 });
    expect(data.updateProduct.product).toEqual({ ...made, name: 'New', creditsGranted: 7 });
    const { data: cleared } = await send(UPDATE, { productId: made.id, description: null });
    expect(cleared.updateProduct.product).toMatchObject({ name: 'New', description: null });
    expect(await newestAudit(made.id)).toMatchObject({ action: 'product.updated', before: { description: 'old' } });
  });

  it('ends old prices and adds new ones; what stays as it is keeps its id; no amount is edited', async () => {
    const made = await create({
      prices: [
        { currency: 'EUR', amountMinor: 999, interval: 'ONCE' },
        { currency: 'USD', amountMinor: 1099, interval: 'ONCE' },
      ],
    });
    const [euro, dollar] = made.prices;
    const wanted = [
      { currency: 'EUR', amountMinor: 999, interval: 'ONCE' },
      { currency: 'USD', amountMinor: 1199, interval: 'ONCE' },
    ];
    const { data } = await send(UPDATE, { productId: made.id, prices: wanted });
    const after: Shown['prices'] = data.updateProduct.product.prices;
    expect(after).toMatchObject(wanted);
    expect(after[0]?.id).toBe(euro?.id);
    expect(after[1]?.id).not.toBe(dollar?.id);
    const [ended] = await h.app.db
      .select()
      .from(prices)
      .where(eq(prices.id, dollar?.id ?? ''));
    expect(ended).toMatchObject({ active: false, amountMinor: 1099 });
  });

  it('with no prices takes all of them away', async () => {
    const { id } = await create();
    const { data } = await send(UPDATE, { productId: id, prices: [] });
    expect(data.updateProduct.product.prices).toEqual([]);
  });

  it('many at once leave one price for each currency and interval', async () => {
    const { id, code } = await create();
    const amounts = Array.from({ length: 8 }, (_, index) => index + 1);
    const answers = await Promise.all(
      amounts.map((amountMinor) =>
        send(UPDATE, { productId: id, prices: [{ currency: 'EUR', amountMinor, interval: 'ONCE' }] }),
      ),
    );
    expect(answers.map((answer) => answer.code)).toEqual(Array(8).fill(undefined));
    const { data } = await h.graphql(ONE, { variables: { code } });
    expect(data.product.prices).toHaveLength(1);
  });

  it('refuses no change, and what would not fit the kind: BAD_USER_INPUT', async () => {
    const { id } = await create();
    expect((await send(UPDATE, { productId: id })).code).toBe('BAD_USER_INPUT');
    expect((await send(UPDATE, { productId: id, creditsGranted: 0 })).code).toBe('BAD_USER_INPUT');
    const monthly = [{ currency: 'EUR', amountMinor: 1, interval: 'MONTH' }];
    expect((await send(UPDATE, { productId: id, prices: monthly })).code).toBe('BAD_USER_INPUT');
    expect((await send(UPDATE, { productId: 'none', name: 'x' })).code).toBe('BAD_USER_INPUT');
  });

  it('refuses what does not exist: NOT_FOUND', async () => {
    expect((await send(UPDATE, { productId: newId(), name: 'x' })).code).toBe('NOT_FOUND');
  });

  it('refuses an archived product: CONFLICT', async () => {
    const { id } = await create();
    await h.graphql(ARCHIVE, { token, variables: { id } });
    expect((await send(UPDATE, { productId: id, name: 'x' })).code).toBe('CONFLICT');
  });
});

describe('archiveProduct', () => {
  it('takes it off sale at once and keeps the row; twice is once', async () => {
    const { id, code } = await create();
    const first = await h.graphql(ARCHIVE, { token, variables: { id } });
    expect(first.data.archiveProduct.product.archivedAt).toEqual(expect.any(String));
    expect((await h.graphql(ONE, { variables: { code } })).code).toBe('NOT_FOUND');
    const again = await h.graphql(ARCHIVE, { token, variables: { id } });
    expect(again.data).toEqual(first.data);
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, id));
    expect(rows.filter(({ action }) => action === 'product.archived')).toHaveLength(1);
    const [row] = await h.app.db.select().from(products).where(eq(products.id, id));
    expect(row).toMatchObject({ code });
  });

  it('refuses what does not exist: NOT_FOUND, and what is no id: BAD_USER_INPUT', async () => {
    expect((await h.graphql(ARCHIVE, { token, variables: { id: newId() } })).code).toBe('NOT_FOUND');
    expect((await h.graphql(ARCHIVE, { token, variables: { id: 'x' } })).code).toBe('BAD_USER_INPUT');
  });
});

describe('products', () => {
  it('lists what is sold by code, page by page, of one kind if asked', async () => {
    await create({ code: 'aaa-1' });
    await create({ code: 'aaa-2', kind: 'OTHER', creditsGranted: 0 });
    const { id } = await create({ code: 'aaa-3' });
    await h.graphql(ARCHIVE, { token, variables: { id } });
    const { data } = await h.graphql(LIST, { variables: { first: 2 } });
    expect(data.products.nodes.map(({ code }: Shown) => code)).toEqual(['aaa-1', 'aaa-2']);
    expect(data.products.pageInfo.hasNextPage).toBe(true);
    const next = await h.graphql(LIST, { variables: { first: 100, after: data.products.pageInfo.endCursor } });
    expect(next.data.products.nodes.map(({ code }: Shown) => code)).not.toContain('aaa-3');
    expect(data.products.totalCount).toBe(2 + next.data.products.nodes.length);
    const others = await h.graphql(LIST, { variables: { kind: 'OTHER' } });
    expect(others.data.products.nodes.map(({ code }: Shown) => code)).toEqual(['aaa-2']);
  });

  it('shows archived ones to admins of the catalogue, and to nobody else', async () => {
    const { id, code } = await create();
    await h.graphql(ARCHIVE, { token, variables: { id } });
    const variables = { all: true, first: 100 };
    const { data } = await h.graphql(LIST, { token, variables });
    expect(data.products.nodes.map((node: Shown) => node.code)).toContain(code);
    expect((await h.graphql(LIST, { variables })).code).toBe('UNAUTHENTICATED');
    const person = await h.person();
    const other = await h.admin(['users:read']);
    const staff = await h.staff(3);
    const service = await h.service(['users:read']);
    for (const call of [
      { token: person.token },
      { token: other.token },
      { token: staff.token },
      { serviceKey: service.key },
    ])
      expect((await h.graphql(LIST, { ...call, variables })).code).toBe('FORBIDDEN');
  });

  it('says nothing of Stripe, nor of prices that have ended', async () => {
    const { id, code } = await create();
    await send(UPDATE, { productId: id, prices: [{ currency: 'EUR', amountMinor: 5, interval: 'ONCE' }] });
    const { data } = await h.graphql(ONE, { variables: { code } });
    expect(data.product.prices).toMatchObject([{ amountMinor: 5 }]);
    const { code: refused } = await h.graphql(`{ products { nodes { stripeProductId } } }`);
    expect(refused).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('knows no product under a code that is odd: NOT_FOUND', async () => {
    for (const code of ['', '%', "' or 1=1 --", '__proto__', 'a'.repeat(5000)])
      expect((await h.graphql(ONE, { variables: { code } })).code).toBe('NOT_FOUND');
  });
});

it('only admins of the catalogue change it', async () => {
  const { id } = await create();
  const person = await h.person();
  const other = await h.admin(['users:write']);
  for (const [as, code] of [
    [undefined, 'UNAUTHENTICATED'],
    [person.token, 'FORBIDDEN'],
    [other.token, 'FORBIDDEN'],
  ] as const) {
    expect((await h.graphql(CREATE, { token: as, variables: { input: pack() } })).code).toBe(code);
    expect((await h.graphql(UPDATE, { token: as, variables: { input: { productId: id, name: 'x' } } })).code).toBe(
      code,
    );
    expect((await h.graphql(ARCHIVE, { token: as, variables: { id } })).code).toBe(code);
  }
  const [row] = await h.app.db.select().from(products).where(eq(products.id, id)).orderBy(desc(products.id));
  expect(row).toMatchObject({ name: 'A hundred credits', archivedAt: null });
});
