import { type AttemptSettings, attempt, type CallOptions } from './attempts.js';
import { CredenceError, errorOfAnswer } from './errors.js';
import type { Http, HttpAnswer } from './http.js';

export interface Operation {
  document: string;
  variables: Record<string, unknown>;
  /** Whether it may be sent twice: it reads, or its idempotency key makes twice once. */
  isSafe: boolean;
}

/** Sends one operation and answers `data`. @throws CredenceError */
export type Ask = (operation: Operation, options?: CallOptions) => Promise<Record<string, unknown>>;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The answer as JSON, if it is an object. @throws CredenceError BAD_ANSWER */
export function readJson({ status, body, retryAfterMs }: HttpAnswer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = undefined;
  }
  if (isRecord(parsed)) return parsed;
  throw new CredenceError('BAD_ANSWER', {
    message: `Something other than Credence answered, with status ${status}.`,
    status,
    retryAfterMs,
  });
}

function dataOf(answer: HttpAnswer): Record<string, unknown> {
  const { data, errors } = readJson(answer);
  if (Array.isArray(errors) && errors.length > 0) throw errorOfAnswer(errors[0], answer);
  if (isRecord(data)) return data;
  const { status, retryAfterMs } = answer;
  throw new CredenceError('BAD_ANSWER', { message: `No GraphQL answer, status ${status}.`, status, retryAfterMs });
}

export function createAsk(http: Http, options: { serviceKey: string; settings: AttemptSettings }): Ask {
  const { serviceKey, settings } = options;
  const headers = { 'x-api-key': serviceKey };
  return ({ document, variables, isSafe }, call = {}) => {
    const body = JSON.stringify({ query: document, variables });
    return attempt(async (signal) => dataOf(await http.send({ path: '/graphql', body, headers, signal })), {
      ...call,
      settings,
      isSafe,
    });
  };
}
