import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { paymentReversals, payments } from '../../src/modules/payments/payments.table.js';
import { type BillingHarness, buy, createBillingHarness, sell, standing, subscribe } from '../support/billing.js';
import { Params, parseForm } from '../support/fake-stripe/params.ts';
import { closeDispute, createRefund, failRefund, openDispute } from '../support/fake-stripe/reversals.ts';
import type { Person } from '../support/harness.js';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
let priceId: string;
beforeAll(async () => {
  h = await createBillingHarness();
  ({ priceId } = await sell(h, { amountMinor: 999, credits: 100 }));
});
afterAll(() => h.close());

async function customer(): Promise<{ person: Person; intent: string; charge: string }> {
  const person = await h.person();
  const session = await buy(h, person, priceId);
  const intent = String(h.fake.store.get('checkout.session', session).payment_intent);
  const charge = String(h.fake.store.get('payment_intent', intent).latest_charge);
  return { person, intent, charge };
}

async function refund(intent: string, amount?: number): Promise<string> {
  const form = `payment_intent=${intent}${amount === undefined ? '' : `&amount=${amount}`}`;
  const { id } = createRefund(h.fake.store, new Params(parseForm(form)));
  await h.settled();
  return id;
}

async function spend(person: Person, amount: number) {
  const { key: serviceKey } = await h.service(['credits:use']);
  const { errors } = await h.graphql(`mutation($input: UseCreditsInput!) { useCredits(input: $input) { replayed } }`, {
    serviceKey,
    variables: { input: { userId: person.id, amount, idempotencyKey: newId() } },
  });
  expect(errors).toBeUndefined();
}

const LIST = `query($userId: ID!) { payments(userId: $userId) { totalCount nodes {
  status amountMinor reversedMinor creditsGranted reversals { kind stripeStatus amountMinor effective creditsTaken creditsOwed } } } }`;

async function listed(person: Person) {
  const { token } = await h.admin(['billing:read']);
  const { data, errors } = await h.graphql(LIST, { token, variables: { userId: person.id } });
  expect(errors).toBeUndefined();
  return data.payments.nodes;
}

describe('refunds', () => {
  it('take back all credits of a payment that went back', async () => {
    const { person, intent } = await customer();
    await refund(intent);
    expect(await standing(h, person)).toMatchObject({ balance: 0, movements: ['CLAWBACK -100', 'PURCHASE 100'] });
    expect(await listed(person)).toEqual([
      {
        status: 'SUCCEEDED',
        amountMinor: 999,
        reversedMinor: 999,
        creditsGranted: 100,
        reversals: [
          {
            kind: 'REFUND',
            stripeStatus: 'succeeded',
            amountMinor: 999,
            effective: true,
            creditsTaken: 100,
            creditsOwed: 0,
          },
        ],
      },
    ]);
  });

  it('in three parts take back their part each, and together exactly all', async () => {
    const { person, intent } = await customer();
    await refund(intent, 333);
    expect(await standing(h, person)).toMatchObject({ balance: 66 });
    await refund(intent, 333);
    await refund(intent, 333);
    expect(await standing(h, person)).toMatchObject({ balance: 0 });
  });

  it('never take an account below zero: the rest is owed and taken from the next purchase', async () => {
    const { person, intent } = await customer();
    await spend(person, 70);
    await refund(intent);
    expect(await standing(h, person)).toMatchObject({ balance: 0 });
    expect((await listed(person))[0].reversals[0]).toMatchObject({ creditsTaken: 30, creditsOwed: 70 });
    await buy(h, person, priceId);
    expect(await standing(h, person)).toMatchObject({ balance: 30 });
    const rows = await h.app.db.select().from(paymentReversals).where(eq(paymentReversals.userId, person.id));
    expect(rows).toMatchObject([{ creditsTaken: 100, creditsOwed: 0 }]);
  });

  it('leave alone what is held', async () => {
    const { person, intent } = await customer();
    const { key: serviceKey } = await h.service(['credits:use']);
    const input = { userId: person.id, amount: 40, idempotencyKey: newId() };
    await h.graphql(`mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { replayed } }`, {
      serviceKey,
      variables: { input },
    });
    await refund(intent);
    expect(await standing(h, person)).toMatchObject({ balance: 40 });
    expect((await listed(person))[0].reversals[0]).toMatchObject({ creditsTaken: 60, creditsOwed: 40 });
  });

  it('that fail give the credits back, and forgive what was owed', async () => {
    const { person, intent } = await customer();
    await spend(person, 70);
    const id = await refund(intent);
    failRefund(h.fake.store, id);
    await h.settled();
    expect(await standing(h, person)).toMatchObject({
      balance: 30,
      movements: ['ADJUSTMENT 30', 'CLAWBACK -30', 'USE -70', 'PURCHASE 100'],
    });
    expect((await listed(person))[0]).toMatchObject({
      reversedMinor: 0,
      reversals: [{ effective: false, creditsOwed: 0 }],
    });
  });

  it('of an invoice take back the credits of the period', async () => {
    const { priceId } = await sell(h, { kind: 'SUBSCRIPTION', monthlyCredits: 80 });
    const person = await h.person();
    await subscribe(h, person, priceId);
    const [row] = await h.app.db.select().from(payments).where(eq(payments.userId, person.id));
    await refund(row?.paymentIntentId ?? '');
    expect(await standing(h, person)).toMatchObject({ balance: 0, movements: ['CLAWBACK -80', 'PLAN_GRANT 80'] });
  });

  it('that are heard of before the payment itself end the same', async () => {
    const person = await h.person();
    h.fake.webhooks.hold();
    const session = await buy(h, person, priceId);
    const intent = String(h.fake.store.get('checkout.session', session).payment_intent);
    createRefund(h.fake.store, new Params(parseForm(`payment_intent=${intent}`)));
    for (const event of h.fake.webhooks.takeHeld().reverse()) await h.fake.webhooks.deliver(event);
    await h.fake.webhooks.release();
    expect(await standing(h, person)).toMatchObject({ balance: 0, movements: ['CLAWBACK -100', 'PURCHASE 100'] });
  });
});

