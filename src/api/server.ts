// First of all imports: type-graphql's decorators look for it when a class is defined.
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import cookie from '@fastify/cookie';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import type { Config } from '../core/config.js';
import type { App } from '../core/context.js';
import { AppError, statusOf } from '../core/errors.js';
import { clientAddress } from '../core/network.js';
import { confirmEmailChange, undoEmailChange } from '../modules/accounts/email-change.service.js';
import { acceptInvitation, resetPassword } from '../modules/accounts/passwords.service.js';
import { verifyEmail } from '../modules/accounts/registration.service.js';
import { ipRulesNow } from '../modules/network/following.service.js';
import { mountFiles } from './doors/files.js';
import { mountGoogle } from './doors/google.js';
import { mountHealth } from './doors/health.js';
import { mountJwks } from './doors/jwks.js';
import { mountMailbox } from './doors/mailbox.js';
import { mountMetrics } from './doors/metrics.js';
import { mountPages } from './doors/pages.js';
import { mountPlayground } from './doors/playground.js';
import { mountStripe } from './doors/stripe.js';
import { formatError, retryAfterOf } from './errors.js';
import { mountGraphql } from './graphql.js';
import { addCommonHeaders, addCors } from './headers.js';
import { createSchema } from './schema.js';
import { traceRequests } from './tracing.js';

const BODY_LIMIT = 1_000_000;
const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** Probes of whoever runs the process; they tell nothing, and a rule must not have the server taken away. */
const PROBES = new Set(['/health/live', '/health/ready']);

const RULES_MS = 1_000;

/**
 * For the metrics, which have a lock of their own: without a database that answers there are no rules to read, and that
 * is when numbers are wanted most. Prometheus waits for ten seconds.
 */
async function mayReadMetrics(app: App, clientIp: string): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const unknown = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, RULES_MS, true);
  });
  const read = async () => (await ipRulesNow(app)).allows(clientIp, 'EVERYTHING');
  const answer = await Promise.race([unknown, read().catch(() => true)]);
  clearTimeout(timer);
  return answer;
}

/** What Fastify itself refuses, in our codes. */
function httpError(error: FastifyError): AppError | undefined {
  if (error.statusCode === undefined || error.statusCode >= 500) return undefined;
  const message = { 413: 'The body is too large.', 415: 'Send application/json in UTF-8.' }[error.statusCode];
  return new AppError('BAD_USER_INPUT', { message: message ?? 'The request could not be read.' });
}

/** Reading an address costs more than the rest of the hook, so a connection's own is read once. */
function createAddressReader(trustProxy: Config['server']['trustProxy']): (request: FastifyRequest) => string {
  const own = new WeakMap<Socket, string>();
  return ({ raw: { socket }, headers: { 'x-forwarded-for': forwarded } }) => {
    if (forwarded !== undefined) return clientAddress(socket.remoteAddress, forwarded, trustProxy);
    let address = own.get(socket);
    if (address === undefined) {
      address = clientAddress(socket.remoteAddress, undefined, trustProxy);
      own.set(socket, address);
    }
    return address;
  };
}

function addCommonHooks(server: FastifyInstance, app: App): void {
  const addressOf = createAddressReader(app.config.server.trustProxy);
  server.decorateRequest('clientIp', '');
  server.addHook('onRequest', async (request) => {
    request.clientIp = addressOf(request);
    // By route and not by what the address looks like, and for what has no route, too (W3).
    const { url = '' } = request.routeOptions;
    const mayCome =
      url === '/metrics'
        ? await mayReadMetrics(app, request.clientIp)
        : PROBES.has(url) || (await ipRulesNow(app)).allows(request.clientIp, 'EVERYTHING');
    if (!mayCome) throw new AppError('IP_NOT_ALLOWED');
    const { 'content-encoding': encoding, 'content-type': type } = request.headers;
    // No decompression (G17) and one charset (G16).
    if (encoding) throw Object.assign(new Error('encoding'), { statusCode: 415 });
    const charset = type === 'application/json' ? undefined : /charset="?([^";\s]+)/i.exec(type ?? '')?.[1];
    if (charset && charset.toLowerCase() !== 'utf-8') throw Object.assign(new Error('charset'), { statusCode: 415 });
  });
  addCommonHeaders(server, app.config);
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = error instanceof AppError ? error : (httpError(error) ?? error);
    const formatted = formatError(refusal, { log: app.log, requestId: request.id });
    const status = error.statusCode && error.statusCode < 500 ? error.statusCode : undefined;
    const retryAfter = retryAfterOf([formatted]);
    if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
    const code = formatted.extensions?.code as AppError['code'];
    if (request.routeOptions.url === '/graphql') app.metrics.errors.add(code);
    return reply
      .code(error instanceof AppError ? statusOf(code) : (status ?? statusOf(code)))
      .send({ errors: [formatted] });
  });
  server.setNotFoundHandler((request, reply) => {
    const formatted = formatError(new AppError('NOT_FOUND'), { log: app.log, requestId: request.id });
    return reply.code(404).send({ errors: [formatted] });
  });
}

