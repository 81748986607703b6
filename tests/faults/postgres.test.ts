import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDice } from '../support/dice.js';
import { ADD_CREDITS, createFaultPlace, type FaultPlace } from '../support/fault-place.js';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.js';

const PATIENCE = { timeout: 60_000, interval: 50 };

let own: OwnPostgres;
let place: FaultPlace;
beforeAll(async () => {
  own = await startOwnPostgres();
  place = await createFaultPlace({ serverUrl: own.url });
});
afterEach(async () => {
  own.resume();
});
afterAll(async () => {
  await place?.dispose();
  await own?.dispose();
});

/** A statement past the server, on the same database. */
async function directly<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(place.env.DATABASE_URL ?? '', { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

const isReady = () => place.probe('ready');
const look = () => place.asService('query { serviceInfo { name } validateToken(token: "junk") { code } }');

it('backends are killed one after the other under load: answers are right or say so, and the process goes on', async () => {
  const dice = createDice('backends');
  const load = await place.load('backend');
  const { pid } = place.server().child;
  for (let round = 0; round < 12; round += 1) {
    await load.more(20 + dice.below(30));
    await directly(async (sql) => {
      const pids = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by pid`;
      const unlucky = pids[dice.below(pids.length)];
      if (unlucky) await sql`select pg_terminate_backend(${unlucky.pid})`;
    });
  }
  await load.more(50);
  await load.stop();
  expect(place.server().child.pid).toBe(pid);
  expect(load.codes.get('broken') ?? 0).toBe(0);
  expect(load.codes.get('none')).toBeGreaterThan(200);
  await place.expectInvariants();
});

describe('the whole server', () => {
  it('killed under load: 503, not ready, alive; it comes back, and so does everything', async () => {
    const load = await place.load('whole');
    await load.more(100);
    await own.kill();
    await expect.poll(isReady, PATIENCE).toBe(503);
    expect(await place.probe('live')).toBe(200);
    expect((await look()).code).toBe('DATABASE_UNAVAILABLE');
    await own.start();
    await expect.poll(isReady, PATIENCE).toBe(200);
    await load.more(100);
    await load.stop();
    expect([...load.codes.keys()]).not.toContain('INTERNAL_SERVER_ERROR');
    await place.expectInvariants();
  });

  it('paused under load: given up after a bounded wait, not ready, alive; it goes on, and so does everything', async () => {
    const load = await place.load('paused');
    await load.more(100);
    own.pause();
    expect((await look()).code).toBe('DATABASE_UNAVAILABLE');
    expect(await isReady()).toBe(503);
    expect(await place.probe('live')).toBe(200);
    own.resume();
    await expect.poll(isReady, PATIENCE).toBe(200);
    await load.more(100);
    await load.stop();
    expect([...load.codes.keys()]).not.toContain('INTERNAL_SERVER_ERROR');
    await place.expectInvariants();
  });

  it('restarted in between by its operator, again and again: nobody has to restart anything else', async () => {
    const dice = createDice('restarts');
    const load = await place.load('restart');
    for (let round = 0; round < 4; round += 1) {
      await load.more(30 + dice.below(60));
      await own.kill();
      await own.start();
    }
    await expect.poll(isReady, PATIENCE).toBe(200);
    await load.more(60);
    await load.stop();
    await place.expectInvariants();
  });
});

it('somebody locks a table for good: who needs it is refused in time, with a time to come back; others and probes go on', async () => {
  const load = await place.load('locked', 1);
  await load.more(10);
  await load.stop();
  const person = place.seen.people.at(-1);
  await directly(async (sql) => {
    await sql.begin(async (tx) => {
      await tx`lock table credit_accounts in access exclusive mode`;
      const answers = await Promise.all(
        Array.from({ length: 60 }, async (_, n) => {
          const input = { userId: person?.id, amount: 1, idempotencyKey: `locked-out-${n}` };
          const response = await fetch(`${place.server().url}/graphql`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-api-key': place.serviceKey },
            body: JSON.stringify({ query: ADD_CREDITS, variables: { input } }),
          });
          return [response.status, Number(response.headers.get('retry-after')) > 0];
        }),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set(['[503,true]']));
      expect((await look()).code).toBeUndefined();
      expect(await isReady()).toBe(200);
    });
  });
  const input = { userId: person?.id, amount: 1, idempotencyKey: 'locked-out-0' };
  await expect.poll(async () => (await place.asService(ADD_CREDITS, { input })).code, PATIENCE).toBeUndefined();
  await place.expectInvariants();
  // One after the other they would wait for two minutes.
}, 90_000);
