import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { payments, stripeEvents } from '../../src/modules/payments/payments.table.js';
import { catchUpOnStripeEvents, retryStripeEvents } from '../../src/modules/payments/stripe-events.service.js';
import {
  addressOf,
  type BillingHarness,
  createBillingHarness,
  START_CHECKOUT,
  sell,
  sessionOf,
  standing,
} from '../support/billing.js';
import { completeSession } from '../support/fake-stripe/checkout.ts';
import { sign } from '../support/fake-stripe/webhooks.ts';
import type { Person } from '../support/harness.js';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
let priceId: string;
beforeAll(async () => {
  h = await createBillingHarness();
  ({ priceId } = await sell(h));
});
afterAll(() => h.close());
beforeEach(async () => {
  await h.fake.webhooks.release();
});

/** Somebody has paid; what Stripe has to say about it is held back. */
async function paid(): Promise<{ person: Person; event: ReturnType<typeof held>[number] }> {
  const person = await h.person();
  const { data } = await h.graphql(START_CHECKOUT, {
    token: person.token,
    variables: { input: { priceId, idempotencyKey: 'k' } },
    ip: addressOf(person),
  });
  h.fake.webhooks.hold();
  completeSession(h.fake.store, sessionOf(data.startCheckout.url));
  const event = held().find(({ type }) => type === 'checkout.session.completed');
  if (!event) throw new Error('no event');
  return { person, event };
}
const held = () => h.fake.webhooks.takeHeld();

async function post(payload: string | Buffer, headers: Record<string, string>): Promise<number> {
  const answer = await h.fastify.inject({
    method: 'POST',
    url: '/stripe/webhook',
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    payload,
  });
  return answer.statusCode;
}

const signed = (payload: string, at = h.fake.now(), secrets = h.fake.webhookSecrets) => ({
  'stripe-signature': sign(payload, { secrets, at }),
});
const balance = async (person: Person) => (await standing(h, person)).balance;
const eventRow = async (id: string) => (await h.app.db.select().from(stripeEvents).where(eq(stripeEvents.id, id)))[0];

describe('what is believed', () => {
  it('an event as Stripe sends it, once, however often it comes', async () => {
    const { person, event } = await paid();
    for (let n = 0; n < 3; n += 1) expect(await h.fake.webhooks.deliver(event)).toBe(200);
    expect(await balance(person)).toBe(100);
    expect(await eventRow(event.id)).toMatchObject({ status: 'DONE', subjectKind: 'CHECKOUT' });
  });

  it('ten deliveries at once pay out once', async () => {
    const { person, event } = await paid();
    const answers = await Promise.all(Array.from({ length: 10 }, () => h.fake.webhooks.deliver(event)));
    expect(new Set(answers)).toEqual(new Set([200]));
    expect((await standing(h, person)).movements).toEqual(['PURCHASE 100']);
  });

  it('the same fact under two events pays out once', async () => {
    const { person, event } = await paid();
    const twin = JSON.stringify({ ...event, id: `${event.id}twin` });
    expect(await post(twin, signed(twin))).toBe(200);
    expect(await h.fake.webhooks.deliver(event)).toBe(200);
    expect((await standing(h, person)).movements).toEqual(['PURCHASE 100']);
  });

  it('and only what it is about: the payload’s own word counts for nothing', async () => {
    const { person, event } = await paid();
    const session = {
      ...event.data.object,
      amount_total: 1,
      metadata: { user_id: 'somebody' },
      payment_status: 'unpaid',
    };
    const lie = JSON.stringify({ ...event, data: { object: session } });
    expect(await post(lie, signed(lie))).toBe(200);
    expect(await balance(person)).toBe(100);
    const [row] = await h.app.db.select().from(payments).where(eq(payments.userId, person.id));
    expect(row?.amountMinor).toBe(1_000);
  });
});

