// Invariants: no answer is older than `maxStalenessMs`, nor than what was forgotten; whoever asks at the same moment
// shares one request; a token's text is in no key of the cache.
import { hash } from 'node:crypto';
import { type CallOptions, within } from './attempts.js';
import { createBoundedCache } from './bounded-cache.js';
import { CredenceError } from './errors.js';
import { createForgotten, momentNow } from './forgotten.js';
import type { KeySet } from './key-set.js';
import { LEEWAY_SECONDS, verifyLocally } from './local-verification.js';
import type { Verdict } from './token-batch.js';
import type { TokenAnswer, TokenQuestion } from './viewer.js';

export interface ValidateOptions extends CallOptions {
  /** What an API key has to hold. */
  scopes?: readonly string[] | undefined;
  /** The address of whoever sent the token, for API keys that are bound to addresses. */
  ip?: string | undefined;
  /** Asks the server now, whatever is remembered. For what cannot be undone. */
  fresh?: boolean | undefined;
  /** Not satisfied with what a token says by itself: `viewer.profile` is there. */
  profile?: boolean | undefined;
}

/** A person, or one session. */
export type ForgetOptions = { userId: string } | { sessionId: string };

export interface TokenValidation {
  validateToken(token: string, options?: ValidateOptions): Promise<TokenAnswer>;
  /** What is known of them up to now counts no more, on this instance of the client. */
  forget(whom: ForgetOptions): void;
}

export interface TokenValidationSettings {
  maxStalenessMs: number;
  maxEntries: number;
  /** Undefined: every token is asked of the server. */
  keySet: KeySet | undefined;
  timeoutMs: number;
}

/**
 * A refusal is remembered for this long at most: a caller with a bad token costs a request a second, and who is let in
 * again waits no longer. Refusals have a cache of their own, so that junk pushes no good token out.
 */
const REFUSAL_MS = 1_000;
const MOST_REFUSALS = 1_000;
const MOST_FORGOTTEN = 10_000;
const MOST_LENGTH = 4_096;
const ACCESS_TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const API_KEY = /^crd_[A-Za-z0-9_]+$/;

/** A sign-in is bound to no scope and no address, so neither is asked, nor told apart by. */
function questionOf(token: string, { scopes, ip }: ValidateOptions): TokenQuestion | undefined {
  if (token.length > MOST_LENGTH) return undefined;
  if (API_KEY.test(token)) return { token, scopes: scopes ? [...scopes].sort() : null, ip: ip ?? null };
  return ACCESS_TOKEN.test(token) ? { token, scopes: null, ip: null } : undefined;
}

const keyOf = ({ token, scopes, ip }: TokenQuestion) =>
  hash('sha256', JSON.stringify([token, scopes, ip]), 'base64url');

const subjectsOf = ({ answer }: Verdict) => (answer.valid ? [answer.viewer.id, answer.viewer.sessionId] : []);

const present = ({ answer, asOf }: Verdict): TokenAnswer => ({ ...answer, asOf: new Date(asOf.wallMs) });

