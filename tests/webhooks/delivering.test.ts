import { eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { transact } from '../../src/core/database.js';
import { parseCidrs } from '../../src/core/network.js';
import { createOutbound } from '../../src/core/outbound.js';
import { sendDueEvents, startSendEvents } from '../../src/jobs/send-events.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { emitEvents } from '../../src/modules/events/events.service.js';
import { outboxEvents, webhookDeliveries, webhookEndpoints } from '../../src/modules/events/events.table.js';
import { claimDeliveries, spreadEvents } from '../../src/modules/webhooks/deliveries.service.js';
import { deleteOldEvents, oldestEventSeconds } from '../../src/modules/webhooks/delivery-log.service.js';
import { createHarness, type Harness } from '../support/harness.js';
import { createReceiver, type Receiver, verify } from '../support/receiver.js';
import {
  createWebhookEndpoint,
  deliveriesOf,
  redeliverWebhook,
  rotateWebhookSecret,
  updateWebhookEndpoint,
} from './operations.js';

const LOOPBACK = parseCidrs(['127.0.0.0/8']);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let h: Harness;
let admin: { email: string };
let newest = { since: 0, token: '' };
let receiver: Receiver;
const others: Receiver[] = [];
beforeAll(async () => {
  h = await createHarness({ config: { events: { webhookNetworks: LOOPBACK } } });
  h.clock.freeze();
  admin = await h.admin(['webhooks:manage']);
});
afterAll(() => h.close());
beforeEach(async () => {
  await h.app.db.delete(webhookEndpoints);
  await h.app.db.delete(outboxEvents);
  receiver = await createReceiver();
});
afterEach(async () => {
  await Promise.all([receiver, ...others.splice(0)].map((one) => one.close()));
});

/** An admin whose session the clock has not ended. */
async function caller(): Promise<{ token: string }> {
  const now = h.app.now().getTime();
  if (now - newest.since > 5 * MINUTE) newest = { since: now, ...(await h.admin(['webhooks:manage'])) };
  return newest;
}

async function endpoint(url = receiver.url, kinds: string[] = []): Promise<{ id: string; secret: string }> {
  const { data, errors } = await createWebhookEndpoint(h, await caller(), { url, kinds });
  expect(errors).toBeUndefined();
  const { endpoint, secret } = data.createWebhookEndpoint;
  return { id: endpoint.id, secret };
}

async function another(): Promise<Receiver> {
  const one = await createReceiver();
  others.push(one);
  return one;
}

/** So many events happen. */
async function happen(count = 1): Promise<string[]> {
  const events = Array.from({ length: count }, () => ({ kind: 'user.updated', userId: newId() }) as const);
  await transact(h.app, (app) => emitEvents(app, events));
  return events.map(({ userId }) => userId);
}

const soleDelivery = async () => {
  const [delivery] = await deliveriesOf(h, await caller());
  if (!delivery) throw new Error('no delivery');
  return delivery;
};

const stateOf = async (id: string) => {
  const [row] = await h.app.db.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, id));
  if (!row) throw new Error('no endpoint');
  return row;
};

