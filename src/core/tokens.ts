import { createHmac, createPrivateKey, createSecretKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  base64url,
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  generateSecret,
  importJWK,
  type JWK,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import type { Config } from './config.js';
import { isDatabaseUnavailable } from './database.js';
import { AppError } from './errors.js';

export type TokenKind = 'user' | 'admin' | 'staff';

/** What an access token says. Rights are never read from it: they are looked up with the session. */
export interface AccessClaims {
  readonly kind: TokenKind;
  readonly subject: string;
  readonly sessionId: string;
  readonly expiresAt: Date;
}

export interface SigningKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly state: 'NEXT' | 'CURRENT' | 'PREVIOUS';
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
}

export interface Tokens {
  /** Replaces the key set. The one in state CURRENT signs; all of them verify. */
  loadKeys(keys: readonly SigningKey[]): Promise<void>;
  /** How to load the key set anew when a token names a key that is not in it: another instance may have made it. */
  onUnknownKey(reload: () => Promise<void>): void;
  sign(options: {
    kind: TokenKind;
    subject: string;
    sessionId: string;
    username: string;
    now: Date;
    /** The end, if not after the usual time. */
    expiresAt?: Date | undefined;
    /** Who acts in the subject's name: the `act` claim (RFC 8693, 4.1). For readers; rights are never read from it. */
    actorId?: string | undefined;
  }): Promise<{ token: string; expiresAt: Date }>;
  /** Throws TOKEN_EXPIRED or TOKEN_INVALID; whether the session still lives is the caller's question. */
  verify(token: string, now: Date): Promise<AccessClaims>;
  /** The key set for services that verify themselves (RFC 7517). No private member, and nothing for HS256. */
  publicJwks(): { keys: JWK[] };
}

type Algorithm = Config['tokens']['algorithm'];

const TYP = 'at+jwt'; // RFC 9068
export const LEEWAY_SECONDS = 30;
/** The largest ACCESS_TOKEN_TTL: a shortened setting must not refuse tokens that are already out. */
const LONGEST_LIFE_SECONDS = 3600;
const MAX_LENGTH = 4096;
const REMEMBERED = 20_000;
/** Between two looks for keys that are not known: whoever makes up key ids does not make queries (T3). */
const RELOAD_MS = 1_000;
const KID = /^[A-Za-z0-9_-]{43}$/; // RFC 7638 with SHA-256
const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ']);
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A fresh key pair (or secret, for HS256); the `kid` is the RFC 7638 thumbprint. */
export async function makeSigningKey(algorithm: Algorithm): Promise<Omit<SigningKey, 'state'>> {
  if (algorithm === 'HS256') {
    const secret = await generateSecret(algorithm, { extractable: true });
    const privateJwk = await exportJWK(secret);
    return { kid: await calculateJwkThumbprint(privateJwk), algorithm, publicJwk: {}, privateJwk };
  }
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    kid,
    algorithm,
    publicJwk: { ...publicJwk, kid, alg: algorithm, use: 'sig' },
    privateJwk: await exportJWK(pair.privateKey),
  };
}

interface LoadedKey {
  readonly algorithm: string;
  readonly publicJwk: JWK;
  readonly verifyKey: CryptoKey | Uint8Array;
  readonly signKey: KeyObject;
}

