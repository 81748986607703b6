import { connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createLimiter, type Limiter, type LimiterOptions, limitKey, type Place } from '../../src/core/limiter.js';

const MINUTE = { max: 5, windowSeconds: 60, sensitive: false };

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

function limiterWith(options: Partial<LimiterOptions> = {}): Limiter {
  const limiter = createLimiter({ redisUrl: undefined, ...options });
  open.push(limiter);
  return limiter;
}

/** The places that `calls` concurrent calls were given, in the order of their numbers. */
async function rush(take: () => Place | Promise<Place>, calls: number): Promise<number[]> {
  const places = await Promise.all(Array.from({ length: calls }, async () => (await take()).used));
  return places.sort((a, b) => a - b);
}

const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('a limiter in memory', () => {
  test('answers at once, without a promise', () => {
    expect(limiterWith().take('a', MINUTE)).toEqual({ used: 1, resetsInSeconds: 60 });
  });

  test('counts each key apart, in windows that begin with its first call', () => {
    let now = 0;
    const limiter = limiterWith({ now: () => now });
    expect(limiter.take('a', MINUTE)).toEqual({ used: 1, resetsInSeconds: 60 });
    now = 30_500;
    expect(limiter.take('b', MINUTE)).toEqual({ used: 1, resetsInSeconds: 60 });
    expect(limiter.take('a', MINUTE)).toEqual({ used: 2, resetsInSeconds: 30 });
    now = 59_999;
    expect(limiter.take('a', MINUTE)).toEqual({ used: 3, resetsInSeconds: 1 });
    now = 60_000;
    expect(limiter.take('a', MINUTE)).toEqual({ used: 1, resetsInSeconds: 60 });
    expect(limiter.take('b', MINUTE)).toEqual({ used: 2, resetsInSeconds: 31 });
  });

  test('never says that a window lasts longer than it does, whatever fractions the clock has', () => {
    // (230001.3345678 + 60000) - 230001.3345678 is a trace more than 60000.
    const limiter = limiterWith({ now: () => 230_001.334_567_800_02 });
    expect(limiter.take('a', MINUTE)).toEqual({ used: 1, resetsInSeconds: 60 });
  });

  test('agrees with a plain model over any keys, times and orders', () => {
    const call = fc.record({ key: fc.constantFrom('a', 'b', 'c'), wait: fc.integer({ min: 0, max: 40_000 }) });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        let now = 0;
        const limiter = createLimiter({ redisUrl: undefined, maxKeys: 10, now: () => now });
        const seen = new Map<string, { from: number; used: number }>();
        for (const { key, wait } of calls) {
          now += wait;
          const last = seen.get(key);
          const window =
            last && now < last.from + 60_000 ? { from: last.from, used: last.used + 1 } : { from: now, used: 1 };
          seen.set(key, window);
          expect(limiter.take(key, MINUTE)).toEqual({
            used: window.used,
            resetsInSeconds: Math.ceil((window.from + 60_000 - now) / 1000),
          });
        }
      }),
    );
  });

  test('refused calls do not lengthen the window', () => {
    let now = 0;
    const limiter = limiterWith({ now: () => now });
    for (; now < 60_000; now += 100) limiter.take('a', MINUTE);
    expect(limiter.take('a', MINUTE)).toEqual({ used: 1, resetsInSeconds: 60 });
  });

  test('holds no more keys than it may, and keeps those in use', () => {
    const limiter = limiterWith({ maxKeys: 100 });
    limiter.take('idle', MINUTE);
    for (let index = 0; index < 10_000; index++) {
      limiter.take(`key ${index}`, MINUTE);
      limiter.take('busy', MINUTE);
    }
    expect(limiter.take('busy', MINUTE)).toMatchObject({ used: 10_001 });
    expect(limiter.take('idle', MINUTE)).toMatchObject({ used: 1 });
  });
});

describe('exactly max calls get through, in whatever order they interleave', () => {
  type Take = () => Place | Promise<Place>;

  /** Whether some interleaving of concurrent calls lets more or fewer than `max` through. */
  async function breaks(makeTake: (scheduler: fc.Scheduler) => Take): Promise<boolean> {
    const race = fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 12 }), async (scheduler, calls) => {
      const take = makeTake(scheduler);
      const running = Array.from({ length: calls }, (_, index) =>
        scheduler.schedule(Promise.resolve(), `call ${index}`).then(take),
      );
      await scheduler.waitAll();
      const allowed = (await Promise.all(running)).filter(({ used }) => used <= MINUTE.max);
      if (allowed.length !== Math.min(calls, MINUTE.max)) throw new Error('not exact');
    });
    return (await fc.check(race)).failed;
  }

  test('with the limiter', async () => {
    const take = () => {
      const limiter = createLimiter({ redisUrl: undefined, maxKeys: 10 });
      return () => limiter.take('a', MINUTE);
    };
    expect(await breaks(take)).toBe(false);
  });

  test('and the test would notice: a twin that reads before it writes lets too many through', async () => {
    const twin = (scheduler: fc.Scheduler): Take => {
      let stored = 0;
      return async () => {
        const read = stored;
        await scheduler.schedule(Promise.resolve(), 'between reading and writing');
        stored = read + 1;
        return { used: stored, resetsInSeconds: 60 };
      };
    };
    expect(await breaks(twin)).toBe(true);
  });
});

