import { type BillingCalls, createBillingCalls } from './billing.js';
import { createCalls } from './calls.js';
import { type CreditsCalls, createCreditsCalls } from './credits.js';
import { type CredenceEvent, concernOf } from './events.js';
import { createAsk } from './graphql.js';
import { createHttp, requireBaseUrl } from './http.js';
import { createKeySet } from './key-set.js';
import { createTokenBatch } from './token-batch.js';
import { createTokenValidation, type TokenValidation } from './token-validation.js';
import { createUsageCalls, type UsageCalls } from './usage.js';
import { createUsersCalls, type UsersCalls } from './users.js';

export interface CredenceClientOptions {
  /** Where Credence is reached from here: `https://id.example.com`. */
  url: string;
  /** `crd_svc_…`, of `createService`. */
  serviceKey: string;
  /** How old an answer about a token may be, in milliseconds: 5,000 when absent; 0 asks the server every time. */
  maxStalenessMs?: number | undefined;
  /** How many tokens are remembered: 10,000 when absent, which takes some 7 MB. */
  maxEntries?: number | undefined;
  /**
   * Proves sign-ins of people by the key set, without asking: as long as a token is younger than `maxStalenessMs`, it is
   * proof enough that its session was alive. `issuer` is the server's PUBLIC_URL; the server is asked for it when absent.
   */
  localVerification?: boolean | { issuer?: string | undefined } | undefined;
  /** For a whole call with everything that is tried again: 5,000 when absent. */
  timeoutMs?: number | undefined;
  /** For one attempt: 2,000 when absent. */
  attemptTimeoutMs?: number | undefined;
  /** Attempts after the first, of calls that are safe to send twice: 2 when absent. */
  retries?: number | undefined;
  /** Connections that are kept open: 64 at most when absent. */
  maxConnections?: number | undefined;
}

export interface CredenceClient extends TokenValidation, CreditsCalls, UsageCalls, UsersCalls, BillingCalls {
  /** Forgets whom a verified event of Credence concerns, and says whether it concerned anybody. */
  handleEvent(event: CredenceEvent): boolean;
  /** Ends idle connections. Nothing keeps a process alive that has nothing else to do. */
  close(): void;
}

function requireNumber(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new TypeError(`${name} must be a whole number, at least ${least}`);
}

function requireServiceKey(key: string): string {
  // The key of a person, or none at all because of a setting that is missing: better told now than by every call.
  if (typeof key === 'string' && key.startsWith('crd_svc_')) return key;
  throw new TypeError('serviceKey must be the key of a service, crd_svc_…');
}

/**
 * One client for a whole process: it holds the connections, and what is known of tokens.
 *
 * @throws TypeError for options that cannot be meant
 */
export function createCredenceClient(options: CredenceClientOptions): CredenceClient {
  const serviceKey = requireServiceKey(options.serviceKey);
  const settings = {
    timeoutMs: requireNumber('timeoutMs', options.timeoutMs ?? 5_000, 1),
    attemptTimeoutMs: requireNumber('attemptTimeoutMs', options.attemptTimeoutMs ?? 2_000, 1),
    retries: requireNumber('retries', options.retries ?? 2, 0),
  };
  const maxConnections = requireNumber('maxConnections', options.maxConnections ?? 64, 1);
  const http = createHttp(requireBaseUrl(options.url), { maxConnections });
  const ask = createAsk(http, { serviceKey, settings });
  const calls = createCalls(ask);
  const { localVerification } = options;
  const issuer = typeof localVerification === 'object' ? localVerification.issuer : undefined;
  const tokens = createTokenValidation(createTokenBatch(ask), {
    maxStalenessMs: requireNumber('maxStalenessMs', options.maxStalenessMs ?? 5_000, 0),
    maxEntries: requireNumber('maxEntries', options.maxEntries ?? 10_000, 1),
    keySet: localVerification ? createKeySet(http, { issuer, settings }) : undefined,
    timeoutMs: settings.timeoutMs,
  });
  return {
    ...tokens,
    ...createCreditsCalls(calls),
    ...createUsageCalls(calls),
    ...createUsersCalls(calls),
    ...createBillingCalls(calls),
    handleEvent(event) {
      const whom = concernOf(event);
      if (whom) tokens.forget(whom);
      return whom !== undefined;
    },
    close: () => http.close(),
  };
}

export { CLIENT_CODES, CredenceError, type CredenceErrorCode, SERVER_CODES } from './errors.js';
export { requireViewer, type TokenAnswer, type TokenRefusal, type Viewer, type ViewerKind } from './viewer.js';
