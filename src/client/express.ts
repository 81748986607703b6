import { decide, type MiddlewareOptions } from './bearer.js';
import type { TokenValidation } from './token-validation.js';
import type { Viewer } from './viewer.js';

declare global {
  namespace Express {
    interface Request {
      /** Who is asking, behind `credenceExpress`; null when nobody has to and nobody has signed in. */
      credence?: Viewer | null;
    }
  }
}

/** What is used of a request and a response of Express 5 (and 4). */
interface ExpressRequest {
  method: string;
  /** By `trust proxy`. */
  ip?: string | undefined;
  headers: { authorization?: string | undefined };
  credence?: Viewer | null;
}
interface ExpressResponse {
  status(code: number): ExpressResponse;
  set(headers: Record<string, string>): ExpressResponse;
  json(body: unknown): unknown;
}

/** Puts the viewer at `request.credence`, or answers 401, 403 or 503. For a whole app, a router or one route. */
export function credenceExpress(client: Pick<TokenValidation, 'validateToken'>, options: MiddlewareOptions = {}) {
  return async (request: ExpressRequest, response: ExpressResponse, next: () => void): Promise<void> => {
    const { method, ip, headers } = request;
    const decision = await decide(client, {
      request: { authorization: headers.authorization, method, ip },
      rules: options,
    });
    if ('refusal' in decision) {
      const { status, headers: answered, body } = decision.refusal;
      response.status(status).set(answered).json(body);
      return;
    }
    request.credence = decision.viewer;
    next();
  };
}
