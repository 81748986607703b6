import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../src/api/server.js';
import { newId } from '../../src/core/columns.js';
import type { App } from '../../src/core/context.js';
import { createLimiter } from '../../src/core/limiter.js';
import { packageVersion } from '../../src/core/package-info.js';
import { QUEUE_TIMINGS, startQueue } from '../../src/core/queue.js';
import { levelOf } from '../../src/core/vitals.js';
import { MINUTE, requestPasswordReset } from '../auth/operations.js';
import { createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let token: string;
beforeAll(async () => {
  h = await createHarness();
  token = (await h.admin(['system:read'])).token;
});
afterAll(() => h.close());

const QUERY = `{ systemHealth { problems checkedAt version uptimeSeconds redis
  database { kind latencyMs connections freeConnections waiting }
  memory { rssBytes limitBytes heapUsedBytes heapLimitBytes level }
  eventLoop { p50Ms p99Ms maxMs } disk { freeBytes totalBytes level }
  letters { queued dead oldestSeconds } hashing { waiting }
  jobs { name queued retrying active failed lastCompletedAt lastFailedAt } } }`;

/** The answer of a server over the harness's app with something wrong in it. */
async function askWith(changes: Partial<App>) {
  const { fastify } = await createServer({ ...h.app, ...changes });
  const { payload } = await fastify.inject({
    method: 'POST',
    url: '/graphql',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    payload: JSON.stringify({ query: QUERY }),
  });
  await fastify.close();
  return JSON.parse(payload).data.systemHealth;
}

describe('systemHealth', () => {
  it('measures the process and everything it stands on', async () => {
    const { data } = await h.graphql(QUERY, { token });
    expect(data.systemHealth).toMatchObject({
      checkedAt: expect.any(String),
      version: packageVersion(),
      uptimeSeconds: expect.any(Number),
      redis: 'NOT_CONFIGURED',
      database: { kind: h.app.database.kind, latencyMs: expect.any(Number), waiting: 0 },
      eventLoop: { p50Ms: expect.any(Number), p99Ms: expect.any(Number), maxMs: expect.any(Number) },
      letters: { queued: 0, dead: 0, oldestSeconds: 0 },
      hashing: { waiting: 0 },
      jobs: [],
    });
    const { database, memory } = data.systemHealth;
    expect(database.freeConnections).toBeLessThanOrEqual(database.connections);
    expect(memory.rssBytes).toBeGreaterThan(memory.heapUsedBytes);
    expect(memory.limitBytes).toBeGreaterThan(0);
    expect(memory.heapLimitBytes).toBeGreaterThan(memory.heapUsedBytes);
  });

  it('counts the letters that wait and says how long, and calls five minutes a problem', async () => {
    const person = await h.person();
    h.clock.freeze();
    expect((await requestPasswordReset(h, person.email)).errors).toBeUndefined();
    h.clock.advance(MINUTE);
    const early = (await h.graphql(QUERY, { token })).data.systemHealth;
    expect(early.letters).toEqual({ queued: 1, dead: 0, oldestSeconds: 60 });
    expect(early.problems).not.toContain('LETTERS');
    h.clock.advance(5 * MINUTE);
    expect((await h.graphql(QUERY, { token })).data.systemHealth.problems).toContain('LETTERS');
    await h.letters();
    expect((await h.graphql(QUERY, { token })).data.systemHealth.letters.queued).toBe(0);
  });

  it('says so when Redis does not answer', async () => {
    const limiter = createLimiter({ redisUrl: 'redis://127.0.0.1:1' });
    try {
      expect(await askWith({ limiter })).toMatchObject({
        redis: 'SILENT',
        problems: expect.arrayContaining(['REDIS']),
      });
    } finally {
      await limiter.close();
    }
  });

  it('names the database when it does not say that it is ready, and answers all the same', async () => {
    const database = { ...h.app.database, isReady: async () => false };
    expect((await askWith({ database })).problems).toContain('DATABASE');
  });

  it('has no disk to tell of where there is no data directory', async () => {
    const config = { ...h.app.config, dataDir: '/nowhere/at/all' };
    expect((await askWith({ config })).disk).toBeNull();
  });

  it('calls a line of more than 32 waiting passwords a problem', async () => {
    const waiting = (count: number) => ({ passwords: { ...h.app.passwords, waiting: () => count } });
    expect((await askWith(waiting(32))).problems).not.toContain('HASHING');
    const crowded = await askWith(waiting(33));
    expect([crowded.hashing.waiting, crowded.problems.includes('HASHING')]).toEqual([33, true]);
  });

  it('tells how each job stands once the queue has run, and calls one that was given up a problem', async () => {
    const job = { name: 'count-stars', cron: '0 0 1 1 *', run: async () => undefined };
    const queue = await startQueue(h.app, { jobs: [job], timings: { ...QUEUE_TIMINGS, retrySeconds: 1 } });
    await queue.stop();
    const idle = (await h.graphql(QUERY, { token })).data.systemHealth;
    expect(idle.jobs).toEqual([
      { name: 'count-stars', queued: 0, retrying: 0, active: 0, failed: 0, lastCompletedAt: null, lastFailedAt: null },
    ]);
    expect(idle.problems).not.toContain('JOBS');
    await h.app.sql.query(
      `insert into pgboss.job (id, name, state, completed_on, policy) values ($1, 'count-stars', 'failed', now(), 'exclusive')`,
      [newId()],
    );
    const broken = (await h.graphql(QUERY, { token })).data.systemHealth;
    expect(broken.jobs).toMatchObject([{ failed: 1, lastFailedAt: expect.any(String) }]);
    expect(broken.problems).toContain('JOBS');
  });

  it('is for admins who hold system:read', async () => {
    for (const viewer of [await h.admin(['security:manage', 'audit:read']), await h.staff(3), await h.person()])
      expect((await h.graphql(QUERY, { token: viewer.token })).code).toBe('FORBIDDEN');
    expect((await h.graphql(QUERY)).code).toBe('UNAUTHENTICATED');
  });
});

describe('levels', () => {
  it.each([
    [0, 'OK'],
    [0.79, 'OK'],
    [0.8, 'HIGH'],
    [0.949, 'HIGH'],
    [0.95, 'CRITICAL'],
    [1.2, 'CRITICAL'],
  ])('%f of a limit is %s', (share, level) => {
    expect(levelOf(share)).toBe(level);
  });
});