describe('limitKey', () => {
  test('gives different parts different keys, however they are cut and however long they are', () => {
    const part = fc.string({ unit: fc.constantFrom('a', ':', '1', '2', '\0', 'é'), maxLength: 80 });
    const parts = fc.array(part, { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (left, right) => {
        const same = JSON.stringify(left) === JSON.stringify(right);
        expect(limitKey(left) === limitKey(right)).toBe(same);
      }),
    );
    expect(limitKey(['a:b', 'c'])).not.toBe(limitKey(['a', 'b:c']));
    expect(limitKey(['a:b'])).not.toBe(limitKey(['a', 'b']));
  });

  test('is short, whatever a caller sends', () => {
    expect(limitKey(['x'.repeat(1_000_000)]).length).toBeLessThanOrEqual(64);
    expect(limitKey(['x'.repeat(61)])).not.toBe(limitKey(['x'.repeat(60)]));
  });
});

describe('when Redis does not answer', () => {
  const SENSITIVE = { max: 8, windowSeconds: 60, sensitive: true };
  const allowed = async (limiter: Limiter, options: typeof SENSITIVE) =>
    (await rush(() => limiter.take('a', options), 20)).filter((used) => used <= options.max).length;

  /** Nothing listens on port 1; the other takes connections and never says a word. */
  async function silentServer(): Promise<string> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    const port = await listen(server);
    const destroyAll = async () => {
      for (const socket of sockets) socket.destroy();
    };
    open.push({ close: destroyAll }, closing(server));
    return `redis://127.0.0.1:${port}`;
  }

  test.each([
    ['refuses connections', async () => 'redis://127.0.0.1:1'],
    ['is silent', silentServer],
  ])('because it %s, sensitive calls get a quarter and others the whole', async (_, url) => {
    const states: boolean[] = [];
    const limiter = limiterWith({ redisUrl: await url(), onShared: (shared) => states.push(shared) });
    expect(await allowed(limiter, SENSITIVE)).toBe(2);
    expect(await allowed(limiterWith({ redisUrl: await url() }), { ...SENSITIVE, sensitive: false })).toBe(8);
    expect(states).toEqual([false]);
  });

  test('a sensitive call is allowed at least once', async () => {
    const limiter = limiterWith({ redisUrl: 'redis://127.0.0.1:1' });
    expect(await allowed(limiter, { ...SENSITIVE, max: 1 })).toBe(1);
  });
});

const redisUrl = process.env.TEST_REDIS_URL;
if (redisUrl !== undefined) {
  describe('a limiter in Redis', () => {
    const freshKey = () => limitKey([`test ${Date.now()} ${Math.random()}`]);

    test('lets exactly max through over several instances', async () => {
      // Patient, so that a busy machine is not taken for a Redis that is gone.
      const limiters = oneTo(3).map(() => limiterWith({ redisUrl, commandTimeoutMs: 10_000 }));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 40 }), async (callers) => {
          const key = freshKey();
          const takes = callers.map(async (index) => (await (limiters[index] as Limiter).take(key, MINUTE)).used);
          expect((await Promise.all(takes)).sort((a, b) => a - b)).toEqual(oneTo(callers.length));
        }),
        { numRuns: 30 },
      );
    });

    test('refused calls do not lengthen the window, and the key goes away with it', async () => {
      const limiter = limiterWith({ redisUrl, commandTimeoutMs: 10_000 });
      const client = new Redis(redisUrl);
      open.push({ close: async () => client.disconnect() });
      const key = freshKey();
      await limiter.take(key, { ...MINUTE, windowSeconds: 30 });
      await client.pexpire(`credence:limit:${key}`, 10_000);
      expect(await limiter.take(key, { ...MINUTE, windowSeconds: 30 })).toEqual({ used: 2, resetsInSeconds: 10 });
      expect(await client.pttl(`credence:limit:${key}`)).toBeLessThanOrEqual(10_000);
    });

    test('comes back to Redis by itself, after it was silent and after it was gone', async () => {
      const proxy = await openProxy(new URL(redisUrl));
      let now = 0;
      const limiter = limiterWith({ redisUrl: proxy.url, now: () => now });
      const other = limiterWith({ redisUrl });
      const key = freshKey();
      const options = { max: 100, windowSeconds: 60, sensitive: false };
      expect(await limiter.take(key, options)).toMatchObject({ used: 1 });

      for (const disturb of [proxy.freeze, proxy.cut]) {
        await disturb();
        const local = (await limiter.take(key, options)).used;
        // Within the next second nobody waits for Redis again.
        expect((await limiter.take(key, options)).used).toBe(local + 1);
        await proxy.restore();
        await other.take(key, options);
        await vi.waitFor(async () => {
          now += 1_000;
          const mine = (await limiter.take(key, options)).used;
          expect((await other.take(key, options)).used).toBe(mine + 1);
        });
      }
    });
  });
}

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

const closing = (server: Server) => ({ close: () => new Promise<void>((resolve) => server.close(() => resolve())) });

/** A way to Redis that can be frozen (connected, but nothing comes through) and cut (connections refused). */
async function openProxy(target: URL) {
  const sockets = new Set<Socket>();
  let frozen = false;
  const server = createServer((inner) => {
    const outer = connect(Number(target.port || 6379), target.hostname);
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      if (frozen) from.pause();
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  const port = await listen(server);
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  open.push({ close: async () => destroyAll() }, closing(server));
  return {
    url: `redis://127.0.0.1:${port}`,
    async freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    async cut() {
      const closed = closing(server).close();
      destroyAll();
      await closed;
    },
    async restore() {
      frozen = false;
      for (const socket of sockets) socket.resume();
      if (!server.listening) await listen(server, port);
    },
  };
}
