import { Stripe } from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { completeSession, expireSession, settleDelayed } from '../support/fake-stripe/checkout.ts';
import { closeDispute, failRefund, openDispute } from '../support/fake-stripe/reversals.ts';
import { type FakeStripe, startFakeStripe } from '../support/fake-stripe/server.ts';
import { enterCard } from '../support/fake-stripe/setup-intents.ts';

// The stand-in is only worth what it has in common with Stripe: these are things the documentation promises,
// asked through Stripe's own client.

const DAY = 86_400_000;
let fake: FakeStripe;
let stripe: Stripe;

beforeAll(async () => {
  fake = await startFakeStripe();
  const { hostname: host, port } = new URL(fake.url);
  stripe = new Stripe(fake.secretKey, { host, port, protocol: 'http', maxNetworkRetries: 0 });
});
afterAll(() => fake.close());

let seen = 0;
beforeEach(() => {
  seen = fake.webhooks.events.length;
});
/** Kinds of events since the test began. */
const kinds = () => fake.webhooks.events.slice(seen).map((event) => event.type);

async function price(amount: number, interval?: 'month' | 'year'): Promise<Stripe.Price> {
  const product = await stripe.products.create({ name: `Thing at ${amount}` });
  return stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: amount,
    ...(interval && { recurring: { interval } }),
  });
}

async function customer(card?: string): Promise<Stripe.Customer> {
  const { id } = await stripe.customers.create({ email: 'ada@example.com' });
  if (card !== undefined) {
    const method = await stripe.paymentMethods.attach(card, { customer: id });
    await stripe.customers.update(id, { invoice_settings: { default_payment_method: method.id } });
  }
  return (await stripe.customers.retrieve(id)) as Stripe.Customer;
}

async function subscribe(amount = 1_000): Promise<Stripe.Subscription> {
  const { id } = await customer('pm_card_visa');
  return stripe.subscriptions.create({ customer: id, items: [{ price: (await price(amount, 'month')).id }] });
}

const cardOf = (subscription: Stripe.Subscription): string => {
  const owner = fake.store.customer(String(subscription.customer));
  return String(owner.invoice_settings.default_payment_method);
};

describe('what every request has in common', () => {
  it('takes no wrong key, no unknown address and no unknown parameter', async () => {
    const { hostname: host, port } = new URL(fake.url);
    const stranger = new Stripe('sk_test_stranger', { host, port, protocol: 'http' });
    await expect(stranger.customers.list()).rejects.toMatchObject({ type: 'StripeAuthenticationError' });
    await expect(stripe.rawRequest('GET', '/v1/nothing')).rejects.toMatchObject({ statusCode: 404 });
    await expect(stripe.customers.create({ colour: 'red' } as object)).rejects.toMatchObject({
      code: 'parameter_unknown',
    });
    await expect(stripe.prices.create({ currency: 'usd' })).rejects.toMatchObject({ code: 'parameter_missing' });
  });

  it('answers one key once, and refuses it for anything else', async () => {
    const first = await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k' });
    const again = await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k' });
    expect(again.id).toBe(first.id);
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true');
    await expect(stripe.customers.create({ name: 'Eve' }, { idempotencyKey: 'k' })).rejects.toMatchObject({
      type: 'StripeIdempotencyError',
      statusCode: 400,
    });
    fake.advance(DAY);
    expect((await stripe.customers.create({ name: 'Eve' }, { idempotencyKey: 'k' })).name).toBe('Eve');
  });

  it('keeps what a card answered for its key, but not what was wrong in the input', async () => {
    const pay = (idempotencyKey: string, amount: number) =>
      stripe.paymentIntents.create(
        { amount, currency: 'usd', payment_method: 'pm_card_chargeDeclined', confirm: true },
        { idempotencyKey },
      );
    await expect(pay('declined', 100)).rejects.toMatchObject({
      code: 'card_declined',
      decline_code: 'generic_decline',
    });
    const charges = fake.store.all('charge').length;
    await expect(pay('declined', 100)).rejects.toMatchObject({ code: 'card_declined' });
    expect(fake.store.all('charge')).toHaveLength(charges);
    await expect(pay('mended', 0)).rejects.toMatchObject({ param: 'amount' });
    await expect(pay('mended', 100)).rejects.toMatchObject({ code: 'card_declined' });
  });

  it('has one request at a time for one key', async () => {
    fake.faults.add({ kind: { lateMs: 1_500 }, path: /customers$/ });
    const slow = stripe.customers.create({}, { idempotencyKey: 'busy' });
    await expect.poll(() => fake.requests.some(({ idempotencyKey }) => idempotencyKey === 'busy')).toBe(true);
    await expect(stripe.customers.create({}, { idempotencyKey: 'busy' })).rejects.toMatchObject({
      statusCode: 409,
      code: 'idempotency_key_in_use',
    });
    await slow;
  });

  it('pages through lists, newest first', async () => {
    const { id } = await price(5);
    const product = String((await stripe.prices.retrieve(id)).product);
    for (let index = 0; index < 4; index += 1)
      await stripe.prices.create({ product, currency: 'usd', unit_amount: index });
    const all: (number | null)[] = [];
    for await (const row of stripe.prices.list({ product, limit: 2 })) all.push(row.unit_amount);
    expect(all).toEqual([3, 2, 1, 0, 5]);
    await expect(stripe.prices.list({ starting_after: 'price_none' })).rejects.toMatchObject({
      code: 'resource_missing',
    });
  });

  it('expands what is asked for, and nothing else', async () => {
    const { id, latest_invoice } = await subscribe();
    expect(latest_invoice).toMatch(/^in_/);
    const whole = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice.payments', 'customer'] });
    expect(whole).toMatchObject({
      customer: { email: 'ada@example.com' },
      latest_invoice: { payments: { data: [{ payment: { type: 'payment_intent' } }] } },
    });
    await expect(stripe.subscriptions.retrieve(id, { expand: ['secrets'] })).rejects.toMatchObject({ param: 'expand' });
  });
});

