import { decide, type MiddlewareOptions, type Refusal } from './bearer.js';
import type { TokenValidation } from './token-validation.js';
import type { Viewer } from './viewer.js';

export interface CredenceContext {
  /** Null when nobody has to and nobody has signed in. A mutation looks at `readOnly` itself: every request is a POST. */
  credence: Viewer | null;
}

/** What is used of a request, as the standalone server and the integrations for Express and Fastify give it. */
interface ApolloRequest {
  headers: { authorization?: string | undefined };
  /** Of Express and Fastify. */
  ip?: string | undefined;
  socket?: { remoteAddress?: string | undefined } | undefined;
}

/** Apollo Server answers with the status, the headers and the code that an error carries. */
class RefusedError extends Error {
  readonly extensions: { code: string; http: { status: number; headers: Map<string, string> } };

  constructor({ status, headers, body: { error } }: Refusal) {
    super(error.message);
    this.name = 'RefusedError';
    this.extensions = { code: error.code, http: { status, headers: new Map(Object.entries(headers)) } };
  }
}

/**
 * The `context` function of Apollo Server: `startStandaloneServer(server, { context: credenceContext(client) })`. Refuses
 * the whole request with 401, 403 or 503. Spread it into a context of your own to add to it.
 */
export function credenceContext(client: Pick<TokenValidation, 'validateToken'>, options: MiddlewareOptions = {}) {
  return async ({ req }: { req: ApolloRequest }): Promise<CredenceContext> => {
    const request = {
      authorization: req.headers.authorization,
      method: undefined,
      ip: req.ip ?? req.socket?.remoteAddress,
    };
    const decision = await decide(client, { request, rules: options });
    if ('refusal' in decision) throw new RefusedError(decision.refusal);
    return { credence: decision.viewer };
  };
}
