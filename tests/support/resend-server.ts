import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface SentMail {
  from: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  headers: Record<string, string>;
}

interface Request {
  /** How often this letter's key was seen before. */
  seen: number;
  mail: SentMail;
}

/** Answers in place of the usual yes. */
type Refusal = (request: Request, response: ServerResponse) => unknown;

export interface ResendServer {
  url: string;
  /** What was delivered: once for one idempotency key. */
  delivered: SentMail[];
  /** The headers of every request, also of those refused. */
  requests: IncomingMessage['headers'][];
  /** Replaced by tests; undefined lets letters through. Called before the letter is taken … */
  refuse: Refusal | undefined;
  /** … or after it, so that it is delivered although the sender never learns it. */
  swallow: Refusal | undefined;
  close(): Promise<void>;
}

/** `POST /emails` of Resend's API as its documentation has it: bearer key, idempotency keys, errors by name. */
export async function startResendServer(key: string): Promise<ResendServer> {
  const taken = new Map<string, { body: string; answer: string }>();
  const attempts = new Map<string, number>();
  const state: ResendServer = {
    url: '',
    delivered: [],
    requests: [],
    refuse: undefined,
    swallow: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    state.requests.push(request.headers);
    if (request.url !== '/emails' || request.method !== 'POST') return refuseWith(response, [404, 'not_found']);
    if (request.headers.authorization !== `Bearer ${key}`) return refuseWith(response, [403, 'invalid_api_key']);
    const idempotencyKey = String(request.headers['idempotency-key'] ?? '');
    if (!/^.{1,256}$/.test(idempotencyKey)) return refuseWith(response, [400, 'invalid_idempotency_key']);
    const mail = JSON.parse(body) as SentMail;
    const seen = attempts.get(idempotencyKey) ?? 0;
    attempts.set(idempotencyKey, seen + 1);
    if (state.refuse) return state.refuse({ seen, mail }, response);
    const earlier = taken.get(idempotencyKey);
    if (earlier && earlier.body !== body) return refuseWith(response, [409, 'invalid_idempotent_request']);
    const answer = earlier?.answer ?? JSON.stringify({ id: crypto.randomUUID() });
    if (!earlier) {
      taken.set(idempotencyKey, { body, answer });
      state.delivered.push(mail);
    }
    if (state.swallow) return state.swallow({ seen, mail }, response);
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return state;
}

/** Status, name, sentence and headers of an error, in Resend's form. */
export function refuseWith(
  response: ServerResponse,
  [statusCode, name, message = 'no', headers = {}]: [number, string, string?, Record<string, string>?],
): void {
  const body = JSON.stringify({ statusCode, name, message });
  response.writeHead(statusCode, { 'content-type': 'application/json', ...headers }).end(body);
}
