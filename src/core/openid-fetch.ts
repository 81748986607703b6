// What Credence asks an OpenID provider over the network: bounded in time and size, never redirected (O14). A provider is
// somebody else's machine, whatever its name.
import { isLoopbackHost } from './network.js';

const TIMEOUT_MS = 5_000;
const MOST_BYTES = 256 * 1024;

interface Asked {
  method: string;
  headers: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

/** Why a provider's answer was not read to its end, as a code. */
export class FetchRefusal extends Error {}

/**
 * `fetch` that gives up after five seconds, the body included, reads 256 KiB at most (counted unpacked, so that an
 * answer cannot be a bomb), and follows no redirect: a token request would hand its secret on. Plain http only to this
 * machine.
 */
export async function fetchBounded(url: string, { method, headers, body, signal }: Asked): Promise<Response> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopbackHost(hostname))) throw new FetchRefusal('NOT_HTTPS');
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, {
    method,
    // A connection each: on one that was kept, a provider may hang up just as the code, which works once, is on its way.
    headers: { ...headers, connection: 'close' },
    ...(body !== undefined && body !== null && { body: body as NonNullable<RequestInit['body']> }),
    redirect: 'manual',
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new FetchRefusal('REDIRECTED');
  }
  const bytes = await readAtMost(response);
  const type = response.headers.get('content-type');
  const isEmpty = bytes.length === 0;
  return new Response(isEmpty ? null : bytes, {
    status: response.status,
    headers: type ? { 'content-type': type } : {},
  });
}

async function readAtMost(response: Response): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the stream, and with it the connection.
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new FetchRefusal('TOO_LONG');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const FRESH_MS = 3_600_000;
const STALE_MS = 24 * FRESH_MS;
/** After a failure the old copy serves for that long before the provider is asked again. */
const RETRY_MS = 60_000;
/** Nobody makes us ask more often by sending tokens of keys that do not exist. */
const SOONEST_MS = 60_000;

/**
 * Something that changes rarely: kept for an hour, and used for up to a day when it cannot be read anew. Any number of
 * callers at once share one request.
 */
export class KeptDocument<T> {
  private kept: { value: T; readAt: number } | undefined;
  private failedAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<T> | undefined;

  constructor(
    private readonly read: () => Promise<T>,
    private readonly now: () => number,
  ) {}

  /** `isEnough` false: this copy lacks what is needed, so ask again, though not twice a minute. */
  async get(isEnough: (value: T) => boolean = () => true): Promise<T> {
    const { kept } = this;
    if (kept && this.mayServe(kept, isEnough(kept.value))) return kept.value;
    try {
      return await this.refresh();
    } catch (error) {
      this.failedAt = this.now();
      if (kept && this.now() - kept.readAt < STALE_MS) return kept.value;
      throw error;
    }
  }

  private mayServe(kept: { readAt: number }, isEnough: boolean): boolean {
    const age = this.now() - kept.readAt;
    if (age < SOONEST_MS) return true;
    if (age < STALE_MS && this.now() - this.failedAt < RETRY_MS) return true;
    return isEnough && age < FRESH_MS;
  }

  private refresh(): Promise<T> {
    this.reading ??= this.read()
      .then((value) => {
        this.kept = { value, readAt: this.now() };
        return value;
      })
      .finally(() => {
        this.reading = undefined;
      });
    return this.reading;
  }
}
