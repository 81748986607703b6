import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/core/database.js';
import { createTestDatabase, silentLog, type TestDatabase } from '../support/database.js';
import { createHarness, type Harness } from '../support/harness.js';
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

let own: TestDatabase;
let proxy: TcpProxy;
let h: Harness;
beforeAll(async () => {
  own = await createTestDatabase();
  if (own.kind !== 'postgres') throw new Error('These tests want TEST_DATABASE_URL.');
  proxy = await createTcpProxy(own.url);
  const database = await openDatabase({ kind: 'postgres', url: proxy.url, connections: 8 }, silentLog);
  h = await createHarness({ overrides: { database } });
});
afterAll(async () => {
  await h.close();
  await proxy.close();
  await own.dispose();
});

const scrape = () => h.fastify.inject({ url: '/metrics', remoteAddress: '127.0.0.1' });
const OF_THE_DATABASE = /^credence_(outbox_|audit_|jobs_queued|check_|stripe_events|stripe_oldest)/m;

test('a server whose database answers shows what is in it', async () => {
  const { payload } = await scrape();
  expect(payload).toMatch(/^credence_database_up 1$/m);
  expect(payload).toMatch(OF_THE_DATABASE);
});

test.each([
  ['refuses', () => proxy.goDown(), () => proxy.comeUp()],
  ['says nothing', async () => proxy.freeze(), async () => proxy.thaw()],
])('a database that %s costs the page what is in it, and nothing else', async (_how, fail, mend) => {
  await fail();
  const { payload, statusCode } = await scrape();
  expect(statusCode).toBe(200);
  expect(payload).toMatch(/^credence_database_up 0$/m);
  expect(payload).not.toMatch(OF_THE_DATABASE);
  expect(payload).toMatch(/^credence_draining 0$/m);
  expect(payload).toMatch(/^credence_hashing_workers [1-9]/m);
  await mend();
  await expect
    .poll(async () => (await scrape()).payload, { timeout: 25_000, interval: 200 })
    .toMatch(/^credence_database_up 1$/m);
});
