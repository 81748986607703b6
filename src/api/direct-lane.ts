import type { FastifyReply, FastifyRequest } from 'fastify';
import { type DocumentNode, type ExecutionResult, execute, type GraphQLSchema } from 'graphql';
import type { App, Context } from '../core/context.js';
import { formatErrors, retryAfterOf, statusOfResult } from './errors.js';
import { createPlainSender, JSON_TYPE, type PlainAnswer } from './headers.js';

export interface KnownOperation {
  /** Valid: Apollo has found that it fits the schema. */
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Record<string, unknown>;
}

/** Whether the request asks for nothing that Apollo would have to negotiate. */
export function isPlainRequest({ method, headers }: FastifyRequest): boolean {
  const { accept } = headers;
  return method === 'POST' && (accept === undefined || accept === '*/*' || accept === 'application/json');
}

/** The same bytes that Apollo sends for a result (tests/api/lanes.test.ts compares them). */
function answerOf({ data, errors }: ExecutionResult, context: Context): PlainAnswer {
  const formatted = errors && formatErrors(errors, context);
  const body = { ...(formatted && { errors: formatted }), ...(data !== undefined && { data }) };
  return {
    status: formatted ? statusOfResult({ data, errors: formatted }) : 200,
    body: `${JSON.stringify(body)}\n`,
    retryAfter: retryAfterOf(formatted),
  };
}

/**
 * Executes a known operation straight away, on the same schema with the same guards, context and form of errors as
 * Apollo would, which saves most of the time of a request.
 */
export function createDirectLane(app: App, schema: GraphQLSchema) {
  const sendPlain = createPlainSender(app.config);
  const { refreshCookie } = app.config.tokens;

  return async function run(operation: KnownOperation, context: Context, reply: FastifyReply): Promise<FastifyReply> {
    const { document, operationName, variables: variableValues } = operation;
    const result = await execute({ schema, document, operationName, variableValues, contextValue: context });
    const answer = answerOf(result, context);
    if (!refreshCookie && !context.browserCookie.written && reply.request.headers.origin === undefined) {
      sendPlain(reply, answer);
      return reply;
    }
    if (answer.retryAfter !== undefined) reply.header('retry-after', String(answer.retryAfter));
    return reply.code(answer.status).header('content-type', JSON_TYPE).send(answer.body);
  };
}
