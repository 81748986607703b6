import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CredenceClient, CredenceError } from '../../src/client/client.js';
import { type ClientWorld, createClientWorld } from './support.js';

let world: ClientWorld;
let client: CredenceClient;
let userId: string;
beforeAll(async () => {
  world = await createClientWorld({ scopes: ['credits:read', 'credits:grant', 'credits:use', 'billing:write'] });
  client = world.client();
  userId = (await world.h.person()).id;
  await client.addCredits({ userId, amount: 1_000 });
});
afterAll(() => world.close());
beforeEach(() => {
  world.proxy.plan();
  world.proxy.seen();
});

const errorOf = (call: Promise<unknown>): Promise<CredenceError> =>
  call.then(
    () => expect.fail('it went well'),
    (error) => error,
  );
const refusal = (code: string, headers: Record<string, string> = {}) => ({
  status: 503,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ errors: [{ message: 'no', extensions: { code } }] }),
});
const keysSent = () => world.proxy.seen().map(({ body }) => JSON.parse(body).variables.input.idempotencyKey as string);

describe('a call that is safe to send twice', () => {
  it('is sent again when the answer is lost, with the same key, and is done once', async () => {
    const before = await client.creditBalance(userId);
    world.proxy.seen();
    world.proxy.plan('lose', 'refuse');
    const spent = await client.useCredits({ userId, amount: 7 });
    expect(spent).toMatchObject({ replayed: true, account: { balance: before.balance - 7 } });
    const keys = keysSent();
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect((await client.creditBalance(userId)).balance).toBe(before.balance - 7);
  });

  it('is sent again when Credence asks for it, and not before it may', async () => {
    world.proxy.plan(refusal('DATABASE_UNAVAILABLE', { 'retry-after': '1' }), refusal('RETRY_LATER'));
    const since = performance.now();
    await client.creditBalance(userId);
    expect(performance.now() - since).toBeGreaterThanOrEqual(1_000);
    expect(world.proxy.seen()).toHaveLength(3);
  });

  it('is not waited for when that would take longer than the caller has: who asks learns when to come back', async () => {
    world.proxy.plan(refusal('RATE_LIMITED', { 'retry-after': '60' }));
    expect(await errorOf(client.creditBalance(userId))).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 60_000 });
    expect(world.proxy.seen()).toHaveLength(1);
  });

  it('is given up after the attempts that were asked for', async () => {
    const patient = world.client({ retries: 1 });
    world.proxy.plan('refuse', 'refuse', 'pass');
    expect(await errorOf(patient.creditBalance(userId))).toMatchObject({ code: 'NETWORK', status: undefined });
    expect(world.proxy.seen()).toHaveLength(2);
  });

  it('is not sent again when it was refused for good', async () => {
    expect(await errorOf(client.useCredits({ userId, amount: 1_000_000 }))).toMatchObject({
      code: 'INSUFFICIENT_CREDITS',
    });
    world.proxy.plan(refusal('INTERNAL_SERVER_ERROR'));
    expect(await errorOf(client.creditBalance(userId))).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(world.proxy.seen()).toHaveLength(2);
  });

  it('is sent again behind a proxy that cannot reach Credence; other strangers are told as such', async () => {
    world.proxy.plan({ status: 502, body: '<h1>Bad Gateway</h1>' });
    await client.creditBalance(userId);
    world.proxy.plan({ status: 200, body: '<h1>Welcome</h1>' });
    expect(await errorOf(client.creditBalance(userId))).toMatchObject({ code: 'BAD_ANSWER', status: 200 });
    expect(world.proxy.seen()).toHaveLength(3);
  });
});

describe('a call that is not', () => {
  it('is sent once, whatever happens', async () => {
    for (const fate of ['lose', 'refuse', refusal('RETRY_LATER')] as const) {
      world.proxy.plan(fate);
      expect((await errorOf(client.createSetupIntent(userId))).code).toBe(
        fate === 'lose' || fate === 'refuse' ? 'NETWORK' : 'RETRY_LATER',
      );
      expect(world.proxy.seen()).toHaveLength(1);
    }
  });
});

describe('the time', () => {
  it('of one attempt ends it, and the next goes well', async () => {
    const hasty = world.client({ attemptTimeoutMs: 1_000, timeoutMs: 20_000 });
    world.proxy.plan('hang');
    expect((await hasty.creditBalance(userId)).held).toBe(0);
    expect(world.proxy.seen()).toHaveLength(2);
  });

  it('of the whole call ends it, with the key by which it can be asked for again', async () => {
    world.proxy.plan('hang', 'hang', 'hang');
    const error = await errorOf(client.useCredits({ userId, amount: 1 }, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'TIMEOUT', idempotencyKey: keysSent()[0] });
  });

  it('of the caller ends it at once, before it is sent as well as after', async () => {
    const controller = new AbortController();
    const held = world.proxy.hold();
    const call = errorOf(client.creditBalance(userId, { signal: controller.signal }));
    await held.arrived(1);
    controller.abort(new Error('enough'));
    expect(await call).toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    held.go();
    expect((await errorOf(client.creditBalance(userId, { signal: controller.signal }))).code).toBe('ABORTED');
    expect(world.proxy.seen()).toHaveLength(1);
  });
});

describe('errors and connections', () => {
  it('a code that this client does not know is UNKNOWN, and still there to read', async () => {
    world.proxy.plan(refusal('SOMETHING_NEW'));
    const error = await errorOf(client.creditBalance(userId));
    expect(error).toMatchObject({ code: 'UNKNOWN', serverCode: 'SOMETHING_NEW', status: 503 });
  });

  it('no error holds the key, the address or what was sent', async () => {
    world.proxy.plan('refuse', 'refuse', 'refuse');
    const secret = `order-${randomUUID()}`;
    const error = await errorOf(client.useCredits({ userId, amount: 1, referenceId: secret }));
    const told = `${error.stack} ${JSON.stringify(error)}`;
    for (const value of [world.serviceKey, secret, '127.0.0.1']) expect(told).not.toContain(value);
  });

  it('one connection serves calls that follow each other', async () => {
    const fresh = world.client();
    for (let count = 0; count < 5; count += 1) await fresh.creditBalance(userId);
    expect(new Set(world.proxy.seen().map(({ connection }) => connection)).size).toBe(1);
  });

  it('a redirection is not followed: the key is for this host only', async () => {
    world.proxy.plan({ status: 307, headers: { location: 'http://127.0.0.1:1/graphql' }, body: '' });
    expect(await errorOf(client.creditBalance(userId))).toMatchObject({ code: 'BAD_ANSWER', status: 307 });
  });
});
