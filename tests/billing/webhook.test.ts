import { eq } from 'drizzle-orm';
import type { Stripe } from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stripeEvents } from '../../src/modules/payments/payments.table.js';
import { retryStripeEvents } from '../../src/modules/payments/stripe-events.service.js';
import { createCustomer } from '../support/fake-stripe/customers.ts';
import { Params } from '../support/fake-stripe/params.ts';
import { sign } from '../support/fake-stripe/webhooks.ts';
import { type Buyer, openShop, type Shop } from '../support/shop.js';

let shop: Shop;
let buyer: Buyer;
/** That a pack was bought, not yet delivered. */
let bought: Stripe.Event;

beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.h.close());
beforeEach(async () => {
  const { webhooks, faults } = shop.h.fake;
  faults.clear();
  await webhooks.settled();
  webhooks.hold();
  buyer = await shop.buyer();
  await buyer.buyPack();
  const [event] = webhooks.takeHeld().filter(({ type }) => type === 'checkout.session.completed');
  if (!event) throw new Error('no event');
  bought = event;
});

async function send(payload: string | Buffer, signature?: string, more: Record<string, string> = {}) {
  const { statusCode, payload: said } = await shop.h.fastify.inject({
    method: 'POST',
    url: '/stripe/webhook',
    headers: {
      'content-type': 'application/json',
      ...(signature !== undefined && { 'stripe-signature': signature }),
      ...more,
    },
    payload,
  });
  return { statusCode, said };
}

const signed = (event: object, secrets: readonly string[] = shop.h.fake.webhookSecrets, at = shop.h.app.now()) => {
  const payload = JSON.stringify(event, null, 2);
  return { payload, signature: sign(payload, { secrets, at }) };
};

const later = (seconds: number) => new Date(shop.h.app.now().getTime() + seconds * 1_000);

async function stored(id: string) {
  const [row] = await shop.h.app.db.select().from(stripeEvents).where(eq(stripeEvents.id, id));
  return row;
}

const balance = async () => (await buyer.state()).balance;

async function expectNothing(): Promise<void> {
  expect(await stored(bought.id)).toBeUndefined();
  expect(await balance()).toBe(0);
}

