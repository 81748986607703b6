// Invariants: whatever is sent as a token gets a normal answer; only a token that is good says whose it is, so that a
// caller who forgets to look at `valid` finds nobody; session and account are read from the database every time.
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { isInCidrs, parseCidrs } from '../../core/network.js';
import { isKeyShaped } from '../../core/secrets.js';
import type { AccessClaims } from '../../core/tokens.js';
import { findApiKey } from '../auth/api-keys.service.js';
import { findSession } from '../auth/sessions.service.js';
import { ipRulesNow } from '../network/following.service.js';

export type TokenCode =
  | 'VALID'
  | 'EXPIRED'
  | 'REVOKED'
  | 'SUSPENDED'
  | 'MALFORMED'
  | 'NOT_FOUND'
  | 'INSUFFICIENT_SCOPE'
  | 'IP_NOT_ALLOWED';

export interface ValidatedUser {
  id: string;
  username: string;
  email: string;
  emailVerified: boolean;
  planCode: string;
}

export type TokenVerdict =
  | { code: Exclude<TokenCode, 'VALID'> }
  | {
      code: 'VALID';
      kind: 'USER';
      expiresAt: Date;
      user: ValidatedUser;
      sessionId: string;
      impersonatedBy: string | null;
      readOnly: boolean;
    }
  | { code: 'VALID'; kind: 'ADMIN'; expiresAt: Date; admin: { id: string; username: string }; sessionId: string }
  | {
      code: 'VALID';
      kind: 'STAFF';
      expiresAt: Date;
      staff: { id: string; username: string; level: number };
      sessionId: string;
    }
  | { code: 'VALID'; kind: 'API_KEY'; expiresAt: Date; user: ValidatedUser; scopes: string[] };

export interface TokenQuestion {
  token: string;
  /** What an API key has to hold. A sign-in holds everything its person may do. */
  scopes?: readonly string[] | null | undefined;
  /** The address of whoever sent the token, for keys that are bound to addresses. */
  ip?: string | null | undefined;
}

/** Whether a token is good at this moment, and whose it is. Never throws for a bad one. */
export async function validateToken(app: App, question: TokenQuestion): Promise<TokenVerdict> {
  return question.token.startsWith('crd_') ? validateApiKey(app, question) : validateAccessToken(app, question.token);
}

async function validateAccessToken(app: App, token: string): Promise<TokenVerdict> {
  let claims: AccessClaims;
  try {
    claims = await app.tokens.verify(token, app.now());
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code === 'TOKEN_EXPIRED' ? 'EXPIRED' : 'MALFORMED' };
  }
  const session = await findSession(app, claims.sessionId);
  if (!session) return { code: 'NOT_FOUND' };
  if (session.accountId !== claims.subject || session.kind !== claims.kind) return { code: 'MALFORMED' };
  // Before REVOKED: a suspension ends the sessions too, and is the better reason.
  if (session.suspended) return { code: 'SUSPENDED' };
  if (session.revokedAt) return { code: 'REVOKED' };
  if (session.expiresAt <= app.now()) return { code: 'EXPIRED' };
  const { accountId: id, username, email, emailVerified, sessionId } = session;
  const common = { code: 'VALID', expiresAt: claims.expiresAt, sessionId } as const;
  // All they may do is enrol a second factor: to other services they are nobody yet.
  if (session.mustEnroll) return { code: 'INSUFFICIENT_SCOPE' };
  if (session.kind === 'admin') return { ...common, kind: 'ADMIN', admin: { id, username } };
  if (session.kind === 'staff') return { ...common, kind: 'STAFF', staff: { id, username, level: session.level ?? 0 } };
  const { impersonatedBy, readOnly } = session;
  const user = { id, username, email, emailVerified, planCode: session.planCode ?? '' };
  return { ...common, kind: 'USER', user, impersonatedBy, readOnly };
}

async function validateApiKey(app: App, { token, scopes, ip }: TokenQuestion): Promise<TokenVerdict> {
  if (!isKeyShaped(token, 'key')) return { code: 'MALFORMED' };
  const key = await findApiKey(app, token);
  if (!key) return { code: 'NOT_FOUND' };
  if (key.state !== 'VALID') return { code: key.state };
  // A key bound to addresses is refused when the caller does not say where it came from: a list must not fail open.
  if (key.ipAllowList.length > 0 && !isInCidrs(ip ?? '', parseCidrs(key.ipAllowList)))
    return { code: 'IP_NOT_ALLOWED' };
  if (!(await ipRulesNow(app)).allows(ip ?? '', 'API_KEY', key.keyId)) return { code: 'IP_NOT_ALLOWED' };
  if (!(scopes ?? []).every((scope) => key.scopes.includes(scope))) return { code: 'INSUFFICIENT_SCOPE' };
  const { userId: id, username, email, emailVerified, planCode, expiresAt } = key;
  const user = { id, username, email, emailVerified, planCode };
  return { code: 'VALID', kind: 'API_KEY', expiresAt, user, scopes: key.scopes };
}
