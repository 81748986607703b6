import { createHmac } from 'node:crypto';
import type { Stripe } from 'stripe';

export interface Delivery {
  eventId: string;
  type: string;
  /** HTTP status; undefined when nobody answered. */
  status: number | undefined;
}

/** Brings one signed body to the endpoint and answers its status. */
export type Transport = (payload: string, headers: Record<string, string>) => Promise<number>;

export interface WebhookOptions {
  now: () => Date;
  /** All of them sign, as while one is rolled. */
  secrets: readonly string[];
  /** undefined: no endpoint is set up, and nothing is sent. */
  transport: Transport | undefined;
}

export function toUrl(url: string): Transport {
  return async (body, headers) => {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(20_000),
    });
    await response.arrayBuffer();
    return response.status;
  };
}

/** Stripe's way of signing, with the old scheme beside it that test mode still sends. https://docs.stripe.com/webhooks/signature */
export function sign(payload: string, { secrets, at }: { secrets: readonly string[]; at: Date }): string {
  const seconds = Math.floor(at.getTime() / 1_000);
  const signatures = secrets.map((secret) =>
    createHmac('sha256', secret).update(`${seconds}.${payload}`).digest('hex'),
  );
  return [`t=${seconds}`, ...signatures.map((signature) => `v1=${signature}`), `v0=${'0'.repeat(64)}`].join(',');
}

/** The endpoint's side of an account: every event is sent once as it happens, unless deliveries are held back. */
export class Webhooks {
  readonly events: Stripe.Event[] = [];
  readonly deliveries: Delivery[] = [];
  readonly #options: WebhookOptions;
  #held: Stripe.Event[] | undefined;
  #line: Promise<unknown> = Promise.resolve();
  #transport: Transport | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#transport = options.transport;
  }

  set transport(transport: Transport) {
    this.#transport = transport;
  }

  add(event: Stripe.Event): void {
    this.events.push(event);
    if (this.#held) this.#held.push(event);
    else if (this.#transport) this.#line = this.#line.then(() => this.deliver(event));
  }

  /** From now on nothing is delivered by itself. */
  hold(): void {
    this.#held ??= [];
  }

  /** What was held back since `hold`, oldest first; it is the caller's to deliver, in any order, or to lose. */
  takeHeld(): Stripe.Event[] {
    return this.#held?.splice(0) ?? [];
  }

  /** Delivers what was held back, in order, and from now on everything at once. */
  async release(): Promise<void> {
    const held = this.takeHeld();
    this.#held = undefined;
    for (const event of held) await this.deliver(event);
  }

  /** Until all that happened so far has been delivered. */
  async settled(): Promise<void> {
    await this.#line;
  }

  /** One delivery, the first or a repetition: signed anew, as every attempt of Stripe's is. */
  async deliver(event: Stripe.Event): Promise<number | undefined> {
    if (!this.#transport) throw new Error('There is no endpoint to deliver to.');
    const { payload, signature } = this.signed(event);
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': signature,
      'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    };
    const status = await this.#transport(payload, headers).catch(() => undefined);
    this.deliveries.push({ eventId: event.id, type: event.type, status });
    return status;
  }

  /** Delivers again whatever has not been taken yet, as Stripe does for three days. */
  async redeliverFailed(): Promise<void> {
    const taken = new Set(
      this.deliveries
        .filter(({ status }) => status !== undefined && status >= 200 && status < 300)
        .map(({ eventId }) => eventId),
    );
    const failed = new Set(this.deliveries.map(({ eventId }) => eventId).filter((id) => !taken.has(id)));
    for (const event of this.events) if (failed.has(event.id)) await this.deliver(event);
  }

  /** Body and header of one delivery, for whoever wants to tamper with them. */
  signed(event: Stripe.Event, at = this.#options.now()): { payload: string; signature: string } {
    const payload = JSON.stringify(event, null, 2);
    return { payload, signature: sign(payload, { secrets: this.#options.secrets, at }) };
  }
}
