import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createDice } from '../support/dice.js';
import { createFaultPlace, type FaultPlace } from '../support/fault-place.js';
import { expectInvariants } from '../support/invariants.js';
import { createPlace, spawnCredence, startCredence } from '../support/process.js';

/** Loaded before the server itself: what nobody foresaw, on a signal. */
const planted = (signal: string, code: string) =>
  `--import data:text/javascript,${encodeURIComponent(`process.on('${signal}', () => { ${code} });`)}`;

let place: FaultPlace;
afterEach(async () => {
  await place?.dispose();
});

describe('a process that is told to stop', () => {
  it('under load, again and again: ends with 0, and every answer it gave is true', async () => {
    place = await createFaultPlace();
    const load = await place.load('stopped', 2);
    for (let round = 0; round < 2; round += 1) {
      await load.more(50);
      expect(await place.server().end('SIGTERM')).toBe(0);
      await place.restart();
    }
    await load.more(30);
    await load.stop();
    for (const code of ['INTERNAL_SERVER_ERROR', 'another form']) expect([...load.codes.keys()]).not.toContain(code);
    await place.expectInvariants();
  });

  it('twice, and by another signal on top, ends once and cleanly', async () => {
    place = await createFaultPlace();
    const load = await place.load('twice', 2);
    await load.more(20);
    const { child } = place.server();
    const ended = once(child, 'exit');
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT'] as const) child.kill(signal);
    expect(await ended).toEqual([0, null]);
    await place.restart();
    await load.stop();
    await place.expectInvariants();
  });

  it('or killed while it starts and migrates: the next start finds the database before or after, never between', async () => {
    const dice = createDice('starts');
    const empty = await createPlace({ empty: true });
    try {
      for (let round = 0; round < 3; round += 1) {
        const { child } = spawnCredence(empty.env);
        const ended = once(child, 'exit');
        await Promise.race([ended, pause(300 + dice.below(1_500))]);
        child.kill(dice.pick({ SIGTERM: 1, SIGKILL: 2 }));
        await ended;
      }
      const server = await startCredence(empty.env);
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
      expect(await server.end('SIGTERM')).toBe(0);
      const { DATABASE_URL: url = '' } = empty.env;
      await expectInvariants({ database: { kind: 'postgres', url, connections: 4 } });
    } finally {
      await empty.dispose();
    }
  });
});

it.each([
  ['a rejection that nobody handles', `Promise.reject(new Error('planted'))`, 'unhandled rejection'],
  ['an exception that nobody catches', `throw new Error('planted')`, 'uncaught exception'],
])('after %s it says so, finishes what runs, and ends with 1', async (_, code, said) => {
  place = await createFaultPlace({ env: { NODE_OPTIONS: planted('SIGUSR2', code) } });
  const load = await place.load('planted', 2);
  await load.more(20);
  const { child, output } = place.server();
  const ended = once(child, 'exit');
  child.kill('SIGUSR2');
  expect(await ended).toEqual([1, null]);
  expect(output()).toContain(said);
  // The message of an error may hold anything: it is not told.
  expect(output()).not.toContain('planted');
  await place.restart();
  await load.stop();
  await place.expectInvariants();
});