describe('checkout', () => {
  const open = async (params: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
    stripe.checkout.sessions.create({
      mode: 'payment',
      customer: (await customer()).id,
      line_items: [{ price: (await price(700)).id, quantity: 2 }],
      success_url: 'https://app.example.com/done?session={CHECKOUT_SESSION_ID}',
      metadata: { order: '7' },
      ...params,
    });

  it('is paid on its page, which leads back', async () => {
    const session = await open();
    expect(session).toMatchObject({
      status: 'open',
      payment_status: 'unpaid',
      amount_total: 1_400,
      payment_intent: null,
    });
    const page = await fetch(String(session.url));
    expect(await page.text()).toContain('$14.00');
    const paid = await fetch(String(session.url), { method: 'POST', body: new URLSearchParams(), redirect: 'manual' });
    expect(paid.headers.get('location')).toBe(`https://app.example.com/done?session=${session.id}`);
    const after = await stripe.checkout.sessions.retrieve(session.id, { expand: ['line_items', 'payment_intent'] });
    expect(after).toMatchObject({
      status: 'complete',
      payment_status: 'paid',
      metadata: { order: '7' },
      payment_intent: { status: 'succeeded', amount_received: 1_400 },
      line_items: { data: [{ quantity: 2, amount_total: 1_400 }] },
    });
    expect(kinds().slice(-4)).toEqual([
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'checkout.session.completed',
    ]);
  });

  it('stays open when a card is declined', async () => {
    const session = await open();
    const body = new URLSearchParams({ card: '4000 0000 0000 0002' });
    const page = await fetch(String(session.url), { method: 'POST', body, redirect: 'manual' });
    expect(page.status).toBe(402);
    expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('open');
    expect(kinds()).toContain('payment_intent.payment_failed');
  });

  it('can be complete and not yet paid', async () => {
    const [one, other] = [await open(), await open()];
    for (const [session, paid] of [
      [one, true],
      [other, false],
    ] as const) {
      expect(completeSession(fake.store, session.id, { delayed: true }).payment_status).toBe('unpaid');
      settleDelayed(fake.store, session.id, paid);
      expect((await stripe.checkout.sessions.retrieve(session.id)).payment_status).toBe(paid ? 'paid' : 'unpaid');
    }
    expect(kinds()).toEqual(
      expect.arrayContaining(['checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed']),
    );
  });

  it('expires, when told to and by itself after a day', async () => {
    const [one, other] = [await open(), await open()];
    expireSession(fake.store, one.id);
    fake.advance(DAY);
    expect((await stripe.checkout.sessions.retrieve(other.id)).status).toBe('expired');
    const expired = fake.webhooks.events.slice(seen).filter(({ type }) => type === 'checkout.session.expired');
    expect(expired.map(({ data }) => (data.object as { id: string }).id)).toEqual(
      expect.arrayContaining([one.id, other.id]),
    );
    await expect(stripe.checkout.sessions.expire(one.id)).rejects.toMatchObject({ type: 'StripeInvalidRequestError' });
  });

  it('sells a subscription, which charges the card that was entered', async () => {
    const line_items = [{ price: (await price(900, 'month')).id, quantity: 1 }];
    await expect(open({ line_items })).rejects.toMatchObject({ param: 'mode' });
    const session = await open({ mode: 'subscription', line_items, subscription_data: { metadata: { user: 'u1' } } });
    completeSession(fake.store, session.id);
    const { subscription } = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
    expect(subscription).toMatchObject({ status: 'active', metadata: { user: 'u1' } });
    expect(kinds()).toEqual(
      expect.arrayContaining(['customer.subscription.created', 'invoice.paid', 'checkout.session.completed']),
    );
  });
});

describe('cards', () => {
  it('are saved through a setup intent, listed, and detached for good', async () => {
    const { id } = await customer();
    const intent = await stripe.setupIntents.create({ customer: id });
    expect(intent).toMatchObject({
      status: 'requires_payment_method',
      client_secret: expect.stringContaining('_secret_'),
    });
    enterCard(fake.store, intent.id, '5555555555554444');
    const { data } = await stripe.customers.listPaymentMethods(id);
    expect(data).toMatchObject([{ card: { brand: 'mastercard', last4: '4444' } }]);
    const method = String(data[0]?.id);
    await stripe.paymentMethods.detach(method);
    expect((await stripe.customers.listPaymentMethods(id)).data).toEqual([]);
    await expect(stripe.paymentMethods.detach(method)).rejects.toMatchObject({ type: 'StripeInvalidRequestError' });
    expect(kinds()).toEqual(
      expect.arrayContaining(['setup_intent.succeeded', 'payment_method.attached', 'payment_method.detached']),
    );
  });

  it('belong to one customer', async () => {
    const [one, other] = [await customer('pm_card_visa'), await customer()];
    const method = String(one.invoice_settings.default_payment_method);
    await expect(stripe.paymentMethods.attach(method, { customer: other.id })).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});

describe('subscriptions', () => {
  it('begin with a paid invoice whose lines tell price and period', async () => {
    const subscription = await subscribe();
    expect(subscription).toMatchObject({ status: 'active', cancel_at_period_end: false });
    const invoice = await stripe.invoices.retrieve(String(subscription.latest_invoice));
    const [item] = subscription.items.data;
    expect(invoice).toMatchObject({
      status: 'paid',
      billing_reason: 'subscription_create',
      parent: { subscription_details: { subscription: subscription.id } },
      lines: {
        data: [
          {
            amount: 1_000,
            pricing: { price_details: { price: item?.price.id } },
            period: { start: item?.current_period_start, end: item?.current_period_end },
          },
        ],
      },
    });
  });

  it('renew each month, on the same day or the last one', async () => {
    const { id } = await subscribe();
    fake.advance(100 * DAY);
    const { data } = await stripe.invoices.list({ subscription: id });
    expect(data.map((invoice) => invoice.billing_reason)).toEqual([
      'subscription_cycle',
      'subscription_cycle',
      'subscription_cycle',
      'subscription_create',
    ]);
    const periods = data.map((invoice) => invoice.lines.data[0]?.period).reverse();
    for (const [index, period] of periods.entries()) if (index > 0) expect(period?.start).toBe(periods[index - 1]?.end);
  });

  it('fall past due when the card fails, and recover with the next attempt', async () => {
    const subscription = await subscribe();
    const card = cardOf(subscription);
    fake.store.wallet.set(card, {
      decline: { code: 'card_declined', declineCode: 'insufficient_funds' },
      attaches: true,
    });
    fake.advance(31 * DAY);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('past_due');
    expect(kinds()).toContain('invoice.payment_failed');
    fake.store.wallet.set(card, { decline: undefined, attaches: true });
    fake.advance(4 * DAY);
    expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active');
  });

  it('end when every attempt fails', async () => {
    const subscription = await subscribe();
    fake.store.wallet.set(cardOf(subscription), {
      decline: { code: 'expired_card', declineCode: null },
      attaches: true,
    });
    fake.advance(40 * DAY);
    const ended = await stripe.subscriptions.retrieve(subscription.id);
    expect(ended).toMatchObject({ status: 'canceled', cancellation_details: { reason: 'payment_failed' } });
    expect(kinds().filter((kind) => kind === 'invoice.payment_failed')).toHaveLength(4);
    expect(kinds().at(-1)).toBe('customer.subscription.deleted');
  });

  it('end with their period when that is wanted, unless it is wanted no more', async () => {
    const [one, other] = [await subscribe(), await subscribe()];
    for (const { id } of [one, other]) await stripe.subscriptions.update(id, { cancel_at_period_end: true });
    await stripe.subscriptions.update(other.id, { cancel_at_period_end: false });
    fake.advance(32 * DAY);
    expect((await stripe.subscriptions.retrieve(one.id)).status).toBe('canceled');
    expect(await stripe.subscriptions.retrieve(other.id)).toMatchObject({ status: 'active', cancel_at: null });
    await expect(stripe.subscriptions.cancel(one.id)).rejects.toMatchObject({ code: 'resource_missing' });
  });

  it('change price in the middle: the rest of both is invoiced at once when asked', async () => {
    const subscription = await subscribe(1_000);
    const dearer = await price(3_000, 'month');
    fake.advance(10 * DAY);
    const changed = await stripe.subscriptions.update(subscription.id, {
      items: [{ id: String(subscription.items.data[0]?.id), price: dearer.id }],
      proration_behavior: 'always_invoice',
      expand: ['latest_invoice'],
    });
    const { lines, amount_paid, billing_reason } = changed.latest_invoice as Stripe.Invoice;
    expect(billing_reason).toBe('subscription_update');
    const [credit, debit] = lines.data;
    expect(credit?.amount).toBeLessThan(0);
    // Each rounded by itself.
    expect(Math.abs(Number(debit?.amount) + 3 * Number(credit?.amount))).toBeLessThanOrEqual(2);
    expect(amount_paid).toBe(Number(credit?.amount) + Number(debit?.amount));
  });

  it('change to a cheaper price: what is too much is kept for the next invoices', async () => {
    const subscription = await subscribe(3_000);
    const cheaper = await price(1_000, 'month');
    fake.advance(DAY);
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id: String(subscription.items.data[0]?.id), price: cheaper.id }],
      proration_behavior: 'always_invoice',
    });
    const owner = fake.store.customer(String(subscription.customer));
    expect(owner.balance).toBeLessThan(0);
    const credit = owner.balance;
    fake.advance(31 * DAY);
    const { data } = await stripe.invoices.list({ subscription: subscription.id, limit: 1 });
    expect(data[0]).toMatchObject({ total: 1_000, starting_balance: credit, amount_due: Math.max(0, 1_000 + credit) });
  });

  it('change from months to years: a new period begins at once', async () => {
    const subscription = await subscribe();
    const yearly = await price(10_000, 'year');
    const changed = await stripe.subscriptions.update(subscription.id, {
      items: [{ id: String(subscription.items.data[0]?.id), price: yearly.id }],
    });
    const [item] = changed.items.data;
    expect(Number(item?.current_period_end) - Number(item?.current_period_start)).toBeGreaterThanOrEqual(365 * 86_400);
  });

  it('wait for a first payment for 23 hours when begun incomplete', async () => {
    const { id } = await customer();
    const begin = async () =>
      stripe.subscriptions.create({
        customer: id,
        items: [{ price: (await price(400, 'month')).id }],
        payment_behavior: 'default_incomplete',
        expand: ['latest_invoice.confirmation_secret', 'latest_invoice.payments'],
      });
    const [paid, forgotten] = [await begin(), await begin()];
    expect(paid.status).toBe('incomplete');
    const invoice = paid.latest_invoice as Stripe.Invoice;
    expect(invoice.confirmation_secret?.client_secret).toContain('_secret_');
    const intent = String(invoice.payments?.data[0]?.payment.payment_intent);
    await stripe.paymentIntents.confirm(intent, { payment_method: 'pm_card_visa' });
    fake.advance(DAY);
    expect((await stripe.subscriptions.retrieve(paid.id)).status).toBe('active');
    expect((await stripe.subscriptions.retrieve(forgotten.id)).status).toBe('incomplete_expired');
  });
});

