import type {} from 'fastify';
import { type BearerRules, decide, type MiddlewareOptions } from './bearer.js';
import type { TokenValidation } from './token-validation.js';
import type { Viewer } from './viewer.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking; null when nobody has to and nobody has signed in. */
    credence: Viewer | null;
  }
  interface FastifyContextConfig {
    /** Rules of this route, in place of the plugin's; false: nobody is asked for. */
    credence?: BearerRules | false;
  }
}

/** What is used of Fastify 5. */
interface FastifyRequestLike {
  method: string;
  /** By `trustProxy`. */
  ip: string;
  headers: { authorization?: string | undefined };
  credence: Viewer | null;
  routeOptions: { config: { credence?: BearerRules | false } };
  log: { error(object: unknown, message: string): void };
}
interface FastifyReplyLike {
  code(status: number): FastifyReplyLike;
  headers(headers: Record<string, string>): FastifyReplyLike;
  send(body: unknown): unknown;
}
interface FastifyLike {
  decorateRequest(name: 'credence', value: null): unknown;
  addHook(name: 'onRequest', hook: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>): unknown;
}

export interface CredenceFastifyOptions extends MiddlewareOptions {
  client: Pick<TokenValidation, 'validateToken'>;
}

async function plugin(fastify: FastifyLike, { client, ...options }: CredenceFastifyOptions): Promise<void> {
  fastify.decorateRequest('credence', null);
  fastify.addHook('onRequest', async (request, reply) => {
    const ofRoute = request.routeOptions.config.credence;
    if (ofRoute === false) return;
    const { method, ip, headers } = request;
    const onError = options.onError ?? ((err: unknown) => request.log.error({ err }, 'a token could not be checked'));
    const decision = await decide(client, {
      request: { authorization: headers.authorization, method, ip },
      rules: { ...options, ...ofRoute, onError },
    });
    if ('refusal' in decision) {
      const { status, headers: answered, body } = decision.refusal;
      return reply.code(status).headers(answered).send(body);
    }
    request.credence = decision.viewer;
  });
}

/**
 * A plugin: `app.register(credenceFastify, { client })` decorates every request with `credence`, or answers 401, 403 or
 * 503. A route changes the rules for itself by `config: { credence: … }`.
 */
export const credenceFastify = Object.assign(plugin, {
  // For the whole app and not only for what is registered beside it (what `fastify-plugin` does).
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'credence',
});