/** What a registration sends, all the way from the API. */
it('posts what happened, signed so that a receiver’s own library finds it right', async () => {
  const { id, secret } = await endpoint(receiver.url, ['user.registered']);
  h.clock.set(new Date());
  const person = await h.person();
  await sendDueEvents(h.app);
  expect(receiver.received).toHaveLength(1);
  const [seen] = receiver.received;
  if (!seen) throw new Error('nothing came');
  const payload = verify(secret, seen);
  expect(payload).toEqual({
    id: seen.headers['webhook-id'],
    type: 'user.registered',
    timestamp: expect.any(String),
    data: { userId: person.id, invited: false },
  });
  expect(seen.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Credence-Webhooks/1' });
  expect(seen.body).not.toContain(person.username);
  expect(() => verify(secret, { ...seen, body: `${seen.body} ` })).toThrow('signature');
  expect(await soleDelivery()).toMatchObject({
    eventId: payload.id,
    kind: 'user.registered',
    target: 'WEBHOOK',
    endpointId: id,
    status: 'SENT',
    attempts: 1,
    nextAttemptAt: null,
    attemptLog: [{ statusCode: 204, error: null }],
  });
});

it('signs with both secrets while one takes over from the other, and with the new one alone after', async () => {
  const { id, secret } = await endpoint();
  h.clock.set(new Date());
  const { data } = await rotateWebhookSecret(h, await caller(), { endpointId: id, overlap: 'ONE_HOUR' });
  const fresh = data.rotateWebhookSecret.secret;
  await happen();
  await sendDueEvents(h.app);
  const [first] = receiver.received;
  if (!first) throw new Error('nothing came');
  expect(first.headers['webhook-signature']?.split(' ')).toHaveLength(2);
  verify(secret, first);
  verify(fresh, first);
  await h.app.db.update(webhookEndpoints).set({ previousSecretEndsAt: h.app.now() });
  await happen();
  await sendDueEvents(h.app);
  const second = receiver.received[1];
  if (!second) throw new Error('nothing came');
  verify(fresh, second);
  expect(() => verify(secret, second)).toThrow('signature');
});

describe('what was not taken', () => {
  it('is tried ten times over about 75 hours under the same id and body, and then given up', async () => {
    await endpoint();
    receiver.answer = 503;
    await happen();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await sendDueEvents(h.app);
      const delivery = await soleDelivery();
      expect(delivery).toMatchObject({ attempts: attempt, status: attempt < 10 ? 'QUEUED' : 'FAILED' });
      expect(receiver.received).toHaveLength(attempt);
      if (!delivery.nextAttemptAt) continue;
      const wait = Date.parse(delivery.nextAttemptAt) - h.app.now().getTime();
      waits.push(wait);
      h.clock.advance(wait - 10);
      expect(await sendDueEvents(h.app)).toBe(0);
      h.clock.advance(10);
    }
    const planned = [5_000, 5 * MINUTE, 30 * MINUTE, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR)];
    for (const [index, pause] of planned.entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(pause * 0.9 - 1);
      expect(waits[index]).toBeLessThanOrEqual(pause * 1.1 + 1);
    }
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    expect((await soleDelivery()).attemptLog.map(({ statusCode }) => statusCode)).toEqual(Array(10).fill(503));
  });

  it('waits as long as the receiver asks, but no longer than a day', async () => {
    await endpoint();
    const waitAfter = async (answer: Receiver['answer']) => {
      receiver.answer = answer;
      await happen();
      await sendDueEvents(h.app);
      const [delivery] = await deliveriesOf(h, await caller(), { status: 'QUEUED' });
      await h.app.db.delete(outboxEvents);
      return (Date.parse(delivery?.nextAttemptAt ?? '') - h.app.now().getTime()) / 1_000;
    };
    expect(await waitAfter(() => ({ status: 429, headers: { 'retry-after': '3600' } }))).toBe(3_600);
    expect(await waitAfter(() => ({ status: 503, headers: { 'retry-after': '99999999' } }))).toBe(86_400);
    expect(await waitAfter(() => ({ status: 503, headers: { 'retry-after': 'soon' } }))).toBeLessThan(6);
  });

  it('is logged with what went wrong: refused, closed, redirected', async () => {
    const { id } = await endpoint();
    receiver.answer = () => ({ status: 302, headers: { location: 'http://127.0.0.1:1024/stolen' } });
    await happen();
    await sendDueEvents(h.app);
    expect((await soleDelivery()).attemptLog.at(-1)).toMatchObject({ statusCode: 302, error: null });
    expect(receiver.received).toHaveLength(1);
    receiver.answer = 'close';
    h.clock.advance(6_000);
    await sendDueEvents(h.app);
    expect((await soleDelivery()).attemptLog.at(-1)).toMatchObject({ statusCode: null, error: 'ECONNRESET' });
    await receiver.close();
    h.clock.advance(6 * MINUTE);
    await sendDueEvents(h.app);
    expect((await soleDelivery()).attemptLog.at(-1)).toMatchObject({ statusCode: null, error: 'ECONNREFUSED' });
    expect(await stateOf(id)).toMatchObject({ failuresInARow: 3 });
  });

  it('counts no more once something was taken', async () => {
    const { id } = await endpoint();
    receiver.answer = 500;
    await happen();
    await sendDueEvents(h.app);
    receiver.answer = 200;
    h.clock.advance(6_000);
    await sendDueEvents(h.app);
    expect(await stateOf(id)).toMatchObject({ failuresInARow: 0, failingSince: null, disabledAt: null });
  });
});

