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

/** As many as there are connections for transactions: would each hold one, nobody else could do anything. */
const ALL = 4;

/** Nobody here holds a connection for what waits at Stripe, and everybody else goes on. */
async function expectNobodyHeldUp(): Promise<void> {
  await expect.poll(() => shop.h.app.database.load().free, { timeout: 2_000 }).toBeGreaterThan(0);
  const person = await shop.h.person();
  const { data } = await shop.h.graphql('{ me { id } }', { token: person.token });
  expect(data.me.id).toBe(person.id);
}

it('a sale that waits for Stripe holds no transaction', async () => {
  const { faults, requests } = shop.h.fake;
  expect(shop.h.app.database.load().free).toBeLessThanOrEqual(ALL);
  const people = [];
  for (let number = 0; number < ALL; number += 1) people.push(await shop.h.person());
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
  await expectNobodyHeldUp();
  for (const { errors } of await Promise.all(sales)) expect(errors).toBeUndefined();
});

it('an event that waits for Stripe holds no transaction', async () => {
  const { faults, requests, webhooks } = shop.h.fake;
  webhooks.hold();
  const buyers = [];
  for (let number = 0; number < ALL; number += 1) {
    const buyer = await shop.buyer();
    await buyer.subscribe();
    buyers.push(buyer);
  }
  const told = webhooks.takeHeld().filter(({ type }) => type === 'invoice.paid');
  faults.add({ kind: { lateMs: 4_000 }, method: 'GET', times: told.length });
  const before = requests.length;
  const deliveries = told.map((event) => webhooks.deliver(event));
  await expect.poll(() => requests.length - before, { timeout: 20_000 }).toBe(told.length);
  await expectNobodyHeldUp();
  expect(await Promise.all(deliveries)).toEqual(told.map(() => 200));
  for (const buyer of buyers) expect((await buyer.state()).balance).toBe(100);
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
