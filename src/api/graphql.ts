import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ExecutionResult, execute, type GraphQLSchema } from 'graphql';
import type { App, Context } from '../core/context.js';
import { AppError } from '../core/errors.js';
import { createRootFields, logAccess } from './access-log.js';
import { createContext } from './context.js';
import { createDocuments, type Documents } from './documents.js';
import { formatError, retryAfterOf, statusOfResult } from './errors.js';

const MOST_ERRORS = 5;

declare module 'fastify' {
  interface FastifyRequest {
    /** The client's address, seen through listed proxies only. */
    clientIp: string;
    context: Context;
  }
}

function present(errors: readonly unknown[], { app, actor }: Context) {
  return errors.slice(0, MOST_ERRORS).map((error) => formatError(error, { log: app.log, requestId: actor.requestId ?? '' }));
}

/** Errors in our form with the request's id, the status of a whole refusal, and Retry-After. */
function answerPlugin(app: App, documents: Documents): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ contextValue }) {
      return {
        async didResolveOperation({ source, request }) {
          documents.markValid(source, request.operationName);
        },
        async willSendResponse({ errors, response }) {
          if (response.body.kind !== 'single') return;
          const result = response.body.singleResult;
          if (errors) result.errors = present(errors, contextValue);
          response.http.status = statusOfResult(result);
          response.http.headers.delete('cache-control');
          const retryAfter = retryAfterOf(result.errors);
          if (retryAfter !== undefined) response.http.headers.set('retry-after', String(retryAfter));
        },
      };
    },
  };
}

interface Operation {
  query: string;
  operationName: string | undefined;
  variables: Record<string, unknown>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseVariables(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('BAD_USER_INPUT', { message: 'variables must be a JSON object.' });
  }
}

/** Simple cross-site requests send no such header: this is what Apollo's CSRF prevention asks for, with our answer. */
function requirePreflight(request: FastifyRequest): void {
  if (request.headers['x-apollo-operation-name'] ?? request.headers['apollo-require-preflight']) return;
  if (request.headers['content-type']?.startsWith('application/json')) return;
  throw new AppError('BAD_USER_INPUT', { message: 'A GET request needs the header apollo-require-preflight.' });
}

function readOperation(request: FastifyRequest): Operation {
  if (request.method === 'GET') requirePreflight(request);
  const source = request.method === 'GET' ? request.query : request.body;
  if (!isObject(source)) throw new AppError('BAD_USER_INPUT', { message: 'The body must be one JSON object with a query.' });
  const { query, operationName } = source;
  const variables = request.method === 'GET' ? parseVariables(source.variables) : (source.variables ?? {});
  if (typeof query !== 'string' || query === '') throw new AppError('BAD_USER_INPUT', { message: 'query must be a text.' });
  if (!isObject(variables)) throw new AppError('BAD_USER_INPUT', { message: 'variables must be a JSON object.' });
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw new AppError('BAD_USER_INPUT', { message: 'operationName must be a text.' });
  }
  return { query, operationName: operationName || undefined, variables };
}

function createApollo(app: App, options: { schema: GraphQLSchema; documents: Documents }): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema: options.schema,
    introspection: app.config.graphql.introspection,
    hideSchemaDetailsFromClientErrors: app.config.environment === 'production',
    includeStacktraceInErrorResponses: false,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: 2000 },
    // Errors pass as they are: the plugin formats them, for it knows the request.
    formatError: (formatted) => formatted,
    logger: { debug() {}, info() {}, warn: (text) => app.log.warn(String(text)), error: (text) => app.log.error(String(text)) },
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      answerPlugin(app, options.documents),
    ],
  });
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** Whether the plain media type will do; the others are negotiated by Apollo. */
function acceptsJson(request: FastifyRequest): boolean {
  const { accept } = request.headers;
  return accept === undefined || accept === '*/*' || accept === 'application/json';
}

/** The same bytes that Apollo sends for a result (tests/api/lanes.test.ts compares them). */
function answer(reply: FastifyReply, options: { result: ExecutionResult; context: Context }) {
  const { data, errors } = options.result;
  const formatted = errors && present(errors, options.context);
  const body = { ...(formatted && { errors: formatted }), ...(data !== undefined && { data }) };
  const retryAfter = retryAfterOf(formatted);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  return reply
    .code(statusOfResult({ data: data as Record<string, unknown> | null | undefined, errors: formatted }))
    .header('content-type', JSON_TYPE)
    .send(`${JSON.stringify(body)}\n`);
}

/**
 * `POST /graphql`, and `GET` for queries. Limits on the document come before anything else looks at it. Apollo parses
 * and validates each document once; after that it is executed straight away, on the same schema with the same guards,
 * context and error form, which saves most of the time of a request.
 */
export async function mountGraphql(server: FastifyInstance, options: { app: App; schema: GraphQLSchema }): Promise<void> {
  const { app, schema } = options;
  const documents = createDocuments();
  const apollo = createApollo(app, { schema, documents });
  await apollo.start();
  const rootFields = createRootFields(schema);
  const throughApollo = fastifyApolloHandler(apollo, { context: async (request) => request.context });

  async function handle(this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    const operation = readOperation(request);
    const context = await createContext(app, { request, reply, ip: request.clientIp });
    request.asked = { viewer: context.viewer.kind };
    const isService = context.viewer.kind === 'service';
    const known = documents.require(operation, { isService, introspection: app.config.graphql.introspection });
    request.asked.field = rootFields(known.document, operation.operationName);
    if (known.isValid && request.method === 'POST' && acceptsJson(request)) {
      const { variables: variableValues, operationName } = operation;
      const result = await execute({ schema, document: known.document, contextValue: context, variableValues, operationName });
      return answer(reply, { result, context });
    }
    request.context = context;
    return throughApollo.call(this, request, reply);
  }

  server.decorateRequest('asked', undefined);
  server.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    handler: handle,
    onResponse(request, reply, done) {
      logAccess(app, request, reply);
      done();
    },
  });
  server.addHook('onClose', () => apollo.stop());
}

