import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { App } from '../core/context.js';
import { isInCidrs } from '../core/network.js';
import type { Span, Tracing } from '../core/tracing.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** While traces are on. */
    span: Span | undefined;
  }
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS']);

/** One span for each request, from before all other hooks to the last byte. Without tracing there are no such hooks. */
export function traceRequests(server: FastifyInstance, { tracing, config }: Pick<App, 'tracing' | 'config'>): void {
  server.decorateRequest('span', undefined);
  if (tracing === undefined) return;
  server.addHook('onRequest', (request, _reply, done) => {
    const span = startSpan(tracing, request, config.server.trustProxy);
    request.span = span;
    tracing.within(span, done);
  });
  // The body arrives in the context of its connection, which is nobody's: the request's own is taken up again.
  server.addHook('preHandler', (request, _reply, done) => {
    if (request.span) tracing.within(request.span, done);
    else done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    request.span?.set({
      'http.response.status_code': reply.statusCode,
      'graphql.operation.type': request.operationKind,
      'credence.viewer.kind': request.asked?.viewer,
      'credence.fields': request.asked?.field,
    });
    request.span?.end(reply.statusCode >= 500 ? { code: String(reply.statusCode) } : undefined);
    done();
  });
}

function startSpan(tracing: Tracing, request: FastifyRequest, trusted: App['config']['server']['trustProxy']): Span {
  const { method, routeOptions, headers, socket, id } = request;
  const route = routeOptions.url ?? 'unknown';
  const known = METHODS.has(method) ? method : 'OTHER';
  const traceparent = headers.traceparent;
  const span = tracing.startRequest(`${known} ${route}`, {
    traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    isTrusted: trusted.length > 0 && isInCidrs(socket.remoteAddress ?? '', trusted),
  });
  span.set({ 'http.request.method': known, 'http.route': route, 'credence.request.id': id });
  return span;
}
