import { createRequire } from 'node:module';
import type { getGraphQLRateLimiter as GetRateLimiter } from 'graphql-rate-limit';
import { LRUCache } from 'lru-cache';
import type { App, Context } from '../core/context.js';
import { AppError } from '../core/errors.js';
import { limitKey } from '../core/limiter.js';
import { networkKey } from '../core/network.js';

// By require, like graphql-shield in access.ts, which it loads: its ES build would bring shield's, which does not load.
const require = createRequire(import.meta.url);
const { getGraphQLRateLimiter } = require('graphql-rate-limit') as { getGraphQLRateLimiter: typeof GetRateLimiter };

/** Sign-in and everything else that guesses, pays or changes credentials; the rest. */
type LimitFamily = 'auth' | 'default';

export interface LimitedField {
  readonly field: string;
  readonly family: LimitFamily;
}

const WINDOW_SECONDS = 60;

/**
 * Counts one execution of a root field by this caller's address and answers with RATE_LIMITED when the minute's
 * places are used up, else with undefined. Every execution counts, so fifty aliased sign-ins cost fifty. A caller
 * with a valid service key is not counted: services come from few addresses, thousands of times a minute.
 */
export function takeFieldLimit(
  context: Context,
  { field, family }: LimitedField,
): Promise<AppError | undefined> | undefined {
  if (context.viewer.kind === 'service') return undefined;
  const network = networkKey(context.actor.ip ?? '');
  return limitsOf(context.app)[family](network, field);
}

type TakeLimit = (network: string, field: string) => Promise<AppError | undefined>;

/** One pair of rate limiters for each App; a test that makes several Apps gets separate ones. */
const limits = new WeakMap<App, Record<LimitFamily, TakeLimit>>();

function limitsOf(app: App): Record<LimitFamily, TakeLimit> {
  let pair = limits.get(app);
  if (pair === undefined) {
    const { authPerMinute, defaultPerMinute } = app.config.limits;
    pair = {
      auth: createFieldLimit(app, { max: authPerMinute, sensitive: true }),
      default: createFieldLimit(app, { max: defaultPerMinute, sensitive: false }),
    };
    limits.set(app, pair);
  }
  return pair;
}

const NO_ARGS = {};
const NONE_BEFORE: readonly number[] = [];
const ONE_BEFORE: readonly number[] = [Number.POSITIVE_INFINITY];

/**
 * graphql-rate-limit over our limiter. The library reads the timestamps of earlier calls from its store, compares
 * their number with `max` and writes them back; over an asynchronous store that is a race (200 calls against a limit
 * of 5: 200 passed), and its own memory store copies everything it holds on each call. So here the read itself takes
 * the place, and nothing is written back. The verdict is handed over in the library's terms, scaled to `max: 1`: no
 * earlier call passes, one earlier call does not. A list of a thousand timestamps would say the same and be filtered
 * on every call.
 */
function createFieldLimit(app: App, { max, sensitive }: { max: number; sensitive: boolean }): TakeLimit {
  const options = { max, windowSeconds: WINDOW_SECONDS, sensitive };
  /** When a refused caller may come back: the library's answer has no room for it. */
  const resets = new LRUCache<string, number>({ max: 1_000 });

  function read(key: string, { used, resetsInSeconds }: { used: number; resetsInSeconds: number }): readonly number[] {
    if (used <= max) return NONE_BEFORE;
    resets.set(key, resetsInSeconds);
    return ONE_BEFORE;
  }

  const store = {
    getForIdentity(identity: { contextIdentity: string; fieldIdentity: string }) {
      const key = limitKey([identity.contextIdentity, identity.fieldIdentity]);
      const place = app.limiter.take(key, options);
      return place instanceof Promise ? place.then((taken) => read(key, taken)) : read(key, place);
    },
    setForIdentity() {},
  };
  const rateLimit = getGraphQLRateLimiter({ identifyContext: (network: string) => network, store });
  const rule = { max: 1, readOnly: true, message: 'RATE_LIMITED' };

  return (network, field) => {
    const info = { fieldName: field } as Parameters<typeof rateLimit>[0]['info'];
    return rateLimit({ parent: undefined, args: NO_ARGS, context: network, info }, rule).then((refusal) => {
      if (refusal === undefined) return undefined;
      app.metrics.limiterRefusals.add(sensitive ? 'auth' : 'default');
      return new AppError('RATE_LIMITED', {
        retryAfterSeconds: resets.get(limitKey([network, field])) ?? WINDOW_SECONDS,
      });
    });
  };
}
