import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { finishClosings } from '../../src/modules/payments/customer-closing.service.js';
import { billingCustomers, billingOrders } from '../../src/modules/payments/payments.table.js';
import { eraseUser, restoreUser } from '../privacy/operations.js';
import {
  addressOf,
  type BillingHarness,
  createBillingHarness,
  START_CHECKOUT,
  sell,
  sessionOf,
  standing,
  subscribe,
} from '../support/billing.js';
import { completeSession } from '../support/fake-stripe/checkout.ts';
import type { Person } from '../support/harness.js';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
beforeAll(async () => {
  h = await createBillingHarness();
});
afterAll(() => h.close());

const leave = async ({ token }: Person) => {
  const { errors } = await h.graphql(`mutation { deleteAccount { purgeAt } }`, { token });
  expect(errors).toBeUndefined();
};
const customerOf = async ({ id }: Person) =>
  (await h.app.db.select().from(billingCustomers).where(eq(billingCustomers.userId, id)))[0];
const atStripe = (customer: string) =>
  h.fake.store.all('subscription').filter((subscription) => subscription.customer === customer);

async function subscriber(): Promise<{ person: Person; customer: string }> {
  const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
  const person = await h.person();
  await subscribe(h, person, priceId);
  return { person, customer: (await customerOf(person))?.stripeCustomerId ?? '' };
}

it('whoever leaves is not charged again, and their open pages sell nothing more', async () => {
  const { person, customer } = await subscriber();
  const { priceId } = await sell(h);
  const { data } = await h.graphql(START_CHECKOUT, {
    token: person.token,
    variables: { input: { priceId, idempotencyKey: newId() } },
    ip: addressOf(person),
  });
  await leave(person);
  // Written with the leaving, so that a process that dies here loses nothing.
  expect(await customerOf(person)).toMatchObject({ status: 'CLOSING' });
  expect(await finishClosings(h.app)).toBe(1);
  await h.settled();
  expect(await customerOf(person)).toMatchObject({ status: 'CLOSED' });
  expect(atStripe(customer)).toMatchObject([{ status: 'canceled' }]);
  expect(h.fake.store.get('checkout.session', sessionOf(data.startCheckout.url)).status).toBe('expired');
  const [order] = await h.app.db.select().from(billingOrders).where(eq(billingOrders.id, data.startCheckout.id));
  expect(order?.status).toBe('EXPIRED');
  expect(await finishClosings(h.app)).toBe(0);
});

it('with Stripe down they leave all the same, and it is made up for', async () => {
  const { person, customer } = await subscriber();
  await leave(person);
  h.fake.faults.add({ kind: 'reset', times: 50 });
  expect(await finishClosings(h.app)).toBe(0);
  h.fake.faults.clear();
  expect(await customerOf(person)).toMatchObject({ status: 'CLOSING', attempts: 1 });
  expect(await finishClosings(h.app)).toBe(0);
  h.clock.advance(60_000);
  expect(await finishClosings(h.app)).toBe(1);
  expect(atStripe(customer)).toMatchObject([{ status: 'canceled' }]);
});

it('whoever comes back has the plan of a subscription that lasts, and not of one that has ended', async () => {
  const admin = await h.admin(['users:delete']);
  const back = async (person: Person) => {
    expect((await restoreUser(h, admin, { userId: person.id })).errors).toBeUndefined();
    const { token } = await h.admin(['users:read']);
    const { data } = await h.graphql(`query($id: ID!) { user(id: $id) { plan { code } } }`, {
      token,
      variables: { id: person.id },
    });
    return data.user.plan.code;
  };
  const early = await subscriber();
  const { plan } = await standing(h, early.person);
  await leave(early.person);
  expect(await back(early.person)).toBe(plan);
  expect(await finishClosings(h.app)).toBe(0);
  expect(atStripe(early.customer)).toMatchObject([{ status: 'active' }]);

  const late = await subscriber();
  await leave(late.person);
  await finishClosings(h.app);
  await h.settled();
  expect(await back(late.person)).toBe('free');
  expect(await customerOf(late.person)).toMatchObject({ status: 'OPEN' });
});

it('whoever is erased is erased at Stripe, and their number here goes with it', async () => {
  const { person, customer } = await subscriber();
  const admin = await h.admin(['users:delete']);
  expect((await eraseUser(h, admin, person.id)).errors).toBeUndefined();
  expect(await finishClosings(h.app)).toBe(1);
  await h.settled();
  expect(await customerOf(person)).toMatchObject({ status: 'ERASED', stripeCustomerId: null });
  expect(atStripe(customer)).toMatchObject([{ status: 'canceled' }]);
});

it('money of somebody who has left is booked, brings nothing, and alarms', async () => {
  const { priceId } = await sell(h);
  const person = await h.person();
  const { data } = await h.graphql(START_CHECKOUT, {
    token: person.token,
    variables: { input: { priceId, idempotencyKey: newId() } },
    ip: addressOf(person),
  });
  await leave(person);
  completeSession(h.fake.store, sessionOf(data.startCheckout.url));
  await h.settled();
  const { token } = await h.admin(['billing:read']);
  const listed = await h.graphql(`query($id: ID!) { payments(userId: $id) { nodes { status creditsGranted } } }`, {
    token,
    variables: { id: person.id },
  });
  expect(listed.data.payments.nodes).toEqual([{ status: 'SUCCEEDED', creditsGranted: 0 }]);
  expect(await h.app.metrics.text()).toMatch(/credence_alarms_total\{check="billing"\} [1-9]/);
});
