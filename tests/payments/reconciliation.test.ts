import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkBilling } from '../../src/jobs/schedule.js';
import { paymentReversals, payments, subscriptions } from '../../src/modules/payments/payments.table.js';
import { type BillingHarness, buy, createBillingHarness, sell, subscribe } from '../support/billing.js';
import { Params, parseForm } from '../support/fake-stripe/params.ts';
import { createRefund } from '../support/fake-stripe/reversals.ts';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
let token: string;
beforeAll(async () => {
  h = await createBillingHarness();
  ({ token } = await h.admin(['billing:read']));
});
afterAll(() => h.close());

const QUERY = `query($from: DateTime, $to: DateTime) { billingReconciliation(from: $from, to: $to) {
  ok payments reversals subscriptions pendingEvents deadEvents truncated
  differences { kind userId stripeId here atStripe } } }`;

/** A few minutes later: what has just happened may still be on its way, and is not looked at yet. */
async function later<T>(act: () => Promise<T>): Promise<T> {
  h.clock.advance(400_000);
  try {
    return await act();
  } finally {
    // Signatures of Stripe's are good for five minutes, by its clock.
    h.clock.advance(-400_000);
  }
}

async function reconcile() {
  const { data, errors } = await later(() => h.graphql(QUERY, { token }));
  expect(errors).toBeUndefined();
  return data.billingReconciliation;
}

describe('billingReconciliation', () => {
  it('finds nothing where nothing differs, and everything that was taken out of the books', async () => {
    const pack = await sell(h);
    const plan = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 500 });
    const person = await h.person();
    const session = await buy(h, person, pack.priceId);
    await subscribe(h, person, plan.priceId);
    const intent = String(h.fake.store.get('checkout.session', session).payment_intent);
    createRefund(h.fake.store, new Params(parseForm(`payment_intent=${intent}&amount=100`)));
    await h.settled();
    expect(await reconcile()).toEqual({
      ok: true,
      payments: 2,
      reversals: 1,
      subscriptions: 1,
      pendingEvents: 0,
      deadEvents: 0,
      truncated: false,
      differences: [],
    });
    await later(() => checkBilling(h.app));
    expect(await h.app.metrics.text()).toMatch(/credence_alarms_total\{check="billing"\} 0/);

    await h.app.db.delete(paymentReversals).where(eq(paymentReversals.userId, person.id));
    await h.app.db.update(payments).set({ amountMinor: 7_000 }).where(eq(payments.stripeId, session));
    await h.app.db.delete(payments).where(eq(payments.kind, 'INVOICE'));
    await h.app.db.update(subscriptions).set({ status: 'PAST_DUE' }).where(eq(subscriptions.userId, person.id));
    const before = h.fake.requests.length;
    const { ok, differences } = await reconcile();
    expect(ok).toBe(false);
    expect(differences.map(({ kind }: { kind: string }) => kind).sort()).toEqual([
      'PAYMENT_DIFFERS',
      'PAYMENT_MISSING',
      'REVERSAL_MISSING',
      'SUBSCRIPTION_DIFFERS',
    ]);
    expect(differences).toContainEqual({
      kind: 'PAYMENT_DIFFERS',
      userId: person.id,
      stripeId: session,
      here: 'SUCCEEDED 7000 EUR',
      atStripe: 'SUCCEEDED 1000 EUR',
    });
    expect(h.fake.requests.slice(before).every(({ method }) => method === 'GET')).toBe(true);
    await later(() => checkBilling(h.app));
    expect(await h.app.metrics.text()).toMatch(/credence_alarms_total\{check="billing"\} 1/);
  });

  it('refuses a time that is none: BAD_USER_INPUT, and admins without billing:read: FORBIDDEN', async () => {
    const bad = [
      { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' },
      { from: '2026-01-01T00:00:00Z', to: '2026-03-01T00:00:00Z' },
    ];
    for (const variables of bad) expect((await h.graphql(QUERY, { token, variables })).code).toBe('BAD_USER_INPUT');
    const other = await h.admin(['system:read']);
    expect((await h.graphql(QUERY, { token: other.token })).code).toBe('FORBIDDEN');
  });
});

it('statistics tell the revenue of each day by currency', async () => {
  const dollars = await sell(h, { currency: 'USD', amountMinor: 300 });
  await buy(h, await h.person(), dollars.priceId);
  await buy(h, await h.person(), dollars.priceId);
  const admin = await h.admin(['system:read']);
  const now = h.app.now().getTime();
  const variables = { from: new Date(now - 86_400_000).toISOString(), to: new Date(now + 1_000).toISOString() };
  const { data } = await h.graphql(
    `query($from: DateTime!, $to: DateTime!) { statistics(from: $from, to: $to) { days { revenue { currency payments amountMinor reversedMinor } } } }`,
    { token: admin.token, variables },
  );
  const all = data.statistics.days.flatMap(({ revenue }: { revenue: object[] }) => revenue);
  expect(all).toContainEqual({ currency: 'USD', payments: 2, amountMinor: 600, reversedMinor: 0 });
});