export function createTokenValidation(
  ask: (question: TokenQuestion) => Promise<Verdict>,
  settings: TokenValidationSettings,
): TokenValidation {
  const { maxStalenessMs, maxEntries, keySet, timeoutMs } = settings;
  const now = () => performance.now();
  const good = createBoundedCache<Verdict>(maxEntries, now);
  const refusals = createBoundedCache<Verdict>(MOST_REFUSALS, now);
  const forgotten = createForgotten(MOST_FORGOTTEN);
  const underWay = new Map<string, Promise<Verdict>>();

  function remember(key: string, verdict: Verdict): void {
    const { answer, asOf } = verdict;
    const before = good.get(key) ?? refusals.get(key);
    // Answers can overtake each other.
    if (before && before.asOf.steadyMs > asOf.steadyMs) return;
    (answer.valid ? refusals : good).delete(key);
    if (answer.valid) {
      const endsInMs = Date.parse(answer.viewer.expiresAt) - Date.now();
      good.set(key, verdict, Math.min(asOf.steadyMs + maxStalenessMs, now() + endsInMs));
    } else {
      refusals.set(key, verdict, asOf.steadyMs + Math.min(REFUSAL_MS, maxStalenessMs));
    }
  }

  function recall(key: string, needsProfile: boolean): Verdict | undefined {
    const known = good.get(key);
    if (!known) return refusals.get(key);
    if (known.asOf.steadyMs <= forgotten.latest(subjectsOf(known)).steadyMs) return undefined;
    const lacksProfile =
      known.answer.valid && known.answer.viewer.kind === 'USER' && known.answer.viewer.profile === null;
    return needsProfile && lacksProfile ? undefined : known;
  }

  /** What the token proves by itself, if that is recent enough: when it was made, its session was alive. */
  async function prove(token: string, keys: KeySet): Promise<Verdict | undefined> {
    const local = await verifyLocally(keys, token);
    if (local.outcome === 'undecided') return undefined;
    if (local.outcome === 'bad') return { answer: { valid: false, code: local.code }, asOf: momentNow() };
    const ageMs = Math.max(0, Date.now() - local.issuedAtMs);
    const asOf = { steadyMs: now() - ageMs, wallMs: local.issuedAtMs };
    const verdict: Verdict = { answer: { valid: true, viewer: local.viewer }, asOf };
    // The two clocks may differ by the leeway: a token that may be older than the news is not believed.
    const isNews = local.issuedAtMs - LEEWAY_SECONDS * 1_000 > forgotten.latest(subjectsOf(verdict)).wallMs;
    return ageMs < maxStalenessMs && isNews ? verdict : undefined;
  }

  async function find(key: string, question: TokenQuestion, { fresh, profile }: ValidateOptions): Promise<Verdict> {
    const isSignIn = ACCESS_TOKEN.test(question.token);
    const local = keySet && isSignIn && !fresh && !profile ? await prove(question.token, keySet) : undefined;
    const verdict = local ?? (await ask(question));
    remember(key, verdict);
    return verdict;
  }

  function share(key: string, question: TokenQuestion, options: ValidateOptions): Promise<Verdict> {
    // With a profile is another question than without one, when there are two ways to answer.
    const flight = `${key}${options.profile && keySet ? '+' : ''}`;
    const known = options.fresh ? undefined : underWay.get(flight);
    if (known) return known;
    const begun = find(key, question, options);
    underWay.set(flight, begun);
    const over = () => void (underWay.get(flight) === begun && underWay.delete(flight));
    begun.then(over, over);
    return begun;
  }

  async function validateToken(token: string, options: ValidateOptions = {}): Promise<TokenAnswer> {
    const question = questionOf(token, options);
    // Without the server: it would say the same.
    if (!question) return { valid: false, code: 'MALFORMED', asOf: new Date() };
    const key = keyOf(question);
    const known = options.fresh ? undefined : recall(key, options.profile === true);
    if (known) return present(known);
    const shared = share(key, question, options);
    if (!options.signal && options.timeoutMs === undefined) return present(await shared);
    return present(await waitFor(shared, { ...options, timeoutMs: options.timeoutMs ?? timeoutMs }));
  }

  return {
    validateToken,
    forget(whom) {
      forgotten.note('userId' in whom ? whom.userId : whom.sessionId);
      // Whoever asks from now on does not get an answer that was asked for before.
      underWay.clear();
    },
  };
}

/** Waits for what is shared as long as one caller wants to; the others are not disturbed. */
function waitFor<T>(shared: Promise<T>, options: { signal?: AbortSignal | undefined; timeoutMs: number }): Promise<T> {
  const { signal, timeoutMs } = options;
  if (signal?.aborted) {
    shared.catch(() => undefined);
    return Promise.reject(new CredenceError('ABORTED', { message: 'The call was aborted.', cause: signal.reason }));
  }
  const wait = (ended: AbortSignal) =>
    new Promise<T>((resolve, reject) => {
      ended.addEventListener('abort', () => reject(ended.reason), { once: true });
      shared.then(resolve, reject);
    });
  return within(wait, { milliseconds: timeoutMs, signal });
}