describe('money that goes back', () => {
  const pay = (amount: number) =>
    stripe.paymentIntents.create({ amount, currency: 'usd', payment_method: 'pm_card_visa', confirm: true });

  it('in parts, and never more than was paid', async () => {
    const { id } = await pay(1_000);
    await stripe.refunds.create({ payment_intent: id, amount: 400 });
    await expect(stripe.refunds.create({ payment_intent: id, amount: 601 })).rejects.toMatchObject({ param: 'amount' });
    const rest = await stripe.refunds.create({ payment_intent: id, expand: ['charge'] });
    expect(rest).toMatchObject({ amount: 600, charge: { amount_refunded: 1_000, refunded: true } });
    expect(kinds().filter((kind) => kind === 'charge.refunded')).toHaveLength(2);
    failRefund(fake.store, rest.id);
    expect(await stripe.refunds.retrieve(rest.id)).toMatchObject({ status: 'failed' });
  });

  it('by a dispute, won or lost', async () => {
    for (const outcome of ['won', 'lost'] as const) {
      const { latest_charge } = await pay(500);
      const { id } = openDispute(fake.store, String(latest_charge));
      await expect(stripe.refunds.create({ charge: String(latest_charge) })).rejects.toMatchObject({
        code: 'charge_disputed',
      });
      closeDispute(fake.store, id, outcome);
      expect((await stripe.disputes.retrieve(id)).status).toBe(outcome);
    }
    expect(kinds()).toEqual(expect.arrayContaining(['charge.dispute.created', 'charge.dispute.closed']));
  });
});

