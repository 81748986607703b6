import { afterAll, beforeAll, expect, it } from 'vitest';
import { createFaultPlace, type FaultPlace } from '../support/fault-place.js';
import { createOwnRedis, type OwnRedis } from '../support/own-redis.js';
import { ask } from '../support/process.js';

const PATIENCE = { timeout: 60_000, interval: 100 };
const BUDGET = 40;

let redis: OwnRedis;
let place: FaultPlace;
beforeAll(async () => {
  redis = await createOwnRedis();
  // It is not there yet.
  place = await createFaultPlace({ env: { REDIS_URL: redis.url, RATE_LIMIT_AUTH: String(BUDGET) } });
});
afterAll(async () => {
  redis?.resume();
  await redis?.kill();
  await place?.dispose();
});

let networks = 0;
/** How many of twice the budget get through to a sensitive field, from a network of their own. */
async function allowed(): Promise<number> {
  networks += 1;
  const headers = { 'x-forwarded-for': `172.16.${networks}.1` };
  const query = 'mutation { verifyEmail(token: "junk") { user { id } } }';
  const answers = await Promise.all(
    Array.from({ length: 2 * BUDGET }, () => ask(place.server().url, { query, headers })),
  );
  return answers.filter(({ code }) => code !== 'RATE_LIMITED').length;
}

it('down at the start, coming up, paused, killed, emptied: limits hold, a quarter of them alone, and nothing else changes', async () => {
  expect(await allowed()).toBe(BUDGET / 4);
  const load = await place.load('redis', 3);
  await load.more(30);
  await redis.start();
  await expect.poll(allowed, PATIENCE).toBe(BUDGET);
  redis.pause();
  await load.more(20);
  await expect.poll(allowed, PATIENCE).toBe(BUDGET / 4);
  redis.resume();
  await expect.poll(allowed, PATIENCE).toBe(BUDGET);
  await redis.flush();
  await load.more(30);
  await expect.poll(allowed, PATIENCE).toBe(BUDGET);
  await redis.kill();
  await load.more(30);
  await expect.poll(allowed, PATIENCE).toBe(BUDGET / 4);
  await redis.start();
  await expect.poll(allowed, PATIENCE).toBe(BUDGET);
  await load.stop();
  for (const code of load.codes.keys()) expect(['none', 'RATE_LIMITED', 'INSUFFICIENT_CREDITS']).toContain(code);
  expect(place.server().child.exitCode).toBeNull();
  await place.expectInvariants();
});