describe('an event that Stripe signed', () => {
  it('is stored and applied before it is answered, and once however often it comes', async () => {
    const { payload, signature } = signed(bought);
    expect(await send(payload, signature)).toEqual({ statusCode: 200, said: '{"received":true}' });
    expect(await stored(bought.id)).toMatchObject({ status: 'DONE', subjectKind: 'CHECKOUT', attempts: 0 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(payload, signature)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(10).fill(200));
    expect(await balance()).toBe(500);
  });

  it('pays out once under two ids', async () => {
    for (const id of [bought.id, `${bought.id}again`]) {
      const { payload, signature } = signed({ ...bought, id });
      expect((await send(payload, signature)).statusCode).toBe(200);
    }
    expect(await balance()).toBe(500);
  });

  it('is not believed in what it says: only Stripe itself is', async () => {
    const { object } = bought.data;
    const forged = {
      ...object,
      amount_total: 1,
      amount_subtotal: 1,
      client_reference_id: 'somebody',
      customer: 'cus_other',
    };
    const { payload, signature } = signed({ ...bought, data: { object: forged } });
    expect((await send(payload, signature)).statusCode).toBe(200);
    expect((await buyer.state()).movements).toEqual(['PURCHASE 500']);
  });

  it('of a kind that is not wanted is stored, and changes nothing', async () => {
    const event = { ...bought, id: `${bought.id}x`, type: 'radar.early_fraud_warning.created' };
    const { payload, signature } = signed(event);
    expect((await send(payload, signature)).statusCode).toBe(200);
    expect(await stored(event.id)).toMatchObject({ status: 'IGNORED', subjectId: null });
    expect(await balance()).toBe(0);
  });

  it.each([
    ['that Stripe does not have any more', { id: 'cs_test_gone' }],
    ['without an id', {}],
    ['with an id that is none', { id: '../charges' }],
    ['that is a list', []],
  ])('about something %s is stored, and changes nothing', async (_, object) => {
    const event = { ...bought, id: `${bought.id}${JSON.stringify(object).length}`, data: { object } };
    const { payload, signature } = signed(event);
    expect((await send(payload, signature)).statusCode).toBe(200);
    expect(await stored(event.id)).toMatchObject({ status: 'IGNORED' });
  });

  it('about the customer of another program is stored, and changes nothing', async () => {
    const stranger = createCustomer(shop.h.fake.store, new Params({ email: 'eve@example.com' }));
    const { payload, signature } = signed({ ...bought, type: 'customer.deleted', data: { object: stranger } });
    expect((await send(payload, signature)).statusCode).toBe(200);
    expect(await stored(bought.id)).toMatchObject({ status: 'IGNORED' });
  });

  it('in live mode, or of an account connected to ours, is refused: the key is for tests and for us', async () => {
    for (const change of [{ livemode: true }, { account: 'acct_other' }]) {
      const { payload, signature } = signed({ ...bought, ...change });
      expect((await send(payload, signature)).statusCode).toBe(400);
    }
    await expectNothing();
  });
});

describe('a body that Stripe did not sign as it is', () => {
  it.each<[string, () => { payload: string | Buffer; signature?: string }]>([
    ['is unsigned', () => ({ payload: JSON.stringify(bought) })],
    ['is signed with another secret', () => signed(bought, ['whsec_othersecretothersecret'])],
    ['was signed 301 seconds ago', () => signed(bought, undefined, later(-301))],
    ['was signed tomorrow', () => signed(bought, undefined, later(86_400))],
    ['is cut short', () => ({ ...signed(bought), payload: signed(bought).payload.slice(0, -1) })],
    ['was written anew', () => ({ ...signed(bought), payload: JSON.stringify(bought) })],
    ['has a mark before it', () => ({ ...signed(bought), payload: `\uFEFF${signed(bought).payload}` })],
    [
      'says more',
      () => ({ ...signed(bought), payload: signed(bought).payload.replace('"livemode": false', '"livemode":  false') }),
    ],
    ['is empty', () => ({ ...signed(bought), payload: '' })],
    ['is another one', () => ({ ...signed(bought), payload: signed({ ...bought, id: 'evt_other' }).payload })],
    ['has a signature cut short', () => ({ ...signed(bought), signature: signed(bought).signature.slice(0, 60) })],
    [
      'has the old scheme alone',
      () => ({ ...signed(bought), signature: signed(bought).signature.replace('v1=', 'v0=') }),
    ],
    ['has two stamps', () => ({ ...signed(bought), signature: `t=1,${signed(bought).signature}` })],
  ])('is refused when it %s, and nothing is kept of it', async (_, make) => {
    const { payload, signature } = make();
    const { statusCode, said } = await send(payload, signature);
    expect(statusCode).toBe(400);
    expect(said).not.toContain(bought.id);
    expect(said).not.toContain('whsec_');
    await expectNothing();
  });

  it('is refused unread when it is larger than half a megabyte, though it is signed', async () => {
    const { payload, signature } = signed({ ...bought, padding: 'x'.repeat(513 * 1024) });
    expect((await send(payload, signature)).statusCode).toBe(413);
    await expectNothing();
  });

  it('is taken up to that size', async () => {
    const { payload, signature } = signed({ ...bought, padding: 'x'.repeat(400 * 1024) });
    expect((await send(payload, signature)).statusCode).toBe(200);
    expect(await balance()).toBe(500);
  });

  it('is no matter of its content type', async () => {
    const { payload, signature } = signed(bought);
    expect((await send(payload, signature, { 'content-type': 'text/plain' })).statusCode).toBe(200);
    expect(await balance()).toBe(500);
  });

  it('is refused in any other method', async () => {
    expect((await shop.h.fastify.inject({ method: 'GET', url: '/stripe/webhook' })).statusCode).toBe(404);
  });
});

describe('while Stripe does not answer', () => {
  const goesDown = (times: number) =>
    shop.h.fake.faults.add({ kind: { status: 503 }, method: 'GET', path: /checkout\/sessions/, times });

  it('an event is kept and not acknowledged, and applied when it is delivered again', async () => {
    goesDown(2);
    expect(await shop.h.fake.webhooks.deliver(bought)).toBe(502);
    expect(await stored(bought.id)).toMatchObject({ status: 'PENDING', attempts: 1, lastError: 'UPSTREAM_FAILED' });
    expect(await balance()).toBe(0);
    expect(await shop.h.fake.webhooks.deliver(bought)).toBe(200);
    expect(await stored(bought.id)).toMatchObject({ status: 'DONE' });
    expect(await balance()).toBe(500);
  });

  it('an event that is not delivered again is applied by ourselves, later', async () => {
    goesDown(2);
    await shop.h.fake.webhooks.deliver(bought);
    expect(await retryStripeEvents(shop.h.app)).toBe(0);
    shop.advance(120_000);
    expect(await retryStripeEvents(shop.h.app)).toBe(1);
    expect(await balance()).toBe(500);
    expect(await shop.h.fake.webhooks.deliver(bought)).toBe(200);
    expect(await balance()).toBe(500);
  });

  it('an event about an amount that was not ordered is given up, with an alarm and not with credits', async () => {
    const session = shop.h.fake.store.get('checkout.session', (bought.data.object as { id: string }).id);
    session.amount_subtotal = 1;
    expect(await shop.h.fake.webhooks.deliver(bought)).toBe(200);
    expect(await stored(bought.id)).toMatchObject({ status: 'DEAD', lastError: 'AMOUNT_MISMATCH' });
    expect(await balance()).toBe(0);
  });
});
