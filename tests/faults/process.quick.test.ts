import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createDice } from '../support/dice.js';
import { ADD_CREDITS, createFaultPlace, type FaultPlace } from '../support/fault-place.js';
import { expectInvariants } from '../support/invariants.js';
import { createPlace, spawnCredence, startCredence } from '../support/process.js';

const PATIENCE = { timeout: 60_000, interval: 50 };
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
    const load = await place.load('stopped');
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
    const load = await place.load('twice');
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
      for (let round = 0; round < 4; round += 1) {
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
  const load = await place.load('planted');
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

describe('file descriptors', () => {
  const descriptorsOf = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;
  const limit = (pid: number, most: number | string) =>
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`]);

  it('all used up: whoever has a connection goes on, newcomers wait, and with more of them all is as before', async () => {
    place = await createFaultPlace();
    const load = await place.load('descriptors', 2);
    await load.more(20);
    const { child, url } = place.server();
    const pid = child.pid ?? 0;
    const before = descriptorsOf(pid);
    limit(pid, before + 4);
    const { port } = new URL(url);
    const crowd: Socket[] = [];
    for (let n = 0; n < 60; n += 1) crowd.push(connect(Number(port), '127.0.0.1').on('error', () => undefined));
    await expect.poll(() => descriptorsOf(pid), PATIENCE).toBeGreaterThanOrEqual(before + 4);
    await load.more(10);
    expect(child.exitCode).toBeNull();
    limit(pid, 4_096);
    for (const socket of crowd) socket.destroy();
    await expect.poll(() => place.probe('ready'), PATIENCE).toBe(200);
    await load.more(20);
    await load.stop();
    await place.expectInvariants();
    // What the crowd held was let go of.
    await expect.poll(() => descriptorsOf(pid), PATIENCE).toBeLessThan(before + 20);
  });
});

it('answers that are lost on the way: the same key asked again says what it was, and nothing is done twice', async () => {
  place = await createFaultPlace();
  const load = await place.load('lost', 1);
  await load.stop();
  const userId = place.seen.people[0]?.id;
  const { port } = new URL(place.server().url);
  const body = (n: number) =>
    JSON.stringify({
      query: ADD_CREDITS,
      variables: { input: { userId, amount: 1, idempotencyKey: `lost-answer-${n}` } },
    });
  const dice = createDice('lost answers');
  const send = async (n: number) => {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    const head = `POST /graphql HTTP/1.1\r\nHost: a\r\nX-API-Key: ${place.serviceKey}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body(n))}\r\n\r\n`;
    socket.write(head + body(n));
    // Gone before the answer, or just when it comes.
    if (dice.below(2) === 0) await pause(dice.below(30));
    else await once(socket, 'data');
    socket.destroy();
  };
  await Promise.all(Array.from({ length: 100 }, (_, n) => send(n)));
  const input = (n: number) => ({ userId, amount: 1, idempotencyKey: `lost-answer-${n}` });
  const again = await Promise.all(
    Array.from(
      { length: 100 },
      async (_, n) => (await place.asService(ADD_CREDITS, { input: input(n) })).data?.addCredits,
    ),
  );
  expect(again.every((answer) => answer?.transaction.id)).toBe(true);
  expect(again.filter((answer) => answer.replayed).length).toBeGreaterThan(0);
  const { data } = await place.asService('query($id: ID!) { creditBalance(userId: $id) { balance } }', { id: userId });
  const spent = place.seen.movements
    .filter(({ outcome, field }) => outcome === 'ok' && field !== 'holdCredits')
    .reduce((sum, { field, input }) => sum + (field === 'addCredits' ? input.amount : -input.amount), 0);
  expect(data?.creditBalance.balance).toBe(1_000 + 100 + spent);
  await place.expectInvariants();
});
