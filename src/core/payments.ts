import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Stripe } from 'stripe';
import type { Config } from './config.js';
import { AppError, type ErrorCode } from './errors.js';
import type { Logger } from './logger.js';

export type { Stripe } from 'stripe';

/**
 * Stripe, for whoever needs more than these lines: `app.payments.call((stripe) => stripe.customers.retrieve(id))`.
 * Every request that creates or moves something carries an `idempotencyKey` of the caller's own.
 */
export interface Payments {
  /** Whether the key is a live one. An event of the other mode is none of ours. */
  readonly livemode: boolean;
  /** Without a webhook secret nothing that arrives can be believed. */
  readonly canReceiveWebhooks: boolean;
  /**
   * Runs requests to Stripe: 8 s each, with its whole answer, and one retry.
   * @throws PaymentsError PAYMENT_FAILED (the card), IDEMPOTENCY_CONFLICT, RETRY_LATER (asked too often, or the same
   *   object is busy) or UPSTREAM_FAILED (no answer, a broken one, or a request that Stripe does not take)
   * @throws Error within a database transaction, which must never wait for somebody else's server
   */
  call<T>(work: (stripe: Stripe) => Promise<T>): Promise<T>;
  /**
   * The event in these raw bytes, or undefined when they were not signed by a secret of ours within 300 seconds of
   * `now`, before or after. https://docs.stripe.com/webhooks/signature
   */
  readWebhook(raw: Buffer, signature: string | undefined, now: Date): Promise<Stripe.Event | undefined>;
}

/** What Stripe refused, in our words. `providerCode` is Stripe's own code, for services to look at; it is not public. */
export class PaymentsError extends AppError {
  constructor(
    code: ErrorCode,
    readonly providerCode: string | undefined,
    details: ConstructorParameters<typeof AppError>[1] = {},
  ) {
    super(code, details);
    this.name = 'PaymentsError';
  }
}

export interface PaymentsOptions {
  log: Logger;
  /** Throws when called within a database transaction. */
  requireOutside(): void;
  /** Of one request. */
  timeoutMs?: number;
}

const WEBHOOK_TOLERANCE_SECONDS = 300;

/** undefined when no key is set: billing is off, and everything else runs. */
export function createPayments(
  settings: Config['billing'],
  { log, requireOutside, timeoutMs = 8_000 }: PaymentsOptions,
): Payments | undefined {
  if (!settings) return undefined;
  const { secretKey, webhookSecrets } = settings;
  let opening: Promise<Stripe> | undefined;
  const open = () => {
    // Loaded when first needed: it costs 75 ms, and most starts do not sell anything.
    opening ??= import('stripe').then(
      ({ Stripe }) =>
        new Stripe(secretKey, {
          ...clientOptions(settings, timeoutMs),
          httpClient: boundedClient(Stripe.createNodeHttpClient()),
        }),
    );
    return opening;
  };
  return {
    livemode: secretKey.includes('_live_'),
    canReceiveWebhooks: webhookSecrets.length > 0,
    async call(work) {
      requireOutside();
      const stripe = await open();
      try {
        return await work(stripe);
      } catch (error) {
        throw toPaymentsError(error, log);
      }
    },
    async readWebhook(raw, signature, now) {
      if (signature === undefined || !isUtf8(raw) || !isStampedAround(signature, now)) return undefined;
      const { webhooks } = await open();
      for (const secret of webhookSecrets) {
        try {
          // As text that keeps a byte order mark, which Stripe's own decoding would drop before comparing.
          return webhooks.constructEvent(raw.toString(), signature, secret, 0);
        } catch {
          // Not this secret, or signed but no JSON; the next may do.
        }
      }
      return undefined;
    },
  };
}

function clientOptions({ apiBase }: NonNullable<Config['billing']>, timeoutMs: number): Stripe.StripeConfig {
  const base = new URL(apiBase);
  return {
    // Written out, so that an update of the package changes what Stripe answers only when this line changes too.
    apiVersion: '2026-10-28.endive',
    host: base.hostname,
    ...(base.port !== '' && { port: base.port }),
    protocol: base.protocol === 'http:' ? 'http' : 'https',
    timeout: timeoutMs,
    maxNetworkRetries: 1,
    telemetry: false,
  };
}

/**
 * Stripe's client counts silence on the socket, so an answer that trickles would never end: here the body has to be
 * there in the time that the request was given.
 */
function boundedClient(inner: Stripe.HttpClient): Stripe.HttpClient {
  return {
    getClientName: () => inner.getClientName(),
    async makeRequest(...request) {
      const endsAt = Date.now() + request[7];
      const response = await inner.makeRequest(...request);
      const cut = () => (response.getRawResponse() as IncomingMessage).destroy();
      const timer = setTimeout(cut, Math.max(0, endsAt - Date.now()));
      const toJSON = () => response.toJSON().finally(() => clearTimeout(timer));
      return Object.assign(Object.create(response), { toJSON });
    },
  };
}

/** Stripe's own check knows only "too old": an event stamped tomorrow could be kept and sent when it suits (SECURITY S5). */
function isStampedAround(signature: string, now: Date): boolean {
  const stamps = signature.split(',').filter((part) => part.startsWith('t='));
  const seconds = /^t=(\d{1,12})$/.exec(stamps[0] ?? '')?.[1];
  if (stamps.length !== 1 || seconds === undefined) return false;
  return Math.abs(Math.floor(now.getTime() / 1_000) - Number(seconds)) <= WEBHOOK_TOLERANCE_SECONDS;
}

interface ProviderError {
  type?: unknown;
  code?: unknown;
  decline_code?: unknown;
  statusCode?: unknown;
}

/** Why a card was refused, as far as the person may know: a stolen card is not told that it is known to be stolen. */
const TELLABLE_DECLINES = [
  'authentication_required',
  'expired_card',
  'incorrect_cvc',
  'incorrect_number',
  'incorrect_zip',
  'insufficient_funds',
  'card_not_supported',
  'currency_not_supported',
  'processing_error',
];

/**
 * By the name of the class, which is Stripe's `type`: the classes themselves are loaded with the client. Sentences of
 * Stripe go nowhere: they repeat parameters, such as ids and addresses.
 */
function toPaymentsError(error: unknown, log: Logger): unknown {
  if (error instanceof AppError) return error;
  const { type, code, decline_code, statusCode } = error as ProviderError;
  if (typeof type !== 'string' || !type.startsWith('Stripe')) return error;
  const providerCode = typeof code === 'string' && /^\w{1,64}$/.test(code) ? code : undefined;
  if (type === 'StripeCardError') {
    const decline = typeof decline_code === 'string' && decline_code !== '' ? decline_code : providerCode;
    const reason = TELLABLE_DECLINES.find((known) => known === decline) ?? 'card_declined';
    return new PaymentsError('PAYMENT_FAILED', providerCode, { extensions: { reason } });
  }
  log.warn({ kind: type, code: providerCode, status: statusCode }, 'Stripe did not do what it was asked');
  if (type === 'StripeIdempotencyError') return new PaymentsError('IDEMPOTENCY_CONFLICT', providerCode);
  // 409: another request with this key is running, or the object is locked.
  if (type === 'StripeRateLimitError' || statusCode === 409 || providerCode === 'lock_timeout')
    return new PaymentsError('RETRY_LATER', providerCode, { retryAfterSeconds: 2 });
  return new PaymentsError('UPSTREAM_FAILED', providerCode);
}
