import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { clientAddress } from '../../core/network.js';
import { readAtScrape } from './metrics-readings.js';

/** `GET /metrics` in Prometheus's text format, for whoever `mayReadInternals`; to others it does not exist, or is refused. */
export function mountMetrics(server: FastifyInstance, app: App, options: { isDraining(): boolean }): void {
  countAnswers(server, app);
  readAtScrape(app, options);
  server.get('/metrics', async (request, reply) => {
    if (!mayReadInternals(app, request)) {
      if (app.config.metricsToken === undefined) return reply.callNotFound();
      throw new AppError('FORBIDDEN');
    }
    return reply.type(app.metrics.registry.contentType).send(await app.metrics.text());
  });
}

/** Every answer of every door. Labels are the router's patterns, which the program wrote, never a path that was asked for. */
function countAnswers(server: FastifyInstance, app: App): void {
  const { responses, requestSeconds } = app.metrics;
  const routes = new Set<string>();
  server.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    if (!routes.has(route)) {
      routes.add(route);
      requestSeconds.allow([route]);
    }
    responses.add(reply.statusCode);
    requestSeconds.add(route, reply.elapsedTime / 1_000);
    done();
  });
}

/**
 * Who may see numbers from inside (SECURITY.md H6): whoever presents METRICS_TOKEN; without one, this machine alone.
 */
export function mayReadInternals(app: App, request: FastifyRequest): boolean {
  const { metricsToken } = app.config;
  if (metricsToken === undefined) return isFromThisMachine(request);
  const presented = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return presented !== undefined && timingSafeEqual(digest(presented), digest(metricsToken));
}

/** Digests have one length, so that the comparison tells neither content nor length of the token. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const PROXY_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'];

/** Behind a proxy on the same machine the whole internet comes from 127.0.0.1; proxies show themselves by these headers. */
function isFromThisMachine(request: FastifyRequest): boolean {
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  const address = clientAddress(request.socket.remoteAddress, undefined, []);
  return address === '::1' || address.startsWith('127.');
}
