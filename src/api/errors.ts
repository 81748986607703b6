import { GraphQLError, type GraphQLFormattedError, Kind } from 'graphql';
import type { Context } from '../core/context.js';
import { isDatabaseUnavailable } from '../core/database.js';
import { AppError, type ErrorCode, isErrorCode, statusOf, textOf } from '../core/errors.js';
import type { Logger } from '../core/logger.js';

/** Beneath the wrappers of graphql-js: what was thrown first. */
function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof GraphQLError && root.originalError) root = root.originalError;
  return root;
}

/** Codes that Apollo and graphql-js use for what our table calls bad input. */
const FOREIGN_CODES: Record<string, ErrorCode> = {
  OPERATION_RESOLUTION_FAILURE: 'BAD_USER_INPUT',
  BAD_REQUEST: 'BAD_USER_INPUT',
  PERSISTED_QUERY_NOT_SUPPORTED: 'BAD_USER_INPUT',
  PERSISTED_QUERY_NOT_FOUND: 'BAD_USER_INPUT',
};

// Suggestions rebuild a hidden schema word by word (G11), and a coercion error repeats what was sent.
const withoutSuggestion = (message: string) => message.replace(/ ?Did you mean [^?]*\?/g, '');
const withoutValue = (message: string) =>
  message
    .replace(/got invalid value .*? at "/s, 'got an invalid value at "')
    .replace(/got invalid value .*?;/s, 'got an invalid value;');

/** A variable that does not fit its type: graphql-js gives no code. */
function codeOfVariable(error: GraphQLError): string {
  return error.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION ? 'BAD_USER_INPUT' : '';
}

interface Refusal {
  code: ErrorCode;
  message: string;
  extensions: Record<string, unknown>;
}

function refusalOf(error: unknown, log: Logger, requestId: string): Refusal {
  const root = rootOf(error);
  if (root instanceof AppError) return { code: root.code, message: root.message, extensions: root.extensions };
  if (isDatabaseUnavailable(root)) {
    log.error({ err: root, requestId }, 'database unavailable');
    return {
      code: 'DATABASE_UNAVAILABLE',
      message: textOf('DATABASE_UNAVAILABLE'),
      extensions: { retryAfterSeconds: 2 },
    };
  }
  // graphql-js's own refusals (validation, coercion) have no original error, or one from a scalar.
  if (root instanceof GraphQLError || (error instanceof GraphQLError && error.extensions.code !== undefined)) {
    const foreign = String((error as GraphQLError).extensions.code ?? codeOfVariable(error as GraphQLError));
    const code = FOREIGN_CODES[foreign] ?? (isErrorCode(foreign) ? foreign : undefined);
    if (code && code !== 'INTERNAL_SERVER_ERROR') {
      return { code, message: withoutValue(withoutSuggestion((error as GraphQLError).message)), extensions: {} };
    }
  }
  log.error({ err: root, requestId }, 'unexpected error');
  return { code: 'INTERNAL_SERVER_ERROR', message: textOf('INTERNAL_SERVER_ERROR'), extensions: {} };
}

/** The one form in which an error leaves: known codes pass, everything else is masked and logged with its stack. */
export function formatError(error: unknown, options: { log: Logger; requestId: string }): GraphQLFormattedError {
  const { code, message, extensions } = refusalOf(error, options.log, options.requestId);
  const located = error instanceof GraphQLError ? error : undefined;
  return {
    message,
    ...(located?.locations && { locations: located.locations }),
    ...(located?.path && { path: located.path }),
    extensions: { ...extensions, code, requestId: options.requestId },
  };
}

const MOST_ERRORS = 5;

/** The errors of one answer in that form, each counted: at most five (G7). */
export function formatErrors(errors: readonly unknown[], { app, actor }: Context): GraphQLFormattedError[] {
  const options = { log: app.log, requestId: actor.requestId ?? '' };
  return errors.slice(0, MOST_ERRORS).map((error) => {
    const formatted = formatError(error, options);
    app.metrics.errors.add(String(formatted.extensions?.code));
    return formatted;
  });
}

/** The status of a whole refusal: nothing but errors came back. Partial data keeps 200. */
export function statusOfResult(result: {
  data?: Record<string, unknown> | null | undefined;
  errors?: readonly GraphQLFormattedError[] | undefined;
}): number {
  const first = result.errors?.[0]?.extensions?.code;
  if (!isErrorCode(first)) return 200;
  const refused = !result.data || Object.values(result.data).every((value) => value === null);
  return refused ? statusOf(first) : 200;
}

/** Seconds for a Retry-After header, when an error asks for one. */
export function retryAfterOf(errors: readonly GraphQLFormattedError[] | undefined): number | undefined {
  for (const error of errors ?? []) {
    const seconds = error.extensions?.retryAfterSeconds;
    if (typeof seconds === 'number') return seconds;
  }
  return undefined;
}
