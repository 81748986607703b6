import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createDice } from '../support/dice.js';
import { ADD_CREDITS, createFaultPlace, type FaultPlace } from '../support/fault-place.js';

const PATIENCE = { timeout: 60_000, interval: 50 };

let place: FaultPlace;
afterEach(async () => {
  await place?.dispose();
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
