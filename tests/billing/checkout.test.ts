import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { billingCustomers, billingOrders, payments } from '../../src/modules/payments/payments.table.js';
import {
  addressOf,
  type BillingHarness,
  buy,
  createBillingHarness,
  START_CHECKOUT,
  sell,
  sessionOf,
  standing,
  subscribe,
} from '../support/billing.js';
import { completeSession, settleDelayed } from '../support/fake-stripe/checkout.ts';
import type { Person } from '../support/harness.js';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
beforeAll(async () => {
  h = await createBillingHarness();
});
afterAll(() => h.close());

const start = (person: Person, input: object) =>
  h.graphql(START_CHECKOUT, {
    token: person.token,
    variables: { input: { idempotencyKey: newId(), ...input } },
    ip: addressOf(person),
  });

describe('startCheckout', () => {
  it('sells a credit pack: the page is paid, the credits are there, a letter says so', async () => {
    const { priceId, code } = await sell(h, { amountMinor: 1_999, credits: 250 });
    const person = await h.person();
    const { data } = await start(person, { priceId, quantity: 2 });
    expect(data.startCheckout).toMatchObject({ id: expect.any(String), replayed: false });
    const id = sessionOf(data.startCheckout.url);
    completeSession(h.fake.store, id);
    await h.settled();
    expect(await standing(h, person)).toMatchObject({ balance: 500, movements: ['PURCHASE 500'] });
    const [row] = await h.app.db.select().from(payments).where(eq(payments.stripeId, id));
    expect(row).toMatchObject({
      userId: person.id,
      kind: 'CHECKOUT',
      status: 'SUCCEEDED',
      amountMinor: 3_998,
      currency: 'EUR',
      creditsGranted: 500,
    });
    const letter = (await h.letters(person.email)).at(-1);
    expect(letter?.text).toContain('€39.98');
    expect(letter?.text).toContain(code);
  });

  it('names the customer, the price and the order to Stripe, and nothing that a client could choose', async () => {
    const { priceId } = await sell(h, { amountMinor: 700, currency: 'USD' });
    const person = await h.person();
    const { data } = await start(person, { priceId });
    const session = h.fake.store.get('checkout.session', sessionOf(data.startCheckout.url));
    expect(session).toMatchObject({ client_reference_id: data.startCheckout.id, amount_total: 700, currency: 'usd' });
    const customer = h.fake.store.customer(String(session.customer));
    expect(customer).toMatchObject({ email: person.email, metadata: { user_id: person.id } });
  });

  it('without a front end leads back to a small page of ours', async () => {
    const { priceId } = await sell(h);
    const { data } = await start(await h.person(), { priceId });
    const session = h.fake.store.get('checkout.session', sessionOf(data.startCheckout.url));
    for (const [url, words] of [
      [session.success_url, 'Vielen Dank'],
      [session.cancel_url, 'nichts bezahlt'],
    ]) {
      const headers = { 'accept-language': 'de' };
      const page = await h.fastify.inject({ url: new URL(url ?? '').pathname, headers });
      expect(page.statusCode).toBe(200);
      expect(page.payload).toContain(words);
    }
  });

  it('describes a product to Stripe once, and again when it was renamed', async () => {
    const { priceId, productId } = await sell(h);
    const person = await h.person();
    const asked = () => h.fake.requests.filter(({ method, path }) => method === 'POST' && /products|prices/.test(path));
    await start(person, { priceId });
    const before = asked().length;
    await start(person, { priceId });
    expect(asked().length).toBe(before);
    const { token } = await h.admin(['catalog:manage']);
    await h.graphql(
      `mutation($id: ID!) { updateProduct(input: { productId: $id, name: "Renamed" }) { product { id } } }`,
      { token, variables: { id: productId } },
    );
    await start(person, { priceId });
    expect(asked().length).toBe(before + 1);
    expect(h.fake.store.all('product').map(({ name }) => name)).toContain('Renamed');
  });

  it('answers the same page for the same key, and a page that was paid without an address', async () => {
    const { priceId } = await sell(h);
    const person = await h.person();
    const idempotencyKey = newId();
    const first = await start(person, { priceId, idempotencyKey });
    const second = await start(person, { priceId, idempotencyKey });
    expect(second.data.startCheckout).toEqual({ ...first.data.startCheckout, replayed: true });
    completeSession(h.fake.store, sessionOf(first.data.startCheckout.url));
    await h.settled();
    const third = await start(person, { priceId, idempotencyKey });
    expect(third.data.startCheckout).toMatchObject({ id: first.data.startCheckout.id, url: null, replayed: true });
  });

  it('refuses the same key with other input: IDEMPOTENCY_CONFLICT', async () => {
    const { priceId } = await sell(h);
    const person = await h.person();
    const idempotencyKey = newId();
    await start(person, { priceId, idempotencyKey });
    expect((await start(person, { priceId, idempotencyKey, quantity: 2 })).code).toBe('IDEMPOTENCY_CONFLICT');
  });

  it('finds the session again when the process died before it learned it', async () => {
    const { priceId } = await sell(h);
    const person = await h.person();
    const { data } = await start(person, { priceId });
    await h.app.db.update(billingOrders).set({ stripeId: null }).where(eq(billingOrders.id, data.startCheckout.id));
    completeSession(h.fake.store, sessionOf(data.startCheckout.url));
    await h.settled();
    expect(await standing(h, person)).toMatchObject({ balance: 100 });
  });

  it.each([1, 2])('with %i lost answers and the same key makes one page', async (times) => {
    const { priceId } = await sell(h);
    const person = await h.person();
    const idempotencyKey = newId();
    h.fake.faults.add({ kind: 'reset', method: 'POST', path: /checkout\/sessions$/, times, takesEffect: true });
    const first = await start(person, { priceId, idempotencyKey });
    // The client itself tries once more.
    expect(first.code).toBe(times === 1 ? undefined : 'UPSTREAM_FAILED');
    const { data } = await start(person, { priceId, idempotencyKey });
    const [order] = await h.app.db.select().from(billingOrders).where(eq(billingOrders.userId, person.id));
    expect(data.startCheckout.id).toBe(order?.id);
    const made = h.fake.store.all('checkout.session').filter((session) => session.client_reference_id === order?.id);
    expect(made).toHaveLength(1);
  });

  it('pays out when a slow bank says yes, and not before; not at all when it says no', async () => {
    const { priceId } = await sell(h);
    for (const isPaid of [true, false]) {
      const person = await h.person();
      const { data } = await start(person, { priceId });
      const id = sessionOf(data.startCheckout.url);
      completeSession(h.fake.store, id, { delayed: true });
      await h.settled();
      expect(await standing(h, person)).toMatchObject({ balance: 0 });
      settleDelayed(h.fake.store, id, isPaid);
      await h.settled();
      expect(await standing(h, person)).toMatchObject({ balance: isPaid ? 100 : 0 });
      const [row] = await h.app.db.select().from(payments).where(eq(payments.stripeId, id));
      expect(row?.status).toBe(isPaid ? 'SUCCEEDED' : 'FAILED');
    }
  });

  it('begins a subscription on Stripe’s page', async () => {
    const { priceId, planCode } = await sell(h, { kind: 'SUBSCRIPTION', monthlyCredits: 300 });
    const person = await h.person();
    const { data } = await start(person, { priceId });
    completeSession(h.fake.store, sessionOf(data.startCheckout.url));
    await h.settled();
    expect(await standing(h, person)).toMatchObject({
      plan: planCode,
      movements: ['PLAN_GRANT 300'],
      subscription: { status: 'ACTIVE' },
    });
  });

  it('refuses a second subscription: CONFLICT', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    const person = await h.person();
    await subscribe(h, person, priceId);
    expect((await start(person, { priceId })).code).toBe('CONFLICT');
  });

  it.each([
    ['no price', { priceId: 'x' }],
    ['a price of Stripe’s', { priceId: 'price_123' }],
    ['none of it', { quantity: 0 }],
    ['too many', { quantity: 101 }],
    ['an empty key', { idempotencyKey: '' }],
    ['somebody else’s address to come back to', { successUrl: 'https://evil.example/' }],
    ['an address that only begins like ours', { cancelUrl: 'http://127.0.0.1:4000.evil.example/' }],
    ['an address with a name in it', { successUrl: 'http://me@127.0.0.1:4000/' }],
    ['a script to come back to', { successUrl: 'javascript:alert(1)' }],
  ])('refuses %s: BAD_USER_INPUT', async (_, changes) => {
    const { priceId } = await sell(h);
    expect((await start(await h.person(), { priceId, ...changes })).code).toBe('BAD_USER_INPUT');
  });

  it('refuses two subscriptions at once: BAD_USER_INPUT', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
    expect((await start(await h.person(), { priceId, quantity: 2 })).code).toBe('BAD_USER_INPUT');
  });

  it('refuses what is not sold any more: NOT_FOUND', async () => {
    const { priceId, productId } = await sell(h);
    const { token } = await h.admin(['catalog:manage']);
    await h.graphql(`mutation($id: ID!) { archiveProduct(productId: $id) { product { id } } }`, {
      token,
      variables: { id: productId },
    });
    const person = await h.person();
    expect((await start(person, { priceId })).code).toBe('NOT_FOUND');
    expect((await start(person, { priceId: newId() })).code).toBe('NOT_FOUND');
  });

  it('gives a person five in an hour, whoever asks: RATE_LIMITED', async () => {
    const { priceId } = await sell(h);
    const person = await h.person();
    for (let n = 0; n < 5; n += 1) expect((await start(person, { priceId })).code).toBeUndefined();
    const refused = await start(person, { priceId });
    expect(refused.code).toBe('RATE_LIMITED');
    expect(refused.errors?.[0]?.extensions.retryAfterSeconds).toBeGreaterThan(0);
    expect((await start(await h.person(), { priceId })).code).toBeUndefined();
  });

  it('gives a network twenty in a day, whoever they are: RATE_LIMITED', async () => {
    const { priceId } = await sell(h);
    const codes: (string | undefined)[] = [];
    for (let n = 0; n < 7; n += 1) {
      const { token } = await h.person();
      for (let of = 0; of < 3; of += 1) {
        const variables = { input: { priceId, idempotencyKey: newId() } };
        codes.push((await h.graphql(START_CHECKOUT, { token, variables, ip: '203.0.113.9' })).code);
      }
    }
    expect(codes.slice(0, 20)).toEqual(Array(20).fill(undefined));
    expect(codes[20]).toBe('RATE_LIMITED');
  });

  it('two at once make one customer', async () => {
    const { priceId } = await sell(h);
    const person = await h.person();
    const answers = await Promise.all([
      start(person, { priceId }),
      start(person, { priceId }),
      start(person, { priceId }),
    ]);
    const fine = answers.filter(({ code }) => code === undefined);
    expect(fine.length).toBeGreaterThan(0);
    for (const { code } of answers) expect([undefined, 'RETRY_LATER']).toContain(code);
    const customers = h.fake.store.all('customer').filter(({ email }) => email === person.email);
    expect(customers).toHaveLength(1);
    const rows = await h.app.db.select().from(billingCustomers).where(eq(billingCustomers.userId, person.id));
    expect(rows).toMatchObject([{ stripeCustomerId: customers[0]?.id, status: 'OPEN' }]);
  });

  it('tells nothing of Stripe when it does not answer as it should: UPSTREAM_FAILED', async () => {
    const { priceId } = await sell(h);
    h.fake.faults.add({ kind: 'garbage', method: 'POST', times: 9 });
    const { code, errors } = await start(await h.person(), { priceId });
    h.fake.faults.clear();
    expect(code).toBe('UPSTREAM_FAILED');
    expect(JSON.stringify(errors)).not.toMatch(/stripe|sk_test/i);
  });

  it('is for verified people who act for themselves', async () => {
    const { priceId } = await sell(h);
    expect((await start(await h.person({ verified: false }), { priceId })).code).toBe('EMAIL_NOT_VERIFIED');
    const input = { priceId, idempotencyKey: newId() };
    expect((await h.graphql(START_CHECKOUT, { variables: { input } })).code).toBe('UNAUTHENTICATED');
  });
});

