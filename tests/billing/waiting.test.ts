import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { transact } from '../../src/core/database.js';
import { addressOf, START_CHECKOUT } from '../support/billing.js';
import { openShop, type Shop } from '../support/shop.js';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.h.close());

/** Once so many requests wait at Stripe, nobody here may hold a connection for them, and everybody else goes on. */
async function expectNobodyHeldUp(idle: { free: number }): Promise<void> {
  expect(shop.h.app.database.load()).toMatchObject({ free: idle.free, waiting: 0 });
  const person = await shop.h.person();
  const { data } = await shop.h.graphql('{ me { id } }', { token: person.token });
  expect(data.me.id).toBe(person.id);
}

it('a sale that waits for Stripe holds no transaction', async () => {
  const { faults, requests } = shop.h.fake;
  const idle = shop.h.app.database.load();
  const people = [await shop.h.person(), await shop.h.person(), await shop.h.person()];
  faults.add({ kind: { lateMs: 4_000 }, method: 'POST', path: /customers$/, times: people.length });
  const before = requests.length;
  const sales = people.map((person) =>
    shop.h.graphql(START_CHECKOUT, {
      token: person.token,
      variables: { input: { priceId: shop.prices.pack, idempotencyKey: newId() } },
      ip: addressOf(person),
    }),
  );
  await expect.poll(() => requests.length - before, { timeout: 20_000 }).toBe(people.length);
  await expectNobodyHeldUp(idle);
  for (const { errors } of await Promise.all(sales)) expect(errors).toBeUndefined();
});

it('an event that waits for Stripe holds no transaction', async () => {
  const { faults, requests, webhooks } = shop.h.fake;
  const idle = shop.h.app.database.load();
  const buyer = await shop.buyer();
  webhooks.hold();
  await buyer.subscribe();
  const told = webhooks
    .takeHeld()
    .filter(({ type }) => type === 'invoice.paid' || type === 'customer.subscription.updated');
  faults.add({ kind: { lateMs: 4_000 }, method: 'GET', times: told.length });
  const before = requests.length;
  const deliveries = told.map((event) => webhooks.deliver(event));
  await expect.poll(() => requests.length - before, { timeout: 20_000 }).toBe(told.length);
  await expectNobodyHeldUp(idle);
  expect(await Promise.all(deliveries)).toEqual(told.map(() => 200));
  expect((await buyer.state()).balance).toBe(100);
  await webhooks.release();
});

it('a Stripe that never answers is given up after two attempts of eight seconds; the sale can be tried again', async () => {
  const { faults, store } = shop.h.fake;
  const person = await shop.h.person();
  const sale = { priceId: shop.prices.pack, idempotencyKey: newId() };
  const start = () =>
    shop.h.graphql(START_CHECKOUT, { token: person.token, variables: { input: sale }, ip: addressOf(person) });
  faults.add({ kind: 'hang', path: /checkout\/sessions$/, takesEffect: true, times: 2 });
  const started = Date.now();
  expect((await start()).code).toBe('UPSTREAM_FAILED');
  expect(Date.now() - started).toBeGreaterThanOrEqual(15_900);
  const made = store.all('checkout.session').length;
  const { data, errors } = await start();
  expect(errors).toBeUndefined();
  expect(data.startCheckout.url).toContain('/c/pay/cs_test_');
  // Both answers were lost, and both requests had made it: the session is the same one.
  expect(store.all('checkout.session')).toHaveLength(made);
}, 120_000);

it('Stripe cannot be asked within a transaction at all', async () => {
  const { app, fake } = shop.h;
  const before = fake.requests.length;
  const asked = transact(app, async (inner) => inner.payments?.call((stripe) => stripe.customers.list()));
  await expect(asked).rejects.toThrow('inside a transaction');
  expect(fake.requests).toHaveLength(before);
});
