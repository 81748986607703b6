import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountHealth } from '../../src/api/doors/health.js';
import type { App } from '../../src/core/context.js';
import { createHarness, type Harness } from '../support/harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

/** The health doors over the harness's app with something wrong in it. */
async function ask(
  url: string,
  options: { app?: Partial<App>; draining?: boolean; headers?: Record<string, string>; remoteAddress?: string } = {},
) {
  const server = Fastify();
  mountHealth(server, { ...harness.app, ...options.app }, { isDraining: () => options.draining ?? false });
  const { headers = {}, remoteAddress = '127.0.0.1' } = options;
  const answer = await server.inject({ url, headers, remoteAddress });
  await server.close();
  return { status: answer.statusCode, body: answer.json() };
}

const withDatabase = (isReady: () => Promise<boolean>) => ({ app: { database: { ...harness.app.database, isReady } } });

test('liveness says ok and nothing else, to anyone, whatever else is broken', async () => {
  const answer = await harness.fastify.inject({ url: '/health/live', remoteAddress: '203.0.113.9' });
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({ status: 'ok' });
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(
    await ask(
      '/health/live',
      withDatabase(async () => false),
    ),
  ).toEqual({ status: 200, body: { status: 'ok' } });
});

describe('readiness', () => {
  test('says ok when everything answers', async () => {
    const answer = await harness.fastify.inject('/health/ready');
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok' }]);
  });

  test('names the database when it says no, throws, or does not answer', async () => {
    const unavailable = { status: 503, body: { status: 'unavailable', failed: ['database'] } };
    expect(
      await ask(
        '/health/ready',
        withDatabase(async () => false),
      ),
    ).toEqual(unavailable);
    expect(
      await ask(
        '/health/ready',
        withDatabase(() => Promise.reject(new Error('gone'))),
      ),
    ).toEqual(unavailable);
    expect(
      await ask(
        '/health/ready',
        withDatabase(() => new Promise(() => undefined)),
      ),
    ).toEqual(unavailable);
  });

  test('names the migrations while one is missing', async () => {
    const { sql } = harness.app.database;
    const database: App['database'] = {
      ...harness.app.database,
      isReady: async () => true,
      sql: {
        ...sql,
        async query<Row>(text: string, params: readonly unknown[]) {
          const rows = await sql.query<Row>(text, params);
          return text.includes('hash') ? rows.slice(0, -1) : rows;
        },
      },
    };
    expect(await ask('/health/ready', { app: { database } })).toEqual({
      status: 503,
      body: { status: 'unavailable', failed: ['migrations'] },
    });
  });

  test('stays ready when a newer build has migrated further: two versions run side by side during an upgrade', async () => {
    const { sql } = harness.app.database;
    const database: App['database'] = {
      ...harness.app.database,
      isReady: async () => true,
      sql: {
        ...sql,
        async query<Row>(text: string, params: readonly unknown[]) {
          const rows = await sql.query<Row>(text, params);
          return text.includes('hash')
            ? [...rows, { index: 99, name: '0099_newer', hash: 'x', applied_at: new Date() } as Row]
            : rows;
        },
      },
    };
    expect((await ask('/health/ready', { app: { database } })).status).toBe(200);
  });

  test('says so while the event loop is held up', async () => {
    const isReady = async () => {
      const start = performance.now();
      while (performance.now() - start < 400);
      return true;
    };
    expect((await ask('/health/ready', withDatabase(isReady))).body).toEqual({
      status: 'unavailable',
      failed: ['eventLoop'],
    });
  });

  test('says no while draining', async () => {
    expect(await ask('/health/ready', { draining: true })).toEqual({
      status: 503,
      body: { status: 'unavailable', failed: ['draining'] },
    });
  });

  test('a hundred probes at once cost the database one look', async () => {
    let looks = 0;
    const isReady = async () => {
      looks += 1;
      return true;
    };
    const server = Fastify();
    mountHealth(server, { ...harness.app, ...withDatabase(isReady).app }, { isDraining: () => false });
    const answers = await Promise.all(Array.from({ length: 100 }, () => server.inject('/health/ready')));
    await server.close();
    expect(answers.every(({ statusCode }) => statusCode === 200)).toBe(true);
    expect(looks).toBeLessThan(10);
  });
});

describe('details', () => {
  const token = 'a-metrics-token-of-32-characters';
  const guarded = () => ({ app: { config: { ...harness.app.config, metricsToken: token } } });

  test('are told to this machine when no token is set', async () => {
    const { status, body } = await ask('/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'ok',
      failed: [],
      memory: { rssBytes: expect.any(Number), heapUsedBytes: expect.any(Number) },
      eventLoop: { p50Ms: expect.any(Number), p99Ms: expect.any(Number), maxMs: expect.any(Number) },
      database: { kind: harness.app.config.database.kind },
      outbox: { oldestSeconds: 0 },
    });
  });

  test.each([
    ['another machine', { remoteAddress: '203.0.113.9' }],
    ['another machine over IPv4 in IPv6', { remoteAddress: '::ffff:203.0.113.9' }],
    ['this machine, in the name of another (a proxy)', { headers: { 'x-forwarded-for': '127.0.0.1' } }],
  ])('are not told to %s', async (_who, options) => {
    expect(await ask('/health', options)).toEqual({ status: 200, body: { status: 'ok' } });
  });

  test('with a token set, are told to whoever presents it and to no one else', async () => {
    const bearer = (text: string) => ({
      ...guarded(),
      headers: { authorization: `Bearer ${text}` },
      remoteAddress: '203.0.113.9',
    });
    expect((await ask('/health', bearer(token))).body).toHaveProperty('memory');
    expect((await ask('/health', bearer(`${token}x`))).body).toEqual({ status: 'ok' });
    expect((await ask('/health', bearer(''))).body).toEqual({ status: 'ok' });
    expect((await ask('/health', guarded())).body).toEqual({ status: 'ok' });
  });

  test('come with 503 and the reason when something is wrong, and never hang on a dead database', async () => {
    const { status, body } = await ask(
      '/health',
      withDatabase(async () => false),
    );
    expect(status).toBe(503);
    expect(body).toMatchObject({ status: 'unavailable', failed: ['database'], outbox: { oldestSeconds: null } });
  });
});
