import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { transact } from '../../src/core/database.js';
import { sendDueEvents } from '../../src/jobs/send-events.js';
import { emitEvents } from '../../src/modules/events/events.service.js';
import { outboxEvents } from '../../src/modules/events/events.table.js';
import { createFakeAws, type FakeAws } from '../support/fake-aws.js';
import { createHarness, type Harness } from '../support/harness.js';
import { deliveriesOf, redeliverWebhook } from './operations.js';

const NAME = 'eu-central-1:123456789012';

let aws: FakeAws;
let h: Harness;
let newest = { since: 0, token: '' };
async function caller(): Promise<{ token: string }> {
  const now = h.app.now().getTime();
  if (now - newest.since > 300_000) newest = { since: now, ...(await h.admin(['webhooks:manage'])) };
  return newest;
}

/** A whole Credence whose topic and queue are on loopback. */
const create = (ending: string) =>
  createHarness({
    config: {
      events: {
        topicArn: `arn:aws:sns:${NAME}:events${ending}`,
        queueUrl: `${aws.url}/123456789012/events${ending}`,
        awsRegion: 'eu-central-1',
        awsEndpoint: aws.url,
        awsCredentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' },
      },
    },
  });

beforeAll(async () => {
  aws = await createFakeAws();
  h = await create('');
  h.clock.freeze();
});
afterAll(async () => {
  await h.close();
  await aws.close();
});
beforeEach(async () => {
  await h.app.db.delete(outboxEvents);
  aws.taken.length = 0;
  aws.calls.length = 0;
  aws.mode = 'ok';
});

async function happen(count = 1, on = h): Promise<string[]> {
  const events = Array.from({ length: count }, () => ({ kind: 'user.verified', userId: newId() }) as const);
  await transact(on.app, (app) => emitEvents(app, events));
  return events.map(({ userId }) => userId);
}

const takenBy = (service: 'SNS' | 'SQS') => aws.taken.filter((one) => one.service === service);

describe('a topic and a queue', () => {
  it('both get every event, signed, ten a call, with the kind beside it', async () => {
    const people = await happen(23);
    await sendDueEvents(h.app);
    for (const service of ['SNS', 'SQS'] as const) {
      const bodies = takenBy(service).map(({ body }) => JSON.parse(body));
      expect(bodies.map(({ data }) => data.userId).sort()).toEqual([...people].sort());
      expect(new Set(bodies.map(({ id }) => id)).size).toBe(23);
      expect(bodies[0]).toEqual({
        id: expect.any(String),
        type: 'user.verified',
        timestamp: h.app.now().toISOString(),
        data: { userId: expect.any(String) },
      });
      expect(new Set(takenBy(service).map(({ kind }) => kind))).toEqual(new Set(['user.verified']));
      expect(takenBy(service)[0]).toMatchObject({ group: undefined, deduplication: undefined });
      expect(aws.calls.filter((call) => call.service === service)).toEqual(Array(3).fill({ service, signed: true }));
    }
    const deliveries = await deliveriesOf(h, await caller(), { status: 'SENT' });
    expect(deliveries).toHaveLength(46);
  });

  it('are tried again when they are throttled, refuse or break off, and told by their code alone', async () => {
    for (const [mode, code] of [
      ['throttle', /Throttl/],
      ['deny', /AuthorizationError|AccessDenied/],
    ] as const) {
      aws.mode = mode;
      await happen();
      await sendDueEvents(h.app);
      const waiting = await deliveriesOf(h, await caller(), { status: 'QUEUED' });
      expect(waiting.map(({ target }) => target).sort()).toEqual(['SNS', 'SQS']);
      for (const { attemptLog } of waiting) expect(attemptLog[0]?.error).toMatch(code);
      expect(JSON.stringify(waiting)).not.toContain('secret sentence');
      aws.mode = 'ok';
      h.clock.advance(6_000);
      await sendDueEvents(h.app);
      expect(await deliveriesOf(h, await caller(), { status: 'QUEUED' })).toEqual([]);
    }
    expect(takenBy('SNS')).toHaveLength(2);
    expect(takenBy('SQS')).toHaveLength(2);
  });

  it('one entry that is refused does not hold up the others of its call', async () => {
    aws.mode = 'refuse-first';
    await happen(3);
    await sendDueEvents(h.app);
    expect(aws.taken).toHaveLength(4);
    expect(await deliveriesOf(h, await caller(), { status: 'QUEUED' })).toMatchObject([
      { attemptLog: [{ error: 'InternalError' }] },
      { attemptLog: [{ error: 'InternalError' }] },
    ]);
    aws.mode = 'ok';
    h.clock.advance(6_000);
    await sendDueEvents(h.app);
    expect(aws.taken).toHaveLength(6);
  });

  it('are given five seconds, and then it is tried again', async () => {
    aws.mode = 'hang';
    await happen();
    await sendDueEvents(h.app);
    for (const { attemptLog } of await deliveriesOf(h, await caller(), { status: 'QUEUED' }))
      expect(attemptLog[0]?.error).toBe('ETIMEDOUT');
  }, 60_000);

  it('can be sent again what was given up', async () => {
    aws.mode = 'deny';
    await happen(2);
    const since = h.app.now();
    for (let attempt = 0; attempt < 10; attempt += 1) {
      await sendDueEvents(h.app);
      h.clock.advance(30 * 3_600_000);
    }
    expect(await deliveriesOf(h, await caller(), { status: 'FAILED' })).toHaveLength(4);
    aws.mode = 'ok';
    const { data } = await redeliverWebhook(h, await caller(), { target: 'SQS', since });
    expect(data.redeliverWebhook.queued).toBe(2);
    await sendDueEvents(h.app);
    expect(takenBy('SQS')).toHaveLength(2);
    expect(takenBy('SNS')).toHaveLength(0);
  });
});

it('FIFO ones keep each person’s order and drop doubles by the event’s id', async () => {
  const fifo = await create('.fifo');
  try {
    const [userId] = await happen(1, fifo);
    await sendDueEvents(fifo.app);
    expect(aws.taken).toHaveLength(2);
    for (const { group, deduplication, body } of aws.taken) {
      expect(group).toBe(userId);
      expect(deduplication).toBe(JSON.parse(body).id);
    }
  } finally {
    await fifo.close();
  }
});
