import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { App, Context } from '../core/context.js';
import { AppError } from '../core/errors.js';
import { createRootFields, logAccess } from './access-log.js';
import { createApollo } from './apollo-lane.js';
import { createContext } from './context.js';
import { createDirectLane, isPlainRequest } from './direct-lane.js';
import { createDocuments, type OperationKind } from './documents.js';
import { rootFieldLabels } from './measure.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The client's address, seen through listed proxies only. */
    clientIp: string;
    context: Context | undefined;
    /** Once it is known. */
    operationKind: OperationKind | undefined;
  }
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
  if (!isObject(source))
    throw new AppError('BAD_USER_INPUT', { message: 'The body must be one JSON object with a query.' });
  const { query, operationName } = source;
  const variables = request.method === 'GET' ? parseVariables(source.variables) : (source.variables ?? {});
  if (typeof query !== 'string' || query === '')
    throw new AppError('BAD_USER_INPUT', { message: 'query must be a text.' });
  if (!isObject(variables)) throw new AppError('BAD_USER_INPUT', { message: 'variables must be a JSON object.' });
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw new AppError('BAD_USER_INPUT', { message: 'operationName must be a text.' });
  }
  // Some clients send it empty for "the only one"; Apollo, who reads the source itself, would look for that name.
  if (operationName === '') source.operationName = null;
  return { query, operationName: operationName || undefined, variables };
}

function requireContext({ context }: FastifyRequest): Context {
  if (context === undefined) throw new Error('The context is made before Apollo is asked.');
  return context;
}

/**
 * `POST /graphql`, and `GET` for queries. Limits on the document come before anything else looks at it. Apollo parses
 * and validates each document once; after that the direct lane executes it.
 */
export async function mountGraphql(
  server: FastifyInstance,
  options: { app: App; schema: GraphQLSchema },
): Promise<void> {
  const { app, schema } = options;
  const { introspection } = app.config.graphql;
  const documents = createDocuments(app.metrics.documents);
  const apollo = createApollo(app, { schema, documents });
  await apollo.start();
  const throughApollo = fastifyApolloHandler(apollo, { context: async (request) => requireContext(request) });
  const runDirectly = createDirectLane(app, schema);
  const rootFields = createRootFields(schema);
  const labels = rootFieldLabels(schema);
  app.metrics.fieldSeconds.allow(labels);
  app.metrics.fieldErrors.allow(labels);

  async function handle(this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
    const operation = readOperation(request);
    const context = await createContext(app, { request, reply, ip: request.clientIp });
    request.asked = { viewer: context.viewer.kind };
    const isService = context.viewer.kind === 'service';
    const { document, isValid, kind } = documents.require(operation, { isService, introspection });
    request.operationKind = kind;
    request.asked.field = rootFields(document, operation.operationName);
    const isDirect = isValid && isPlainRequest(request);
    if (!isDirect) request.context = context;
    const run = () =>
      isDirect ? runDirectly({ ...operation, document }, context, reply) : throughApollo.call(this, request, reply);
    if (app.tracing === undefined) return run();
    const attributes = { 'graphql.operation.type': kind, 'credence.fields': request.asked.field };
    return app.tracing.span(`graphql ${kind}`, { attributes }, async () => run());
  }

  server.decorateRequest('context', undefined);
  server.decorateRequest('operationKind', undefined);
  server.decorateRequest('asked', undefined);
  server.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    handler: handle,
    onResponse(request, reply, done) {
      if (request.operationKind) app.metrics.operationSeconds.add(request.operationKind, reply.elapsedTime / 1_000);
      logAccess(app, request, reply);
      done();
    },
  });
  server.addHook('onClose', () => apollo.stop());
}