export interface Server {
  readonly fastify: FastifyInstance;
  /** Says "not ready" from now on. */
  drain(): void;
  /**
   * Accepts nothing more, finishes what runs, and ends. Connections that are idle are kept for `lingerMs`, and each
   * ends with its next answer: a proxy that is sending a request on one could not know whether it was carried out.
   */
  close(options: { lingerMs: number }): Promise<void>;
}

/** How often connections that have become idle are looked for while closing: clients keep them open for minutes. */
const SWEEP_MS = 50;

/**
 * What the system has taken for a port, and nobody has read yet, is cut off when the port closes: so it is closed in a
 * turn of the event loop that finds next to nothing to do, if one comes soon.
 */
async function stopListening(server: FastifyInstance): Promise<void> {
  for (let turns = 0; turns < MOST_TURNS; turns += 1) {
    const startedAt = performance.now();
    await nextTurn();
    if (performance.now() - startedAt < QUIET_TURN_MS) break;
  }
  // The close of `node:http` would end idle connections, too.
  NetServer.prototype.close.call(server.server);
}

const QUIET_TURN_MS = 0.2;
const MOST_TURNS = 1_000;

/** The edge: every door, mounted. Listening is the caller's. */
export async function createServer(app: App, schema: GraphQLSchema = createSchema()): Promise<Server> {
  let draining = false;
  const server = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    genReqId: (raw) => {
      const given = raw.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
    // Addresses are our own business (core/network); Fastify's reading of proxy headers stays off.
    trustProxy: false,
    forceCloseConnections: 'idle',
    // What still arrives on an open connection while closing is answered like any other, and ends that connection:
    // Fastify's own refusal would be an error in another form, for a request that can be served.
    return503OnClosing: false,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 200 },
  });
  server.removeContentTypeParser('text/plain');
  traceRequests(server, app);
  addCommonHooks(server, app);
  // Cookies are read where they are wanted (context), which is next to never.
  await server.register(cookie, { hook: false });
  await addCors(server, app.config);
  await mountGraphql(server, { app, schema });
  mountHealth(server, app, { isDraining: () => draining });
  mountMetrics(server, app, { isDraining: () => draining });
  mountJwks(server, app);
  mountMailbox(server, app);
  mountFiles(server, app);
  mountPages(server, app, {
    verifyEmail: (attempt) => verifyEmail(app, attempt),
    resetPassword: (attempt) => resetPassword(app, attempt),
    confirmEmailChange: (attempt) => confirmEmailChange(app, attempt),
    undoEmailChange: (attempt) => undoEmailChange(app, attempt),
    acceptInvitation: (attempt) => acceptInvitation(app, attempt),
  });
  mountGoogle(server, app);
  mountPlayground(server, app);
  mountStripe(server, app);
  return {
    fastify: server,
    drain() {
      draining = true;
    },
    async close({ lingerMs }) {
      server.server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
      const ended = once(server.server, 'close');
      await stopListening(server);
      await Promise.race([ended, pause(lingerMs, undefined, { ref: false })]);
      const sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_MS);
      try {
        await ended;
        await server.close();
      } finally {
        clearInterval(sweep);
      }
    },
  };
}
