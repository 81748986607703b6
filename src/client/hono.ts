import { decide, type MiddlewareOptions } from './bearer.js';
import type { TokenValidation } from './token-validation.js';
import type { Viewer } from './viewer.js';

/** `new Hono<{ Variables: CredenceVariables }>()` */
export interface CredenceVariables {
  /** Who is asking, behind `credenceHono`; null when nobody has to and nobody has signed in. */
  credence: Viewer | null;
}

/** What is used of Hono 4. */
interface HonoContext {
  req: { method: string; header(name: string): string | undefined };
  env: unknown;
  set(name: 'credence', value: Viewer | null): void;
  json(body: object, status: never, headers: Record<string, string>): Response;
}

export interface CredenceHonoOptions extends MiddlewareOptions {
  /** The caller's address, for API keys that are bound to addresses; the connection's on Node when absent. */
  ip?: ((context: HonoContext) => string | undefined) | undefined;
}

/** The address of the connection, where `@hono/node-server` puts it. */
function addressOf({ env }: HonoContext): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress;
}

/** Puts the viewer at `c.get('credence')`, or answers 401, 403 or 503. */
export function credenceHono(client: Pick<TokenValidation, 'validateToken'>, options: CredenceHonoOptions = {}) {
  const { ip = addressOf, ...rules } = options;
  return async (context: HonoContext, next: () => Promise<void>): Promise<Response | undefined> => {
    const { req } = context;
    const decision = await decide(client, {
      request: { authorization: req.header('authorization'), method: req.method, ip: ip(context) },
      rules,
    });
    if ('refusal' in decision) {
      const { status, headers, body } = decision.refusal;
      return context.json(body, status as never, headers);
    }
    context.set('credence', decision.viewer);
    await next();
    return undefined;
  };
}
