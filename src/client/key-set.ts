import { type CryptoKey, importJWK, type JWK } from 'jose';
import { type AttemptSettings, attempt } from './attempts.js';
import { CredenceError } from './errors.js';
import { readJson } from './graphql.js';
import type { Http } from './http.js';

interface VerificationKey {
  algorithm: string;
  key: CryptoKey;
}

export interface KeySet {
  /**
   * The key, from a set that is not older than five minutes, and who signs with it. A set without it is fetched anew, but
   * not twice within seconds: whoever makes up ids makes no requests.
   *
   * @throws CredenceError when the set cannot be had
   */
  find(kid: string): Promise<{ issuer: string; key: VerificationKey } | undefined>;
}

/** What was published at a moment. */
interface Published {
  issuer: string;
  byId: ReadonlyMap<string, VerificationKey>;
  fetchedAt: number;
}

/** How long a withdrawn key may still be believed. */
const MOST_AGE_MS = 300_000;
/** From then on it is fetched while the one at hand still serves. */
const RENEW_MS = 240_000;
const LOOK_EVERY_MS = 5_000;
/** Which kind of key each algorithm takes. Asymmetric ones only: who can check with a shared secret can also sign. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['EdDSA', 'OKP'],
  ['ES256', 'EC'],
  ['RS256', 'RSA'],
]);

async function keyOf(jwk: JWK): Promise<VerificationKey | undefined> {
  const { alg, kty, use } = jwk;
  if (alg === undefined || KINDS.get(alg) !== kty || use !== 'sig') return undefined;
  const key = await importJWK(jwk, alg);
  return key instanceof Uint8Array ? undefined : { algorithm: alg, key };
}

async function readKeys(list: unknown): Promise<Map<string, VerificationKey>> {
  const keys = new Map<string, VerificationKey>();
  for (const jwk of Array.isArray(list) ? (list as JWK[]) : []) {
    const key = await keyOf(jwk);
    if (key && typeof jwk.kid === 'string') keys.set(jwk.kid, key);
  }
  return keys;
}

/** The key set of the server, and the name under which it signs unless that is given. */
export function createKeySet(http: Http, options: { issuer: string | undefined; settings: AttemptSettings }): KeySet {
  const { settings } = options;
  let held: Published | undefined;
  let fetching: Promise<Published> | undefined;

  const get = (path: string) =>
    attempt(async (signal) => readJson(await http.send({ path, signal })), { settings, isSafe: true });

  async function fetchKeys(): Promise<Published> {
    const fetchedAt = performance.now();
    const issuer = options.issuer ?? (await get('/.well-known/openid-configuration')).issuer;
    const { keys } = await get('/.well-known/jwks.json');
    if (typeof issuer !== 'string' || !Array.isArray(keys))
      throw new CredenceError('BAD_ANSWER', { message: 'The key set is not what Credence publishes.' });
    held = { issuer, byId: await readKeys(keys), fetchedAt };
    return held;
  }

  function renew(): Promise<Published> {
    fetching ??= fetchKeys().finally(() => {
      fetching = undefined;
    });
    return fetching;
  }

  async function current(): Promise<Published> {
    const age = held ? performance.now() - held.fetchedAt : Number.POSITIVE_INFINITY;
    if (!held || age > MOST_AGE_MS) return renew();
    if (age > RENEW_MS) renew().catch(() => undefined);
    return held;
  }

  return {
    async find(kid) {
      let published = await current();
      const isRecent = performance.now() - published.fetchedAt < LOOK_EVERY_MS;
      if (!published.byId.has(kid) && !isRecent) published = await renew();
      const key = published.byId.get(kid);
      return key && { issuer: published.issuer, key };
    },
  };
}