describe('an endpoint goes off by itself', () => {
  const lettersAbout = async () =>
    (await h.letters(admin.email)).filter(({ subject }) => subject === 'A webhook endpoint was turned off');
  const auditOf = (id: string) =>
    h.app.db.select().from(auditEvents).where(eq(auditEvents.targetId, id)).orderBy(auditEvents.occurredAt);

  it('when it answers 410: at once, for good, with a letter and an audit row', async () => {
    const before = (await lettersAbout()).length;
    const { id } = await endpoint();
    receiver.answer = 410;
    await happen(2);
    await sendDueEvents(h.app);
    expect(await stateOf(id)).toMatchObject({ disabledReason: 'GONE' });
    expect(receiver.received).toHaveLength(1);
    expect((await auditOf(id)).at(-1)).toMatchObject({
      action: 'webhook_endpoint.disabled',
      actorKind: 'SYSTEM',
      after: { reason: 'GONE' },
    });
    const letters = await lettersAbout();
    expect(letters).toHaveLength(before + 1);
    expect(letters.at(-1)?.text).toContain('no longer sent to 127');
  });

  it('after ten failures in a row over three days, and not after fewer or in less time', async () => {
    const { id } = await endpoint();
    receiver.answer = 500;
    await happen(12);
    await sendDueEvents(h.app);
    expect(await stateOf(id)).toMatchObject({ failuresInARow: 12, disabledAt: null });
    h.clock.advance(72 * HOUR);
    await sendDueEvents(h.app);
    expect(await stateOf(id)).toMatchObject({ disabledReason: 'FAILURES' });
    const tried = receiver.received.length;
    await happen();
    await sendDueEvents(h.app);
    expect(receiver.received).toHaveLength(tried);
  });
});

describe('redeliverWebhook', () => {
  it('sends one again, also one that was taken, under the same id', async () => {
    await endpoint();
    await happen();
    await sendDueEvents(h.app);
    const { id } = await soleDelivery();
    const { data } = await redeliverWebhook(h, await caller(), { deliveryId: id });
    expect(data.redeliverWebhook.queued).toBe(1);
    await sendDueEvents(h.app);
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(await soleDelivery()).toMatchObject({ status: 'SENT', attempts: 1, attemptLog: [{}, {}] });
  });

  it('leaves one alone that is being sent, and brings one forward that waits for hours', async () => {
    const { id: endpointId } = await endpoint();
    await happen();
    await spreadEvents(h.app, { max: 10 });
    const { id } = await soleDelivery();
    expect(await claimDeliveries(h.app, { target: 'WEBHOOK', endpointId }, { max: 1 })).toHaveLength(1);
    expect((await redeliverWebhook(h, await caller(), { deliveryId: id })).code).toBe('CONFLICT');
    await h.app.db.update(webhookDeliveries).set({ nextAttemptAt: new Date(h.app.now().getTime() + HOUR) });
    expect((await redeliverWebhook(h, await caller(), { deliveryId: id })).errors).toBeUndefined();
    await sendDueEvents(h.app);
    expect(receiver.received).toHaveLength(1);
  });

  it('sends all that failed and all that happened while the endpoint was off, since a moment', async () => {
    const { id } = await endpoint(receiver.url, ['user.updated']);
    receiver.answer = 410;
    const early = await happen();
    await sendDueEvents(h.app);
    h.clock.advance(HOUR);
    const since = h.app.now();
    await updateWebhookEndpoint(h, await caller(), { endpointId: id, enabled: true });
    const failed = await happen();
    await sendDueEvents(h.app);
    const missed = await happen();
    await sendDueEvents(h.app);
    receiver.answer = 204;
    receiver.received.length = 0;
    expect((await redeliverWebhook(h, await caller(), { endpointId: id, since })).code).toBe('CONFLICT');
    await updateWebhookEndpoint(h, await caller(), { endpointId: id, enabled: true });
    const { data } = await redeliverWebhook(h, await caller(), { endpointId: id, since });
    expect(data.redeliverWebhook.queued).toBe(2);
    await sendDueEvents(h.app);
    const bodies = receiver.received.map(({ body }) => JSON.parse(body).data.userId);
    expect(bodies.sort()).toEqual([...failed, ...missed].sort());
    expect(bodies).not.toContain(early[0]);
    const again = await redeliverWebhook(h, await caller(), { endpointId: id, since });
    expect(again.data.redeliverWebhook.queued).toBe(0);
  });

  it('wants to know what, and since when', async () => {
    const { id } = await endpoint();
    const code = async (input: Record<string, unknown>) => (await redeliverWebhook(h, await caller(), input)).code;
    expect(await code({})).toBe('BAD_USER_INPUT');
    expect(await code({ endpointId: id })).toBe('BAD_USER_INPUT');
    expect(await code({ deliveryId: newId(), since: new Date() })).toBe('BAD_USER_INPUT');
    expect(await code({ deliveryId: newId(), endpointId: id })).toBe('BAD_USER_INPUT');
    expect(await code({ deliveryId: newId() })).toBe('NOT_FOUND');
    expect(await code({ endpointId: newId(), since: new Date() })).toBe('NOT_FOUND');
    expect(await code({ target: 'SQS', since: new Date() })).toBeUndefined();
  });
});