describe('what is not', () => {
  it.each<[string, (payload: string) => [string | Buffer, Record<string, string>]]>([
    ['no signature', (payload) => [payload, {}]],
    ['another’s signature', (payload) => [payload, signed(payload, h.fake.now(), ['whsec_of_somebody_else_0000'])]],
    ['a changed byte', (payload) => [payload.replace('checkout', 'checkouT'), signed(payload)]],
    ['the same JSON written anew', (payload) => [JSON.stringify(JSON.parse(payload)), signed(payload)]],
    ['a byte order mark', (payload) => [Buffer.from(`\ufeff${payload}`), signed(payload)]],
    ['a truncated body', (payload) => [payload.slice(0, -1), signed(payload)]],
    ['a stamp of 301 seconds ago', (payload) => [payload, signed(payload, new Date(h.app.now().getTime() - 302_000))]],
    ['a stamp of tomorrow', (payload) => [payload, signed(payload, new Date(h.app.now().getTime() + 86_400_000))]],
    [
      'the old scheme alone',
      (payload) => [payload, { 'stripe-signature': signed(payload)['stripe-signature'].replaceAll('v1=', 'v0=') }],
    ],
  ])('%s: 400, and nothing is stored', async (_, tamper) => {
    const { person, event } = await paid();
    const payload = JSON.stringify(event, null, 2);
    const [body, headers] = tamper(payload);
    expect(await post(body, headers)).toBe(400);
    expect(await eventRow(event.id)).toBeUndefined();
    expect(await balance(person)).toBe(0);
  });

  it('events of the live mode and of other accounts: 400', async () => {
    const { event } = await paid();
    for (const change of [{ livemode: true }, { account: 'acct_other' }]) {
      const payload = JSON.stringify({ ...event, ...change });
      expect(await post(payload, signed(payload))).toBe(400);
    }
    expect(await eventRow(event.id)).toBeUndefined();
  });

  it('more than 512 KiB: 413', async () => {
    const payload = JSON.stringify({ padding: 'x'.repeat(520 * 1024) });
    expect(await post(payload, signed(payload))).toBe(413);
  });

  it('a body that drips is given up: whoever sends it holds a connection and nothing else', async () => {
    await h.fastify.listen({ host: '127.0.0.1', port: 0 });
    const { port } = h.fastify.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk)).on('error', () => undefined);
    socket.write(
      'POST /stripe/webhook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id":',
    );
    await once(socket, 'close');
    expect(answer).not.toContain('200 OK');
  });

  it('the other doors go on parsing JSON, and know nothing of raw bodies', async () => {
    expect((await h.graphql('{ serviceInfo { name } }')).data.serviceInfo.name).toBe('Credence');
  });
});

describe('what has no effect', () => {
  it('an unknown kind is stored and answered, a known one about nobody here as well', async () => {
    const { event } = await paid();
    const kinds = ['payout.paid', 'customer.subscription.updated'];
    for (const [n, type] of kinds.entries()) {
      const id = `evt_odd${process.pid}${n}`;
      const payload = JSON.stringify({ ...event, id, type, data: { object: { id: 'sub_nobodys' } } });
      expect(await post(payload, signed(payload))).toBe(200);
      expect(await eventRow(id)).toMatchObject({ status: 'IGNORED' });
    }
  });
});

describe('when it cannot be applied', () => {
  it('says so, keeps the event, and the job applies it later', async () => {
    const { person, event } = await paid();
    h.fake.faults.add({ kind: { status: 500 }, method: 'GET', times: 4 });
    expect(await h.fake.webhooks.deliver(event)).toBe(502);
    h.fake.faults.clear();
    expect(await eventRow(event.id)).toMatchObject({ status: 'PENDING', attempts: 1, lastError: 'UPSTREAM_FAILED' });
    expect(await retryStripeEvents(h.app)).toBe(0);
    h.clock.advance(120_000);
    expect(await retryStripeEvents(h.app)).toBe(1);
    expect(await eventRow(event.id)).toMatchObject({ status: 'DONE', lastError: null });
    expect(await balance(person)).toBe(100);
  });

  it('a process that died with the event stored leaves it to the job', async () => {
    const { person, event } = await paid();
    await h.app.db.insert(stripeEvents).values({
      id: event.id,
      type: event.type,
      subjectKind: 'CHECKOUT',
      subjectId: (event.data.object as { id: string }).id,
      status: 'PENDING',
      nextAttemptAt: h.app.now(),
      occurredAt: h.app.now(),
      receivedAt: h.app.now(),
    });
    expect(await retryStripeEvents(h.app)).toBe(1);
    expect(await balance(person)).toBe(100);
  });

  it('is given up after three days, with an alarm', async () => {
    const { event } = await paid();
    h.fake.faults.add({ kind: { status: 500 }, method: 'GET', times: 9 });
    await h.fake.webhooks.deliver(event);
    h.clock.advance(73 * 3_600_000);
    expect(await retryStripeEvents(h.app)).toBeGreaterThan(0);
    h.fake.faults.clear();
    h.clock.set(new Date());
    expect(await eventRow(event.id)).toMatchObject({ status: 'DEAD' });
    expect(await h.app.metrics.text()).toMatch(/credence_alarms_total\{check="billing"\} [1-9]/);
    const { token } = await h.admin(['system:read']);
    const { data } = await h.graphql(`{ systemHealth { problems payments { pending dead oldestSeconds } } }`, {
      token,
    });
    expect(data.systemHealth.problems).toContain('PAYMENTS');
    expect(data.systemHealth.payments.dead).toBeGreaterThan(0);
  });
});

it('an event that never arrived is fetched', async () => {
  const { person, event } = await paid();
  expect(await catchUpOnStripeEvents(h.app)).toBe(0);
  h.clock.advance(600_000);
  expect(await catchUpOnStripeEvents(h.app)).toBeGreaterThan(0);
  h.clock.advance(-600_000);
  expect(await eventRow(event.id)).toMatchObject({ status: 'DONE' });
  expect(await balance(person)).toBe(100);
});
