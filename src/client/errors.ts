/** What the server can refuse. The same list as the server's own table, which a test compares. */
export const SERVER_CODES = [
  'BAD_USER_INPUT',
  'GRAPHQL_VALIDATION_FAILED',
  'GRAPHQL_PARSE_FAILED',
  'UNAUTHENTICATED',
  'INVALID_CREDENTIALS',
  'TOKEN_EXPIRED',
  'TOKEN_INVALID',
  'FORBIDDEN',
  'EMAIL_NOT_VERIFIED',
  'REAUTHENTICATION_REQUIRED',
  'ACCOUNT_SUSPENDED',
  'IP_NOT_ALLOWED',
  'NOT_FOUND',
  'USER_ALREADY_EXISTS',
  'IDEMPOTENCY_CONFLICT',
  'CONFLICT',
  'WEAK_PASSWORD',
  'INSUFFICIENT_CREDITS',
  'PAYMENT_FAILED',
  'LIMIT_REACHED',
  'RATE_LIMITED',
  'RETRY_LATER',
  'DATABASE_UNAVAILABLE',
  'BILLING_NOT_CONFIGURED',
  'UPSTREAM_FAILED',
  'GOOGLE_NOT_CONFIGURED',
  'INTERNAL_SERVER_ERROR',
] as const;

/** What goes wrong before an answer of Credence is there. */
export const CLIENT_CODES = [
  /** No answer within the time. A call that changes something may have been done. */
  'TIMEOUT',
  /** No connection, or one that broke. A call that changes something may have been done. */
  'NETWORK',
  /** The caller's AbortSignal. */
  'ABORTED',
  /** An answer, but not one of Credence: a proxy's error page, say. */
  'BAD_ANSWER',
  /** Credence refused with a code that this version of the client does not know; `serverCode` has it. */
  'UNKNOWN',
] as const;

export type CredenceErrorCode = (typeof SERVER_CODES)[number] | (typeof CLIENT_CODES)[number];

export interface CredenceErrorDetails {
  message: string;
  /** HTTP status, when there was an answer. */
  status?: number | undefined;
  /** For the operator of Credence: `requestTrace` finds by it what happened. */
  requestId?: string | undefined;
  /** When to come back, if Credence said so. */
  retryAfterMs?: number | undefined;
  /** For BAD_USER_INPUT: path → problem. */
  fields?: Record<string, string> | undefined;
  serverCode?: string | undefined;
  idempotencyKey?: string | undefined;
  cause?: unknown;
}

/** The only error that the client throws; switch over `code`. Never holds a token or a key. */
export class CredenceError extends Error {
  readonly code: CredenceErrorCode;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly fields: Record<string, string> | undefined;
  /** As the server wrote it; differs from `code` only when that is UNKNOWN. */
  readonly serverCode: string | undefined;
  /** Of the call that failed. After TIMEOUT and NETWORK, whose outcome is unknown, the same call with it is safe. */
  readonly idempotencyKey: string | undefined;

  constructor(code: CredenceErrorCode, details: CredenceErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CredenceError';
    this.code = code;
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    this.fields = details.fields;
    this.serverCode = details.serverCode;
    this.idempotencyKey = details.idempotencyKey;
  }
}

const KNOWN: ReadonlySet<string> = new Set(SERVER_CODES);

/** What may go well a moment later: nothing was decided about the call itself. */
const PASSING: ReadonlySet<CredenceErrorCode> = new Set([
  'TIMEOUT',
  'NETWORK',
  'RATE_LIMITED',
  'RETRY_LATER',
  'DATABASE_UNAVAILABLE',
]);

/** Statuses of proxies and balancers that mean "not now". */
const PASSING_STATUSES: ReadonlySet<number | undefined> = new Set([429, 502, 503, 504]);

/** Whether the same call may go well a moment later. */
export function isPassing({ code, status }: CredenceError): boolean {
  return PASSING.has(code) || (code === 'BAD_ANSWER' && PASSING_STATUSES.has(status));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const textIn = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** The first error of a GraphQL answer as ours. */
export function errorOfAnswer(
  first: unknown,
  { status, retryAfterMs }: { status: number; retryAfterMs: number | undefined },
): CredenceError {
  const error = isRecord(first) ? first : {};
  const extensions = isRecord(error.extensions) ? error.extensions : {};
  const { retryAfterSeconds } = extensions;
  const serverCode = textIn(extensions.code);
  const isKnown = serverCode !== undefined && KNOWN.has(serverCode);
  return new CredenceError(isKnown ? (serverCode as CredenceErrorCode) : 'UNKNOWN', {
    message: textIn(error.message) ?? 'Credence refused without a reason.',
    status,
    requestId: textIn(extensions.requestId),
    retryAfterMs: retryAfterMs ?? (typeof retryAfterSeconds === 'number' ? retryAfterSeconds * 1_000 : undefined),
    fields: isRecord(extensions.fields) ? (extensions.fields as Record<string, string>) : undefined,
    serverCode,
  });
}
