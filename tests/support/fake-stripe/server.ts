import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nextDue } from './clock.ts';
import { errorOf, type Fault, type FaultKind, Faults, isLate, spoil } from './faults.ts';
import { checkoutPage, type Page, payOnPage, portalPage } from './pages.ts';
import { Params, parseForm } from './params.ts';
import { Refusal } from './refusals.ts';
import { answer } from './routes.ts';
import { API_VERSION, expand, Store } from './store.ts';
import { type Transport, toUrl, Webhooks } from './webhooks.ts';

export interface FakeStripeOptions {
  port?: number;
  /** Where events go: an address, or a function that takes them. */
  webhook?: {
    url?: string;
    transport?: Transport;
    secrets?: readonly string[];
    /** When deliveries are signed: by its own clock, or for a receiver whose clock does not jump along by another. */
    signsAt?: () => Date;
  };
}

export interface SeenRequest {
  method: string;
  path: string;
  params: Params;
  idempotencyKey: string | undefined;
  status: number | undefined;
}

/** An account at a Stripe of its own, on loopback. */
export interface FakeStripe {
  /** For STRIPE_API_BASE. */
  readonly url: string;
  /** For STRIPE_SECRET_KEY. */
  readonly secretKey: string;
  /** For STRIPE_WEBHOOK_SECRET. */
  readonly webhookSecrets: readonly string[];
  readonly store: Store;
  readonly webhooks: Webhooks;
  readonly faults: Faults;
  readonly requests: SeenRequest[];
  now(): Date;
  /** Lets time pass, and everything happen that falls due on the way, in order. */
  advance(milliseconds: number): void;
  close(): Promise<void>;
}

interface Saved {
  fingerprint: string;
  at: number;
  /** undefined while the first request with this key is running. */
  answer: { status: number; body: unknown } | undefined;
}

/** Stripe forgets keys when they are at least a day old. */
const KEY_SECONDS = 86_400;

