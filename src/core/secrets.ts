import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  timingSafeEqual,
} from 'node:crypto';
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Config, parseEncryptionKey } from './config.js';
import { publicRandom } from './random.js';

/** Keys derived from the one encryption key, each for one purpose, so that no two uses share a key (ASVS 11.2). */
export interface Secrets {
  /** 32 bytes, the same for the same purpose as long as the encryption key stays. */
  derive(purpose: string): Buffer;
  /** HMAC-SHA-256 (RFC 2104) as base64url: two texts can be told apart without keeping either. */
  mac(purpose: string, text: string): string;
  /** AES-256-GCM with a random nonce; `aad` ties the result to its row, so that it cannot be moved to another. */
  encrypt(purpose: string, plaintext: string, aad: string): string;
  /** Throws when the text was altered, moved or sealed with another key. */
  decrypt(purpose: string, sealed: string, aad: string): string;
}

export function createSecrets(encryptionKey: Buffer): Secrets {
  const derived = new Map<string, Buffer>();
  function derive(purpose: string): Buffer {
    let key = derived.get(purpose);
    if (key === undefined) {
      key = Buffer.from(hkdfSync('sha256', encryptionKey, 'credence', purpose, 32));
      derived.set(purpose, key);
    }
    return key;
  }
  // With the bytes of a key Node takes five to seven times as long as with a key object.
  const objects = new Map<string, KeyObject>();
  function objectOf(purpose: string): KeyObject {
    const known = objects.get(purpose);
    if (known !== undefined) return known;
    const made = createSecretKey(derive(purpose));
    objects.set(purpose, made);
    return made;
  }
  return {
    derive,
    mac: (purpose, text) => createHmac('sha256', objectOf(purpose)).update(text).digest('base64url'),
    encrypt: (purpose, plaintext, aad) => `v1.${seal(objectOf(purpose), plaintext, aad)}`,
    decrypt(purpose, sealed, aad) {
      if (!sealed.startsWith('v1.')) throw new Error('Unknown seal version');
      return openSealed(objectOf(purpose), sealed.slice(3), aad);
    },
  };
}

/** AES-256-GCM under a key of 32 bytes: base64url of a random 96-bit nonce, the tag and the text. */
export function seal(key: KeyObject, plaintext: string, aad: string): string {
  const nonce = publicRandom(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(aad));
  const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
}

/** What `seal` made. Throws when it was altered, moved (another `aad`) or sealed with another key. */
export function openSealed(key: KeyObject, sealed: string, aad: string): string {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(aad))
    .setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
}

/**
 * The encryption key from the configuration, else from `encryption.key` in the data directory, which is made
 * (readable by its owner only) when it is not there: a first start needs no settings.
 */
export function loadEncryptionKey(config: Pick<Config, 'encryptionKey' | 'dataDir'>): Buffer {
  if (config.encryptionKey) {
    const key = parseEncryptionKey(config.encryptionKey);
    if (!key) throw new Error('ENCRYPTION_KEY is not 32 random bytes');
    return key;
  }
  const file = resolve(config.dataDir, 'encryption.key');
  if (existsSync(file)) chmodSync(file, 0o600);
  else makeKeyFile(file);
  const key = parseEncryptionKey(readFileSync(file, 'utf8').trim());
  if (!key)
    throw new Error(`${file} does not hold 32 random bytes; restore it from a backup or delete it to start afresh`);
  return key;
}

/** Whole and on the disk before it has its name, which it gets only if nobody else was faster: several may start at once. */
function makeKeyFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, `${randomBytes(32).toString('base64')}\n`, { flag: 'wx', mode: 0o600, flush: true });
  try {
    linkSync(draft, file);
  } catch (error) {
    // Some file systems know no links (SMB, exFAT): there the last one wins.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARACTERS = 43; // 43 · log2(62) = 256 bits
const CHECKSUM_CHARACTERS = 6;

function base62(value: number, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest = Math.floor(rest / 62)) text = BASE62[rest % 62] + text;
  return text;
}

function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    // 248 = 4 · 62: larger bytes are thrown away so that every character is equally likely.
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += BASE62[byte % 62];
  }
  return text;
}

