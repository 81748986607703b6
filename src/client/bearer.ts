// What every middleware does, whatever the framework: a header in, a viewer or a refusal out (RFC 6750).
import { CredenceError } from './errors.js';
import type { TokenValidation } from './token-validation.js';
import type { TokenRefusal, Viewer, ViewerKind } from './viewer.js';

/** What a route asks for. */
export interface BearerRules {
  /** Whether somebody has to be signed in; true when absent. A token that is sent has to be good either way. */
  required?: boolean | undefined;
  /** What an API key has to hold. A sign-in holds everything its person may do. */
  scopes?: readonly string[] | undefined;
  /** Whether the person's address has to be verified. */
  verified?: boolean | undefined;
  /** Whose tokens are taken: people's sign-ins and API keys when absent. Operators only where you say so. */
  kinds?: readonly ViewerKind[] | undefined;
  /** Asks for `viewer.profile` where the token alone would have been enough. */
  profile?: boolean | undefined;
  /** Asks the server now, whatever is remembered. For what cannot be undone. */
  fresh?: boolean | undefined;
}

export interface MiddlewareOptions extends BearerRules {
  /** Told when Credence could not be asked. The caller sees only UNAVAILABLE. */
  onError?: ((error: unknown) => void) | undefined;
}

export type RefusalCode =
  | 'BAD_REQUEST'
  | 'UNAUTHENTICATED'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'ACCOUNT_SUSPENDED'
  | 'IP_NOT_ALLOWED'
  | 'INSUFFICIENT_SCOPE'
  | 'FORBIDDEN'
  | 'EMAIL_NOT_VERIFIED'
  | 'UNAVAILABLE';

/** What the caller gets instead of an answer. */
export interface Refusal {
  status: number;
  headers: Record<string, string>;
  body: { error: { code: RefusalCode; message: string } };
}

export type Decision = { viewer: Viewer | null } | { refusal: Refusal };

export interface BearerRequest {
  /** The header as it came. */
  authorization: string | undefined;
  /** For methods that only read, an admin who may only look is let through. */
  method: string | undefined;
  ip: string | undefined;
}

const REALM = 'Bearer realm="credence"';
/** RFC 6750, 2.1. The scheme's name is in any case (RFC 9110, 11.1). */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const PEOPLE: readonly ViewerKind[] = ['USER', 'API_KEY'];
const COME_BACK_SECONDS = 2;

function refuse(status: number, code: RefusalCode, message: string, challenge?: string): { refusal: Refusal } {
  const headers: Record<string, string> = challenge === undefined ? {} : { 'www-authenticate': challenge };
  return { refusal: { status, headers, body: { error: { code, message } } } };
}

/** A credential that will not do, in the words of RFC 6750, 3.1. */
function challenge(error: 'invalid_request' | 'invalid_token' | 'insufficient_scope', description: string, scope = '') {
  return `${REALM}, error="${error}", error_description="${description}"${scope && `, scope="${scope}"`}`;
}

const REFUSALS: Record<TokenRefusal, readonly [status: number, code: RefusalCode, message: string]> = {
  EXPIRED: [401, 'TOKEN_EXPIRED', 'The token has expired.'],
  REVOKED: [401, 'UNAUTHENTICATED', 'The sign-in has ended.'],
  NOT_FOUND: [401, 'UNAUTHENTICATED', 'The sign-in has ended.'],
  MALFORMED: [401, 'TOKEN_INVALID', 'The token is not valid.'],
  SUSPENDED: [403, 'ACCOUNT_SUSPENDED', 'This account is suspended.'],
  IP_NOT_ALLOWED: [403, 'IP_NOT_ALLOWED', 'This address may not use the key.'],
  INSUFFICIENT_SCOPE: [403, 'INSUFFICIENT_SCOPE', 'The key lacks a scope.'],
};

function refuseToken(code: TokenRefusal, scopes: readonly string[] = []): { refusal: Refusal } {
  const [status, refusalCode, message] = REFUSALS[code];
  if (status === 401) return refuse(status, refusalCode, message, challenge('invalid_token', message));
  if (code !== 'INSUFFICIENT_SCOPE') return refuse(status, refusalCode, message);
  return refuse(status, refusalCode, message, challenge('insufficient_scope', message, scopes.join(' ')));
}

function judge(viewer: Viewer, { rules, method }: { rules: BearerRules; method: string | undefined }): Decision {
  if (!(rules.kinds ?? PEOPLE).includes(viewer.kind)) return refuse(403, 'FORBIDDEN', 'Not for this kind of account.');
  if (viewer.readOnly && method !== undefined && !SAFE_METHODS.has(method.toUpperCase()))
    return refuse(403, 'FORBIDDEN', 'This sign-in may only look.');
  const isPerson = viewer.kind === 'USER' || viewer.kind === 'API_KEY';
  if (rules.verified && !(isPerson && viewer.profile?.emailVerified))
    return refuse(403, 'EMAIL_NOT_VERIFIED', 'Verify your email address first.');
  return { viewer };
}

function unavailable(error: unknown): { refusal: Refusal } {
  const waitMs = error instanceof CredenceError ? error.retryAfterMs : undefined;
  const seconds = Math.max(1, Math.ceil((waitMs ?? COME_BACK_SECONDS * 1_000) / 1_000));
  const { refusal } = refuse(503, 'UNAVAILABLE', 'Sign-ins cannot be checked just now; try again shortly.');
  return { refusal: { ...refusal, headers: { 'retry-after': String(seconds) } } };
}

/** Who is asking, or what to answer instead. Never throws, and never shows what Credence said. */
export async function decide(
  tokens: Pick<TokenValidation, 'validateToken'>,
  options: { request: BearerRequest; rules: MiddlewareOptions },
): Promise<Decision> {
  const { request, rules } = options;
  const { authorization, method, ip } = request;
  if (authorization === undefined || !/^Bearer\b/i.test(authorization))
    return rules.required === false ? { viewer: null } : refuse(401, 'UNAUTHENTICATED', 'Sign in first.', REALM);
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) {
    const message = 'The Authorization header is malformed.';
    return refuse(400, 'BAD_REQUEST', message, challenge('invalid_request', message));
  }
  const { scopes, fresh } = rules;
  const profile = rules.profile === true || rules.verified === true;
  try {
    const answer = await tokens.validateToken(token, { scopes, fresh, profile, ip });
    return answer.valid ? judge(answer.viewer, { rules, method }) : refuseToken(answer.code, scopes);
  } catch (error) {
    (rules.onError ?? complain)(error);
    return unavailable(error);
  }
}

/** A service key without its scope, say, would else look like a server that is down. */
function complain(error: unknown): void {
  const text = error instanceof CredenceError ? `${error.code}: ${error.message}` : String(error);
  process.emitWarning(`A token could not be checked. ${text}`, 'CredenceWarning');
}