export async function startFakeStripe(options: FakeStripeOptions = {}): Promise<FakeStripe> {
  let stands: number | undefined;
  let offset = 0;
  const now = () => new Date(stands ?? Date.now() + offset);
  const webhookSecrets = options.webhook?.secrets ?? [`whsec_${randomBytes(24).toString('hex')}`];
  const { url, transport } = options.webhook ?? {};
  const webhooks = new Webhooks({
    now: options.webhook?.signsAt ?? now,
    secrets: webhookSecrets,
    transport: transport ?? (url === undefined ? undefined : toUrl(url)),
  });
  const state: State = {
    secretKey: `sk_test_${randomBytes(12).toString('hex')}`,
    store: new Store({ now, onEvent: (event) => webhooks.add(event) }),
    faults: new Faults(),
    requests: [],
    saved: new Map(),
    pageBase: '',
  };
  const server = createServer((request, response) => {
    serve(state, request, response).catch((error: unknown) => {
      response.destroy();
      // A mistake of this stand-in: loud, so that nobody takes it for one of ours.
      throw error;
    });
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  state.pageBase = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: state.pageBase,
    webhookSecrets,
    webhooks,
    secretKey: state.secretKey,
    store: state.store,
    faults: state.faults,
    requests: state.requests,
    now,
    advance(milliseconds) {
      const until = now().getTime() + milliseconds;
      for (let due = nextDue(state.store); due && due.at * 1_000 <= until; due = nextDue(state.store)) {
        stands = Math.max(due.at * 1_000, now().getTime());
        due.run();
      }
      stands = undefined;
      offset = until - Date.now();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface State {
  secretKey: string;
  store: Store;
  faults: Faults;
  requests: SeenRequest[];
  saved: Map<string, Saved>;
  pageBase: string;
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const method = request.method ?? 'GET';
  const { pathname: path, search } = new URL(request.url ?? '/', 'http://stripe');
  const body = await bodyOf(request);
  if (!path.startsWith('/v1/')) return sendPage(response, pageOf(state.store, { method, path, body }));
  const fault = state.faults.take(method, path);
  const seen: SeenRequest = {
    method,
    path,
    params: new Params(parseForm(method === 'POST' ? body : search.slice(1))),
    idempotencyKey: method === 'POST' ? single(request.headers['idempotency-key']) : undefined,
    status: undefined,
  };
  state.requests.push(seen);
  const requestId = `req_${randomBytes(7).toString('hex')}`;
  const { status, body: said, replayed } = refuseAtDoor(state, request) ?? carryOut(state, seen, { requestId, fault });
  seen.status = status;
  if (fault && (await whileRunning(state, seen, () => spoil(response, fault.kind)))) return;
  response.writeHead(status, {
    'content-type': 'application/json',
    'request-id': requestId,
    'stripe-version': API_VERSION,
    ...(seen.idempotencyKey !== undefined && { 'idempotency-key': seen.idempotencyKey }),
    ...(replayed && { 'idempotent-replayed': 'true' }),
  });
  response.end(JSON.stringify(said, null, 2));
}

/** Until a late answer is out, its key belongs to a request that still runs. */
async function whileRunning<T>({ saved }: State, seen: SeenRequest, wait: () => Promise<T>): Promise<T> {
  const entry = seen.idempotencyKey === undefined ? undefined : saved.get(seen.idempotencyKey);
  const answer = entry?.answer;
  if (entry) entry.answer = undefined;
  const result = await wait();
  if (entry) entry.answer = answer;
  return result;
}

interface Said {
  status: number;
  body: unknown;
  replayed?: boolean;
}

function refuseAtDoor(state: State, request: IncomingMessage): Said | undefined {
  const refuse = (status: number, message: string): Said => ({
    status,
    body: { error: { type: 'invalid_request_error', message } },
  });
  if (request.headers.authorization !== `Bearer ${state.secretKey}`) return refuse(401, 'Invalid API Key provided.');
  if (request.headers['stripe-version'] !== API_VERSION)
    return refuse(400, 'This stand-in speaks another version of the API.');
  return undefined;
}

/** https://docs.stripe.com/api/idempotent_requests: once it began, the outcome is kept; a refused input is not. */
function carryOut(
  state: State,
  seen: SeenRequest,
  { requestId, fault }: { requestId: string; fault: Fault | undefined },
): Said {
  const { store, saved } = state;
  const key = seen.idempotencyKey;
  const fingerprint = JSON.stringify([seen.method, seen.path, seen.params]);
  const before = key === undefined ? undefined : saved.get(key);
  if (before && before.at > store.now() - KEY_SECONDS) {
    if (before.fingerprint !== fingerprint)
      return refusal(
        new Refusal(400, {
          type: 'idempotency_error',
          message: 'Keys for idempotent requests can only be used with the same parameters they were first used with.',
        }),
      );
    if (!before.answer)
      return refusal(
        new Refusal(409, {
          type: 'idempotency_error',
          code: 'idempotency_key_in_use',
          message: 'There is currently another in-progress request using this key.',
        }),
      );
    return { ...before.answer, replayed: true };
  }
  const failure = fault && failureOf(fault.kind);
  if (fault && !fault.takesEffect && !isLate(fault.kind)) return failure ?? { status: 0, body: undefined };
  const outcome = perform(state, seen, requestId);
  const said = failure ?? outcome;
  const keeps = said.status < 400 || said.status === 402 || said.status >= 500;
  if (key !== undefined && keeps) saved.set(key, { fingerprint, at: store.now(), answer: said });
  return said;
}

function failureOf(kind: FaultKind): Said | undefined {
  if (typeof kind !== 'object' || 'lateMs' in kind) return undefined;
  return { status: kind.status, body: { error: errorOf(kind) } };
}

function perform({ store, pageBase }: State, seen: SeenRequest, requestId: string): Said {
  store.cause = { requestId, idempotencyKey: seen.idempotencyKey ?? null };
  try {
    const { method, path, params } = seen;
    return {
      status: 200,
      body: expand(store, answer(store, { method, path, params, pageBase }), params.texts('expand')),
    };
  } catch (error) {
    return refusal(error);
  } finally {
    store.cause = { requestId: null, idempotencyKey: null };
  }
}

function refusal(error: unknown): Said {
  if (error instanceof Refusal) return { status: error.status, body: { error: error.body } };
  throw error;
}

function pageOf(store: Store, { method, path, body }: { method: string; path: string; body: string }): Page {
  const [, kind, id] = /^\/(c\/pay|p\/session)\/([^/]+)$/.exec(path) ?? [];
  if (kind === 'p/session') return portalPage(store, id ?? '');
  if (kind === undefined) return { status: 404 };
  return method === 'POST'
    ? payOnPage(store, id ?? '', new URLSearchParams(body).get('card') ?? '')
    : checkoutPage(store, id ?? '');
}

function sendPage(response: ServerResponse, { status, html, location }: Page): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    ...(location !== undefined && { location }),
  });
  response.end(html ?? '');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const single = (header: string | string[] | undefined) => (Array.isArray(header) ? header[0] : header);
