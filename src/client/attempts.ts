import { setTimeout as pause } from 'node:timers/promises';
import { CredenceError, isPassing } from './errors.js';

export interface CallOptions {
  /** Ends the call with the code ABORTED. */
  signal?: AbortSignal | undefined;
  /** For the whole call with everything that is tried again; otherwise the client's own `timeoutMs`. */
  timeoutMs?: number | undefined;
}

export interface AttemptSettings {
  /** The whole call. */
  timeoutMs: number;
  /** One attempt of it. */
  attemptTimeoutMs: number;
  /** Attempts after the first. */
  retries: number;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/**
 * How long to wait before attempt number `attempt`: anything up to a bound that doubles, so that many clients that failed
 * together do not come back together; on top of what the server asked for.
 */
function waitBefore(attempt: number, error: CredenceError): number {
  const bound = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return (error.retryAfterMs ?? 0) + Math.random() * bound;
}

const aborted = (signal: AbortSignal) =>
  new CredenceError('ABORTED', { message: 'The call was aborted.', cause: signal.reason });

/** Runs work that ends with its signal: with the time, or with the caller's own signal. */
export async function within<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { milliseconds, signal }: { milliseconds: number; signal: AbortSignal | undefined },
): Promise<T> {
  const controller = new AbortController();
  const late = () => controller.abort(new CredenceError('TIMEOUT', { message: 'Credence did not answer in time.' }));
  const timer = setTimeout(late, milliseconds);
  const end = () => signal && controller.abort(aborted(signal));
  signal?.addEventListener('abort', end, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

/**
 * Tries until it goes well, is refused for good, or the time is over. What is not safe to send twice is tried once.
 *
 * @throws CredenceError the last one
 */
export async function attempt<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: CallOptions & { settings: AttemptSettings; isSafe: boolean },
): Promise<T> {
  const { settings, isSafe, signal } = options;
  const deadline = performance.now() + (options.timeoutMs ?? settings.timeoutMs);
  const left = () => deadline - performance.now();
  for (let tried = 1; ; tried += 1) {
    if (signal?.aborted) throw aborted(signal);
    try {
      return await within(work, { milliseconds: Math.max(0, Math.min(settings.attemptTimeoutMs, left())), signal });
    } catch (error) {
      if (!(error instanceof CredenceError) || !isSafe || !isPassing(error) || tried > settings.retries) throw error;
      const waitMs = waitBefore(tried, error);
      // What would come too late is not waited for: the caller learns now, and when to come back.
      if (waitMs >= left()) throw error;
      await pause(waitMs, undefined, signal && { signal }).catch(() => undefined);
    }
  }
}