describe('createCheckoutSession', () => {
  const CREATE = `mutation($input: CreateCheckoutSessionInput!) { createCheckoutSession(input: $input) { id url } }`;

  it('sells to a person on behalf of a service', async () => {
    const { priceId } = await sell(h);
    const person = await h.person();
    const { key: serviceKey } = await h.service(['billing:write']);
    const input = { userId: person.id, priceId, idempotencyKey: newId() };
    const { data } = await h.graphql(CREATE, { serviceKey, variables: { input } });
    completeSession(h.fake.store, sessionOf(data.createCheckoutSession.url));
    await h.settled();
    expect(await standing(h, person)).toMatchObject({ balance: 100 });
  });

  it('refuses nobody: NOT_FOUND, and people whose address is not proven: EMAIL_NOT_VERIFIED', async () => {
    const { priceId } = await sell(h);
    const { key: serviceKey } = await h.service(['billing:write']);
    const call = (userId: string) =>
      h.graphql(CREATE, { serviceKey, variables: { input: { userId, priceId, idempotencyKey: newId() } } });
    expect((await call(newId())).code).toBe('NOT_FOUND');
    expect((await call((await h.person({ verified: false })).id)).code).toBe('EMAIL_NOT_VERIFIED');
  });

  it('one key for two people is a conflict, and a service without the scope is refused', async () => {
    const { priceId } = await sell(h);
    const { key: serviceKey } = await h.service(['billing:write']);
    const idempotencyKey = newId();
    const call = async (serviceKey: string) => {
      const input = { userId: (await h.person()).id, priceId, idempotencyKey };
      return h.graphql(CREATE, { serviceKey, variables: { input } });
    };
    expect((await call(serviceKey)).code).toBeUndefined();
    expect((await call(serviceKey)).code).toBe('IDEMPOTENCY_CONFLICT');
    const { key: other } = await h.service(['billing:read']);
    expect((await call(other)).code).toBe('FORBIDDEN');
  });
});

it('a checkout for another sum than the order brings nothing, and the event is given up with an alarm', async () => {
  const { priceId } = await sell(h);
  const person = await h.person();
  const { data } = await start(person, { priceId });
  const id = sessionOf(data.startCheckout.url);
  await h.app.db.update(billingOrders).set({ amountMinor: 5 }).where(eq(billingOrders.stripeId, id));
  completeSession(h.fake.store, id);
  await h.settled();
  expect(await standing(h, person)).toMatchObject({ balance: 0 });
  expect(await h.app.metrics.text()).toMatch(/credence_alarms_total\{check="billing"\} [1-9]/);
  expect(await buy(h, await h.person(), priceId)).toEqual(expect.any(String));
});
