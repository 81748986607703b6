import { base64url, jwtVerify } from 'jose';
import { CredenceError } from './errors.js';
import type { KeySet } from './key-set.js';
import type { TokenRefusal, UserViewer } from './viewer.js';

/**
 * What a token proves by itself. `undecided`: only the server can tell. That is so for an operator (whose rights are not
 * in the token), for whoever acts in somebody's name (whether they may only look is not in it either), and for a key that
 * is not in the set.
 */
export type LocalVerdict =
  | { outcome: 'good'; viewer: UserViewer; issuedAtMs: number }
  | { outcome: 'bad'; code: TokenRefusal }
  | { outcome: 'undecided' };

export const LEEWAY_SECONDS = 30;
/** The longest ACCESS_TOKEN_TTL that the server takes. */
const LONGEST_LIFE_SECONDS = 3_600;
const TYP = 'at+jwt'; // RFC 9068
const HEADER_MEMBERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ']);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const UNDECIDED: LocalVerdict = { outcome: 'undecided' };
const bad = (code: TokenRefusal): LocalVerdict => ({ outcome: 'bad', code });

/**
 * The header before any cryptography. Only the members that Credence writes, so that nothing in it names a key (`jku`,
 * `x5u`, `jwk`) or changes the rules (`crit`, `b64`), and only one way of writing the three parts.
 */
function readHeader(token: string): { alg: string; kid: string } | undefined {
  try {
    const parts = token.split('.');
    if (parts.some((part) => base64url.encode(base64url.decode(part)) !== part)) return undefined;
    const header: unknown = JSON.parse(Buffer.from(parts[0] ?? '', 'base64url').toString('utf8'));
    if (typeof header !== 'object' || header === null) return undefined;
    if (Object.keys(header).some((name) => !HEADER_MEMBERS.has(name))) return undefined;
    const { alg, kid, typ } = header as Record<string, unknown>;
    return typeof alg === 'string' && typeof kid === 'string' && typ === TYP ? { alg, kid } : undefined;
  } catch {
    return undefined;
  }
}

function nothingWithoutKeys(error: unknown): undefined {
  if (!(error instanceof CredenceError)) throw error;
}

function isExpired(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_JWT_EXPIRED';
}

function readClaims(payload: Record<string, unknown>): LocalVerdict {
  const { sub, sid, kind, username, iat, exp, act } = payload;
  if (typeof sub !== 'string' || !UUID.test(sub) || typeof sid !== 'string' || !UUID.test(sid)) return bad('MALFORMED');
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return bad('MALFORMED');
  const [from, to] = [iat as number, exp as number];
  if (from > Date.now() / 1_000 + LEEWAY_SECONDS || to - from > LONGEST_LIFE_SECONDS) return bad('MALFORMED');
  if (kind !== 'user' || act !== undefined || typeof username !== 'string') return UNDECIDED;
  const viewer: UserViewer = {
    kind: 'USER',
    id: sub,
    username,
    expiresAt: new Date(to * 1_000).toISOString(),
    sessionId: sid,
    scopes: null,
    impersonatedBy: null,
    readOnly: false,
    profile: null,
  };
  return { outcome: 'good', viewer, issuedAtMs: from * 1_000 };
}

/**
 * Proves an access token by the key set (RFC 8725, RFC 9068): algorithm and key by `kid` from the set alone, `typ`,
 * `iss`, `aud`, `exp` and `iat`. That its session still lives is not in it.
 * Without the key set nothing is decided: the server, if it can be reached, still knows.
 */
export async function verifyLocally(keySet: KeySet, token: string): Promise<LocalVerdict> {
  const header = readHeader(token);
  if (!header) return bad('MALFORMED');
  const found = await keySet.find(header.kid).catch(nothingWithoutKeys);
  if (!found) return UNDECIDED;
  const { issuer, key } = found;
  if (key.algorithm !== header.alg) return bad('MALFORMED');
  try {
    const { payload } = await jwtVerify(token, key.key, {
      algorithms: [key.algorithm],
      issuer,
      audience: issuer,
      typ: TYP,
      requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp', 'kind'],
      clockTolerance: LEEWAY_SECONDS,
    });
    return readClaims(payload);
  } catch (error) {
    // Whatever jose throws is one of two answers.
    return bad(isExpired(error) ? 'EXPIRED' : 'MALFORMED');
  }
}
