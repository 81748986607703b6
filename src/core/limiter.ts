import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { RateLimiterRedis } from 'rate-limiter-flexible';

/**
 * Counts calls in windows that begin with a key's first call and end `windowSeconds` later. Taking a place and
 * learning its number is one step, so exactly `max` callers get a place of at most `max`, whatever the concurrency,
 * and over any number of instances that share one Redis.
 */
export interface Limiter {
  /** Takes one place. Answers at once without Redis; a promise with it, which never rejects. */
  take(key: string, options: TakeOptions): Place | Promise<Place>;
  /** Whether Redis answered the last call; undefined without Redis. */
  isShared(): boolean | undefined;
  close(): Promise<void>;
}

interface TakeOptions {
  /** Places in one window. */
  readonly max: number;
  /** Whole seconds. One key is always used with one length. */
  readonly windowSeconds: number;
  /** Guards credentials or money: without Redis only a quarter of `max` is granted here. */
  readonly sensitive: boolean;
}

export interface Place {
  /** This call's own place in its window, from 1: allowed when it is at most `max`. */
  readonly used: number;
  /** Seconds until the window ends, rounded up. */
  readonly resetsInSeconds: number;
}

export interface LimiterOptions {
  readonly redisUrl: string | undefined;
  /** Keys held in memory; beyond that the one unused for longest is forgotten. */
  readonly maxKeys?: number;
  /** Milliseconds of any clock that does not jump. */
  readonly now?: () => number;
  /** Told when Redis stops answering (false) and answers again (true). */
  readonly onShared?: (shared: boolean) => void;
  /** How long a command may take before the answer comes from memory (a hung Redis must not hang sign-in). */
  readonly commandTimeoutMs?: number;
}

/** After a failure every call is answered from memory at once, but for one a second that tries Redis again. */
const RETRY_MS = 1_000;

/** A limiter in memory, or in Redis with memory behind it. Never waits for Redis to start, never fails open. */
export function createLimiter(options: LimiterOptions): Limiter {
  const { redisUrl, maxKeys = 100_000, now = () => performance.now(), onShared } = options;
  const takeLocal = createWindows(maxKeys, now);
  if (redisUrl === undefined) {
    return {
      take: (key, { windowSeconds }) => takeLocal(key, windowSeconds),
      isShared: () => undefined,
      close: async () => {},
    };
  }
  return createSharedLimiter(openRedis(redisUrl, options.commandTimeoutMs ?? 100), { takeLocal, now, onShared });
}

/** Longer keys are hashed, so that nobody fills the memory with what he sends. */
const MAX_PLAIN_KEY = 64;

/**
 * One key, of at most 64 characters, from several parts that are already canonical. Lengths go in front, since parts
 * joined by a character alone collide (`a:b` + `c` and `a` + `b:c`). A hash holds no colon and a plain key does, so
 * the two kinds cannot meet; hashing every key would cost a fifth of a check.
 */
export function limitKey(parts: readonly string[]): string {
  let text = '';
  for (const part of parts) text += `${part.length}:${part}`;
  return text.length <= MAX_PLAIN_KEY ? text : hash('sha256', text, 'base64url');
}

type TakeLocal = (key: string, windowSeconds: number) => Place;

/** Fixed windows in a bounded map: one look-up a call, one small object a key, nothing to sweep. */
function createWindows(maxKeys: number, now: () => number): TakeLocal {
  const windows = new LRUCache<string, { used: number; endsAt: number }>({ max: maxKeys });
  return (key, windowSeconds) => {
    // Whole, or what is left of a window could come out a trace longer than all of it.
    const at = Math.floor(now());
    let window = windows.get(key);
    if (window === undefined || at >= window.endsAt) {
      window = { used: 0, endsAt: at + windowSeconds * 1000 };
      windows.set(key, window);
    }
    window.used += 1;
    return { used: window.used, resetsInSeconds: Math.ceil((window.endsAt - at) / 1000) };
  };
}

interface SharedParts {
  readonly takeLocal: TakeLocal;
  readonly now: () => number;
  readonly onShared: ((shared: boolean) => void) | undefined;
}

function createSharedLimiter(opening: Promise<SharedWindows>, { takeLocal, now, onShared }: SharedParts): Limiter {
  let shared = true;
  let retryAt = 0;

  function setShared(value: boolean): void {
    if (value !== shared) onShared?.(value);
    shared = value;
  }

  return {
    async take(key, options) {
      const at = now();
      if (shared || at >= retryAt) {
        retryAt = at + RETRY_MS;
        try {
          const { windows } = await opening;
          const { consumedPoints, msBeforeNext } = await windows.consume(key, 1, {
            customDuration: options.windowSeconds,
          });
          setShared(true);
          return { used: consumedPoints, resetsInSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)) };
        } catch {
          setShared(false);
        }
      }
      return withinLocalBudget(takeLocal(key, options.windowSeconds), options);
    },
    isShared: () => shared,
    async close() {
      const { client } = await opening;
      client.disconnect();
    },
  };
}

/**
 * A place counted by this instance alone. Sensitive fields get a quarter, so that an attacker who can stop Redis does
 * not multiply the guesses by the number of instances; beyond it the place is moved past `max`, where it is refused.
 */
function withinLocalBudget(place: Place, { max, sensitive }: TakeOptions): Place {
  if (!sensitive) return place;
  const budget = Math.max(1, Math.floor(max / 4));
  return place.used <= budget ? place : { ...place, used: place.used - budget + max };
}

interface SharedWindows {
  readonly client: Redis;
  readonly windows: RateLimiterRedis;
}

/** Both libraries are loaded only where Redis is used: they cost a tenth of a second of start-up. */
async function openRedis(url: string, commandTimeout: number): Promise<SharedWindows> {
  const [{ Redis }, { RateLimiterRedis }] = await Promise.all([import('ioredis'), import('rate-limiter-flexible')]);
  const client = new Redis(url, {
    commandTimeout,
    connectTimeout: 2_000,
    // A peer that takes commands and answers none is dead; without this the socket would be kept for ever.
    socketTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(attempt * 50, RETRY_MS),
    // Answered from memory already: sending them again after a reconnect would count them twice.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A former primary that came back as a replica refuses writes: connect anew, to whoever is primary now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  // Failures show as rejected commands; without a listener ioredis prints each reconnection attempt.
  client.on('error', () => {});
  // `points` is never reached: the verdict is the caller's, who knows `max`; what is wanted here is the place.
  const windows = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: 'credence:limit',
    points: Number.MAX_SAFE_INTEGER,
    duration: 60,
  });
  return { client, windows };
}
