import { createRequire } from 'node:module';
import type { getGraphQLRateLimiter as GetRateLimiter } from 'graphql-rate-limit';
import { describe, expect, test } from 'vitest';
import { type LimitedField, takeFieldLimit } from '../../src/api/limits.js';
import type { Context, Viewer } from '../../src/core/context.js';
import { createLimiter, type Limiter } from '../../src/core/limiter.js';
import { createMetrics } from '../../src/core/metrics.js';

const { getGraphQLRateLimiter } = createRequire(import.meta.url)('graphql-rate-limit') as {
  getGraphQLRateLimiter: typeof GetRateLimiter;
};

const LOGIN: LimitedField = { field: 'login', family: 'auth' };
const ME: LimitedField = { field: 'me', family: 'default' };
const ANYBODY: Viewer = { kind: 'anonymous' };
const SERVICE: Viewer = { kind: 'service', id: 's', name: 's', scopes: [] };

/** Only what a limit reads of an App: the settings, the limiter and the count of refusals. */
function appWith(limiter: Limiter = createLimiter({ redisUrl: undefined, maxKeys: 1_000 })) {
  return { config: { limits: { authPerMinute: 5, defaultPerMinute: 50 } }, limiter, metrics: createMetrics() };
}

function caller(app: unknown, ip: string, viewer: Viewer = ANYBODY): Context {
  return { app, viewer, actor: { ip } } as Context;
}

/** How many of `count` simultaneous executions pass. */
async function passing(count: number, take: () => unknown): Promise<number> {
  const verdicts = await Promise.all(Array.from({ length: count }, () => take()));
  return verdicts.filter((verdict) => verdict === undefined).length;
}

/** A limiter that answers later, as Redis does, in an order of its own. */
function late(limiter: Limiter): Limiter {
  let calls = 0;
  return {
    close: limiter.close,
    isShared: limiter.isShared,
    async take(key, options) {
      const place = limiter.take(key, options);
      for (let turn = ++calls % 7; turn > 0; turn--) await Promise.resolve();
      return place;
    },
  };
}

describe('the limit of a root field', () => {
  test.each([
    ['in memory', (limiter: Limiter) => limiter],
    ['answered later', late],
  ])('lets exactly the budget of its family through, %s', async (_, wrap) => {
    const app = appWith(wrap(createLimiter({ redisUrl: undefined, maxKeys: 1_000 })));
    expect(await passing(200, () => takeFieldLimit(caller(app, '203.0.113.1'), LOGIN))).toBe(5);
    expect(await passing(200, () => takeFieldLimit(caller(app, '203.0.113.1'), ME))).toBe(50);
  });

  test('and the test would notice: the library over a store that reads, then writes, lets all through', async () => {
    const stored = new Map<string, readonly number[]>();
    const store = {
      getForIdentity: async ({ contextIdentity }: { contextIdentity: string }) => stored.get(contextIdentity) ?? [],
      setForIdentity: async ({ contextIdentity }: { contextIdentity: string }, timestamps: readonly number[]) => {
        stored.set(contextIdentity, timestamps);
      },
    };
    const twin = getGraphQLRateLimiter({ identifyContext: () => 'a', store });
    const info = { fieldName: 'login' } as Parameters<typeof twin>[0]['info'];
    expect(await passing(200, () => twin({ parent: undefined, args: {}, context: {}, info }, { max: 5 }))).toBe(200);
  });

  test('counts fields and addresses apart, and an IPv6 /64 as one address', async () => {
    const app = appWith();
    const count = (ip: string, field: LimitedField) => passing(6, () => takeFieldLimit(caller(app, ip), field));
    expect(await count('203.0.113.1', LOGIN)).toBe(5);
    expect(await count('203.0.113.1', { ...LOGIN, field: 'register' })).toBe(5);
    expect(await count('203.0.113.2', LOGIN)).toBe(5);
    expect(await count('2001:db8::1', LOGIN)).toBe(5);
    expect(await count('2001:db8::2', LOGIN)).toBe(0);
    expect(await count('2001:db8:0:1::1', LOGIN)).toBe(5);
  });

  test('refuses with RATE_LIMITED and each caller’s own time to wait', async () => {
    let now = 0;
    const app = appWith(createLimiter({ redisUrl: undefined, maxKeys: 1_000, now: () => now }));
    const rush = (ip: string) => Promise.all(Array.from({ length: 6 }, () => takeFieldLimit(caller(app, ip), LOGIN)));
    await rush('203.0.113.1');
    now = 20_500;
    await rush('203.0.113.2');
    const [first, second] = await Promise.all([rush('203.0.113.1'), rush('203.0.113.2')]);
    expect(first.at(-1)).toMatchObject({ code: 'RATE_LIMITED', extensions: { retryAfterSeconds: 40 } });
    expect(second.at(-1)).toMatchObject({ code: 'RATE_LIMITED', extensions: { retryAfterSeconds: 60 } });
    now = 60_000;
    expect(await takeFieldLimit(caller(app, '203.0.113.1'), LOGIN)).toBeUndefined();
  });

  test('does not count a caller with a service key', async () => {
    const app = appWith();
    expect(await passing(500, () => takeFieldLimit(caller(app, '203.0.113.1', SERVICE), LOGIN))).toBe(500);
    expect(await passing(6, () => takeFieldLimit(caller(app, '203.0.113.1'), LOGIN))).toBe(5);
  });

  test('tells the limiter which family guards credentials', async () => {
    const seen: unknown[] = [];
    const app = appWith({
      take(_, options) {
        seen.push(options);
        return { used: 1, resetsInSeconds: 60 };
      },
      isShared: () => undefined,
      close: async () => {},
    });
    await takeFieldLimit(caller(app, '203.0.113.1'), LOGIN);
    await takeFieldLimit(caller(app, '203.0.113.1'), ME);
    expect(seen).toEqual([
      { max: 5, windowSeconds: 60, sensitive: true },
      { max: 50, windowSeconds: 60, sensitive: false },
    ]);
  });
});