describe('the sender', () => {
  const arrived = async (one: Receiver, count: number) => {
    while (one.received.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  it('lets no slow or dead endpoint keep others waiting', async () => {
    const [slow, good] = [await another(), receiver];
    slow.answer = 'hang';
    await endpoint(slow.url);
    await endpoint('http://127.0.0.1:1024/');
    await endpoint(good.url);
    const sender = startSendEvents(h.app);
    try {
      await happen(50);
      sender.kick();
      await arrived(good, 50);
      // The slow one still has the first few that it was given.
      expect(slow.received.length).toBeLessThanOrEqual(4);
    } finally {
      await slow.close();
      await sender.stop();
    }
  });

  it('never gives one delivery to two senders, and loses none between them', async () => {
    await endpoint();
    const senders = [startSendEvents(h.app), startSendEvents(h.app), startSendEvents(h.app)];
    try {
      await happen(120);
      for (const sender of senders) sender.kick();
      await arrived(receiver, 120);
    } finally {
      await Promise.all(senders.map((sender) => sender.stop()));
    }
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(120);
    expect(new Set(ids).size).toBe(120);
  });

  it('takes up what a killed sender had, after its lease', async () => {
    const { id } = await endpoint();
    await happen();
    await spreadEvents(h.app, { max: 10 });
    expect(await claimDeliveries(h.app, { target: 'WEBHOOK', endpointId: id }, { max: 5 })).toHaveLength(1);
    expect(await sendDueEvents(h.app)).toBe(0);
    h.clock.advance(MINUTE);
    expect(await sendDueEvents(h.app)).toBe(1);
    expect(await soleDelivery()).toMatchObject({ status: 'SENT', attempts: 2 });
  });

  it('spreads an event once, whoever does it', async () => {
    await endpoint();
    await happen(30);
    const counts = await Promise.all([1, 2, 3].map(() => spreadEvents(h.app, { max: 10 })));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(30);
    while ((await spreadEvents(h.app, { max: 10 })) > 0);
    expect(await h.app.db.$count(webhookDeliveries)).toBe(30);
  });
});

it('refuses a name that is public at first and leads inside later: the address connected to is the one looked at', async () => {
  // The name answers with a public address once, and with the receiver's own after that.
  const answers = ['93.184.215.14', '127.0.0.1', '127.0.0.1'];
  const outbound = createOutbound({
    networks: [],
    requireOutside: () => undefined,
    resolve: async () => [{ address: answers.shift() ?? '127.0.0.1' }],
  });
  const url = `https://rebind.example:${receiver.port}/hook`;
  const message = { headers: {}, body: '{}' };
  // To the address of the first look, which nobody answers at: a timeout, or no route. Never to the receiver.
  await expect(outbound.post(url, message)).rejects.toMatchObject({ name: 'OutboundError' });
  expect(answers).toHaveLength(2);
  await expect(outbound.post(url, message)).rejects.toMatchObject({ code: 'EADDRNOTALLOWED' });
  expect(receiver.received).toEqual([]);
}, 60_000);

it('forgets events past their days, with their deliveries, and says how long the oldest has waited', async () => {
  await endpoint();
  await happen();
  h.clock.advance(MINUTE);
  expect(Math.round(await oldestEventSeconds(h.app))).toBe(60);
  await sendDueEvents(h.app);
  expect(await oldestEventSeconds(h.app)).toBe(0);
  h.clock.advance(7 * 24 * HOUR);
  await happen();
  expect(await deleteOldEvents(h.app)).toBe(1);
  expect(await h.app.db.$count(webhookDeliveries)).toBe(0);
  expect(await h.app.db.$count(outboxEvents)).toBe(1);
});