async function loadKey(key: SigningKey): Promise<LoadedKey> {
  const { algorithm, publicJwk, privateJwk } = key;
  const isSecret = algorithm === 'HS256';
  const verifyKey = await importJWK(isSecret ? privateJwk : publicJwk, algorithm);
  const signKey = isSecret
    ? createSecretKey(privateJwk.k ?? '', 'base64url')
    : createPrivateKey({ key: privateJwk, format: 'jwk' });
  return { algorithm, publicJwk, verifyKey, signKey };
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/**
 * The compact form (RFC 7515, 7.1) of a token. jose verifies; its signing goes through Web Cryptography, with a job of
 * the thread pool each, and took three times as long as this.
 */
function signCompact(header: { alg: string; kid: string; typ: string }, claims: object, key: KeyObject): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signatureOf(input, header.alg, key).toString('base64url')}`;
}

/** RFC 7518, 3.1, and RFC 8037 for EdDSA, which hashes by itself. */
function signatureOf(input: string, algorithm: string, key: KeyObject): Buffer {
  if (algorithm === 'HS256') return createHmac('sha256', key).update(input).digest();
  if (algorithm === 'EdDSA') return sign(null, Buffer.from(input), key);
  return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
}

const invalid = () => new AppError('TOKEN_INVALID');

/** The header before any cryptography: only the members we write, and one encoding of them (T4, T5, T9). */
function readHeader(token: string): { alg: string; kid: string } {
  if (token.length > MAX_LENGTH || !COMPACT.test(token)) throw invalid();
  const parts = token.split('.');
  if (parts.some((part) => base64url.encode(base64url.decode(part)) !== part)) throw invalid();
  const header: unknown = JSON.parse(Buffer.from(parts[0] ?? '', 'base64url').toString('utf8'));
  if (typeof header !== 'object' || header === null || Object.keys(header).some((name) => !HEADER_MEMBERS.has(name)))
    throw invalid();
  const { alg, kid, typ } = header as Record<string, unknown>;
  if (typeof alg !== 'string' || typeof kid !== 'string' || typ !== TYP) throw invalid();
  return { alg, kid };
}

function isExpired(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_JWT_EXPIRED';
}

/** The payload's shape: jose checks the registered claims' presence, not that `sub` is one of our ids (T6, T8). */
function readClaims(payload: Record<string, unknown>, now: Date): AccessClaims {
  const { sub, sid, kind, iat, exp } = payload;
  const latest = now.getTime() / 1000 + LEEWAY_SECONDS;
  if (typeof sub !== 'string' || !UUID.test(sub) || typeof sid !== 'string' || !UUID.test(sid)) throw invalid();
  if (kind !== 'user' && kind !== 'admin' && kind !== 'staff') throw invalid();
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp) || (iat as number) > latest) throw invalid();
  if ((exp as number) - (iat as number) > LONGEST_LIFE_SECONDS) throw invalid();
  return { kind, subject: sub, sessionId: sid, expiresAt: new Date((exp as number) * 1000) };
}

export function createTokens(config: Pick<Config, 'tokens' | 'server'>): Tokens {
  const issuer = config.server.publicUrl;
  let keys = new Map<string, LoadedKey>();
  let current: { kid: string; key: LoadedKey } | undefined;
  /** A token proven once need not be proven again before it ends; the session behind it is looked up every time. */
  const proven = new LRUCache<string, AccessClaims>({ max: REMEMBERED });

  let reload: (() => Promise<void>) | undefined;
  let waiting: Promise<void> | undefined;
  let lastReload = Number.NEGATIVE_INFINITY;
  /** Looked for in the database and not there. It never will be: a key is there before anything is signed with it. */
  const unknown = new LRUCache<string, true>({ max: REMEMBERED });

  /** One look for all who wait for it. Whoever comes once it has begun waits for the next: it may have seen too little. */
  function reloadSoon(reload: () => Promise<void>): Promise<void> {
    waiting ??= (async () => {
      await pause(Math.max(0, lastReload + RELOAD_MS - performance.now()), undefined, { ref: false });
      waiting = undefined;
      lastReload = performance.now();
      await reload();
    })();
    return waiting;
  }

  async function findKey(kid: string): Promise<LoadedKey | undefined> {
    if (keys.has(kid) || !reload || !KID.test(kid) || unknown.has(kid)) return keys.get(kid);
    await reloadSoon(reload);
    if (!keys.has(kid)) unknown.set(kid, true);
    return keys.get(kid);
  }

  async function prove(token: string, now: Date): Promise<AccessClaims> {
    const header = readHeader(token);
    const key = await findKey(header.kid);
    if (!key || key.algorithm !== header.alg) throw invalid();
    const { payload } = await jwtVerify(token, key.verifyKey, {
      algorithms: [key.algorithm],
      issuer,
      audience: issuer,
      typ: TYP,
      requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp', 'kind'],
      clockTolerance: LEEWAY_SECONDS,
      currentDate: now,
    });
    return readClaims(payload, now);
  }

  return {
    async loadKeys(list) {
      const loaded = new Map<string, LoadedKey>();
      for (const key of list) loaded.set(key.kid, await loadKey(key));
      const signer = list.find((key) => key.state === 'CURRENT');
      const key = signer && loaded.get(signer.kid);
      if (!signer || !key) throw new Error('No signing key is in state CURRENT');
      const isWithdrawn = [...keys.keys()].some((kid) => !loaded.has(kid));
      keys = loaded;
      current = { kid: signer.kid, key };
      if (isWithdrawn) proven.clear();
    },
    onUnknownKey(given) {
      reload = given;
    },
    async sign({ kind, subject, sessionId, username, now, ...delegation }) {
      if (!current) throw new Error('No signing key loaded');
      const issuedAt = Math.floor(now.getTime() / 1000);
      const { actorId } = delegation;
      const expiresAt = delegation.expiresAt
        ? Math.floor(delegation.expiresAt.getTime() / 1000)
        : issuedAt + config.tokens.accessTtlSeconds;
      const flags = { ...(kind === 'admin' && { admin: true }), ...(actorId && { act: { sub: actorId } }) };
      const header = { alg: current.key.algorithm, kid: current.kid, typ: TYP };
      const registered = { iss: issuer, aud: issuer, sub: subject, jti: randomUUID(), iat: issuedAt, exp: expiresAt };
      const token = signCompact(
        header,
        { kind, sid: sessionId, username, ...flags, ...registered },
        current.key.signKey,
      );
      return { token, expiresAt: new Date(expiresAt * 1000) };
    },
    async verify(token, now) {
      const known = proven.get(token);
      if (known) {
        if (known.expiresAt.getTime() + LEEWAY_SECONDS * 1000 <= now.getTime()) throw new AppError('TOKEN_EXPIRED');
        return known;
      }
      try {
        const provenWith = keys;
        const claims = await prove(token, now);
        // Not when its key may have been withdrawn meanwhile: nobody would forget it then.
        if (provenWith === keys) proven.set(token, claims);
        return claims;
      } catch (error) {
        if (isDatabaseUnavailable(error)) throw error;
        // Whatever jose throws (some of it plain TypeErrors) is one of two answers.
        throw isExpired(error) ? new AppError('TOKEN_EXPIRED') : invalid();
      }
    },
    publicJwks: () => ({
      keys: [...keys.values()].filter((key) => key.algorithm !== 'HS256').map((key) => key.publicJwk),
    }),
  };
}