describe('disputes', () => {
  it('take nothing while they are fought over, everything when lost, and give it back when won after all', async () => {
    const { person, charge } = await customer();
    const { id } = openDispute(h.fake.store, charge);
    await h.settled();
    expect(await standing(h, person)).toMatchObject({ balance: 100 });
    expect((await listed(person))[0]).toMatchObject({
      reversedMinor: 0,
      reversals: [{ kind: 'DISPUTE', effective: false }],
    });
    closeDispute(h.fake.store, id, 'lost');
    await h.settled();
    expect(await standing(h, person)).toMatchObject({ balance: 0 });
    // Banks change their mind, rarely.
    h.fake.store.change('charge.dispute.funds_reinstated', h.fake.store.get('dispute', id), { status: 'won' });
    await h.settled();
    expect(await standing(h, person)).toMatchObject({
      balance: 100,
      movements: ['ADJUSTMENT 100', 'CLAWBACK -100', 'PURCHASE 100'],
    });
  });

  it('that are won take nothing', async () => {
    const { person, charge } = await customer();
    const { id } = openDispute(h.fake.store, charge);
    closeDispute(h.fake.store, id, 'won');
    await h.settled();
    expect(await standing(h, person)).toMatchObject({ balance: 100, movements: ['PURCHASE 100'] });
  });
});

describe('payments', () => {
  it('goes page by page, of everybody or one state, for admins who hold billing:read', async () => {
    const { token } = await h.admin(['billing:read']);
    const query = `query($after: String) { payments(first: 2, after: $after, status: SUCCEEDED) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } }`;
    const first = (await h.graphql(query, { token })).data.payments;
    expect(first.nodes).toHaveLength(2);
    const second = (await h.graphql(query, { token, variables: { after: first.pageInfo.endCursor } })).data.payments;
    expect(second.nodes).not.toContainEqual(first.nodes[0]);
    const other = await h.admin(['audit:read']);
    expect((await h.graphql(query, { token: other.token })).code).toBe('FORBIDDEN');
    expect((await h.graphql(`{ payments(userId: "x") { totalCount } }`, { token })).code).toBe('BAD_USER_INPUT');
  });
});
