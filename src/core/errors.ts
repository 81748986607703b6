/**
 * The closed table of everything Credence can refuse. Clients switch over the code, so a code is never
 * renamed and never gets a second meaning; adding one is one line here (and one row in the contract).
 */
const TABLE = {
  BAD_USER_INPUT: [400, 'The input is not acceptable.'],
  GRAPHQL_VALIDATION_FAILED: [400, 'The document does not fit the schema.'],
  GRAPHQL_PARSE_FAILED: [400, 'The document could not be parsed.'],
  UNAUTHENTICATED: [401, 'Sign in first.'],
  INVALID_CREDENTIALS: [401, 'The credentials are not right.'],
  TOKEN_EXPIRED: [401, 'The token has expired.'],
  TOKEN_INVALID: [401, 'The token is not valid.'],
  FORBIDDEN: [403, 'Not allowed.'],
  EMAIL_NOT_VERIFIED: [403, 'Verify your email address first.'],
  REAUTHENTICATION_REQUIRED: [403, 'Confirm your password, or sign in again, first.'],
  ACCOUNT_SUSPENDED: [403, 'This account is suspended.'],
  IP_NOT_ALLOWED: [403, 'This address may not do that.'],
  NOT_FOUND: [404, 'There is no such thing.'],
  USER_ALREADY_EXISTS: [409, 'That username or email address is taken.'],
  IDEMPOTENCY_CONFLICT: [409, 'This idempotency key was used with other input.'],
  CONFLICT: [409, 'This conflicts with the present state.'],
  WEAK_PASSWORD: [422, 'The password is too weak.'],
  INSUFFICIENT_CREDITS: [402, 'Not enough credits.'],
  PAYMENT_FAILED: [402, 'The payment did not go through.'],
  LIMIT_REACHED: [429, 'The limit is reached.'],
  RATE_LIMITED: [429, 'Too many requests.'],
  RETRY_LATER: [503, 'Busy; try again shortly.'],
  DATABASE_UNAVAILABLE: [503, 'The database cannot be reached; try again shortly.'],
  BILLING_NOT_CONFIGURED: [501, 'Billing is not set up here.'],
  UPSTREAM_FAILED: [502, 'A service that this needs did not answer as it should.'],
  GOOGLE_NOT_CONFIGURED: [501, 'Signing in with Google is not set up here.'],
  INTERNAL_SERVER_ERROR: [500, 'Something went wrong on our side.'],
} as const satisfies Record<string, readonly [status: number, text: string]>;

export type ErrorCode = keyof typeof TABLE;

export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[];

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(TABLE, code);
}

/** The HTTP status of a request that is refused as a whole with this code. */
export function statusOf(code: ErrorCode): number {
  return TABLE[code][0];
}

export function textOf(code: ErrorCode): string {
  return TABLE[code][1];
}

export interface ErrorDetails {
  /** Overrides the table's sentence. Never holds a value the caller did not send, nor a secret. */
  message?: string;
  /** For BAD_USER_INPUT and WEAK_PASSWORD: path → problem. */
  fields?: Record<string, string>;
  retryAfterSeconds?: number;
  /** Anything else that goes to `extensions` as it is. */
  extensions?: Record<string, unknown>;
}

/** The only error that leaves the house unmasked. Its `extensions` are public. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly extensions: Record<string, unknown>;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.message ?? textOf(code));
    this.name = 'AppError';
    this.code = code;
    this.extensions = {
      ...(details.fields && { fields: details.fields }),
      ...(details.retryAfterSeconds !== undefined && { retryAfterSeconds: details.retryAfterSeconds }),
      ...details.extensions,
    };
  }
}

export function badInput(fields: Record<string, string>): AppError {
  return new AppError('BAD_USER_INPUT', { fields });
}