/**
 * `key` a person's API key, `svc` a service key; `mfa` a sign-in that lacks its second factor; `state`, `browser` and
 * `handover` of a sign-in at a provider; the others travel in letters.
 */
export type KeyKind =
  | 'key'
  | 'svc'
  | 'verify'
  | 'reset'
  | 'change'
  | 'undo'
  | 'invite'
  | 'mfa'
  | 'state'
  | 'browser'
  | 'handover';

/**
 * A new secret `crd_<kind>_<43 random characters><6 of checksum>`: 256 random bits, a prefix that leak scanners
 * can find, and a checksum that rejects typing errors and junk before any query.
 */
export function makeKey(kind: KeyKind): string {
  const body = `crd_${kind}_${randomBase62(RANDOM_CHARACTERS)}`;
  return body + base62(crc32(body), CHECKSUM_CHARACTERS);
}

/** Whether the text has the form and the checksum of a key of this kind. */
export function isKeyShaped(text: string, kind: KeyKind): boolean {
  const prefix = `crd_${kind}_`;
  if (text.length !== prefix.length + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS || !text.startsWith(prefix)) return false;
  const body = text.slice(0, -CHECKSUM_CHARACTERS);
  return base62(crc32(body), CHECKSUM_CHARACTERS) === text.slice(-CHECKSUM_CHARACTERS);
}

/** What is kept of a secret with enough entropy of its own (ASVS 6.5.2 asks no more above 112 bits). */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** What lists show of a key: its prefix and the first six random characters. */
export function startOfKey(key: string): string {
  return key.slice(0, key.lastIndexOf('_') + 7);
}

const REFRESH_PREFIX = 'crd_rt_';
const ID_BYTES = 16;
const SECRET_BYTES = 32;
const TAG_BYTES = 8;

/**
 * Refresh tokens: `crd_rt_` + base64url(session id, 32-byte secret, 8-byte tag).
 *
 * Each token's successor is an HMAC of it, so the current token can be given out a second time (two tabs) though
 * only its hash is kept. The tag rejects what we never issued without a query, and makes "our token, but older
 * than the one before the current" certain knowledge: that is theft, not noise.
 */
export interface RefreshTokens {
  first(sessionId: string): string;
  successorOf(token: string): string;
  /** The session a token of ours belongs to; undefined for anything we did not issue. */
  sessionOf(token: string): string | undefined;
}

export function createRefreshTokens(secrets: Secrets): RefreshTokens {
  // As key objects: with bytes, Node.js spends six times the HMAC itself on finding out what it was given.
  const tagKey = createSecretKey(secrets.derive('refresh-tag'));
  const chainKey = createSecretKey(secrets.derive('refresh-chain'));
  const length = REFRESH_PREFIX.length + Math.ceil(((ID_BYTES + SECRET_BYTES + TAG_BYTES) * 4) / 3);
  const tagOf = (bytes: Buffer) => createHmac('sha256', tagKey).update(bytes).digest().subarray(0, TAG_BYTES);
  const write = (id: Buffer, secret: Buffer) => {
    const bytes = Buffer.concat([id, secret]);
    return REFRESH_PREFIX + Buffer.concat([bytes, tagOf(bytes)]).toString('base64url');
  };
  const read = (token: string) => Buffer.from(token.slice(REFRESH_PREFIX.length), 'base64url');
  return {
    first: (sessionId) => write(Buffer.from(sessionId.replaceAll('-', ''), 'hex'), randomBytes(SECRET_BYTES)),
    successorOf(token) {
      const bytes = read(token).subarray(0, ID_BYTES + SECRET_BYTES);
      return write(bytes.subarray(0, ID_BYTES), createHmac('sha256', chainKey).update(bytes).digest());
    },
    sessionOf(token) {
      if (token.length !== length || !token.startsWith(REFRESH_PREFIX)) return undefined;
      const bytes = read(token);
      // One text for one token: a second encoding of the same bytes is refused.
      if (REFRESH_PREFIX + bytes.toString('base64url') !== token) return undefined;
      const tag = tagOf(bytes.subarray(0, ID_BYTES + SECRET_BYTES));
      if (!timingSafeEqual(tag, bytes.subarray(ID_BYTES + SECRET_BYTES))) return undefined;
      const hex = bytes.toString('hex', 0, ID_BYTES);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
  };
}