describe('events', () => {
  it('tell what was, not what is', async () => {
    const { id } = await stripe.customers.create({ name: 'before' });
    await stripe.customers.update(id, { name: 'after' });
    const [updated, created] = (await stripe.events.list({ types: ['customer.created', 'customer.updated'], limit: 2 }))
      .data;
    expect(created?.data.object).toMatchObject({ id, name: 'before' });
    expect(updated?.data).toMatchObject({ object: { name: 'after' }, previous_attributes: { name: 'before' } });
  });

  it('are delivered as they happen, held back on request, and delivered again when not taken', async () => {
    const bodies: string[] = [];
    let status = 500;
    fake.webhooks.transport = async (payload, { 'stripe-signature': signature = '' }) => {
      bodies.push(
        (
          await stripe.webhooks.constructEventAsync(
            payload,
            signature,
            String(fake.webhookSecrets[0]),
            300,
            undefined,
            fake.now().getTime(),
          )
        ).type,
      );
      return status;
    };
    await stripe.products.create({ name: 'a' });
    await fake.webhooks.settled();
    expect(bodies).toEqual(['product.created']);
    status = 200;
    await fake.webhooks.redeliverFailed();
    await fake.webhooks.redeliverFailed();
    expect(bodies).toHaveLength(2);
    fake.webhooks.hold();
    await price(1);
    expect(bodies).toHaveLength(2);
    expect(fake.webhooks.takeHeld().map(({ type }) => type)).toEqual(['product.created', 'price.created']);
    await fake.webhooks.release();
  });
});
