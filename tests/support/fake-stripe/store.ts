import { randomBytes } from 'node:crypto';
import type { Stripe } from 'stripe';
import type { Decline } from './cards.ts';
import type { Params } from './params.ts';
import { invalidRequest, noSuch } from './refusals.ts';

export const API_VERSION = '2026-10-28.endive';

/** Anything with an id that Stripe keeps. */
export interface Kept {
  id: string;
  object: string;
  created?: number;
}

/** What this stand-in keeps, by the name in `object`. */
export interface Shapes {
  customer: Stripe.Customer;
  product: Stripe.Product;
  price: StoredPrice;
  payment_method: Stripe.PaymentMethod;
  payment_intent: Stripe.PaymentIntent;
  charge: Stripe.Charge;
  refund: Stripe.Refund;
  dispute: Stripe.Dispute;
  setup_intent: Stripe.SetupIntent;
  'checkout.session': Stripe.Checkout.Session;
  subscription: Stripe.Subscription;
  invoice: Stripe.Invoice;
  invoice_payment: Stripe.InvoicePayment;
  'billing_portal.session': Stripe.BillingPortal.Session;
  event: Stripe.Event;
}

/** Decimals are strings on the wire; the client makes objects of them. */
export type StoredPrice = Omit<Stripe.Price, 'unit_amount_decimal'> & { unit_amount_decimal: string | null };

/** What a request may tell of itself in the events it causes. */
export interface Cause {
  requestId: string | null;
  idempotencyKey: string | null;
}

/** One Stripe account: its objects, its clock and what has happened. Everything is synchronous, so a request is atomic. */
export class Store {
  readonly objects = new Map<string, Kept>();
  /** Properties that are only sent when asked for with `expand`, by object id. */
  readonly includable = new Map<string, Record<string, () => unknown>>();
  /** What each saved card does when it is charged; tests change it as a bank would. */
  readonly wallet = new Map<string, { decline: Decline | undefined; attaches: boolean }>();
  readonly #now: () => Date;
  readonly #onEvent: (event: Stripe.Event) => void;
  #sequence = 0;
  cause: Cause = { requestId: null, idempotencyKey: null };

  constructor(options: { now: () => Date; onEvent: (event: Stripe.Event) => void }) {
    this.#now = options.now;
    this.#onEvent = options.onEvent;
  }

  /** Seconds since 1970, as everything in Stripe. */
  now(): number {
    return Math.floor(this.#now().getTime() / 1_000);
  }

  newId(prefix: string): string {
    this.#sequence += 1;
    return `${prefix}_${String(this.#sequence).padStart(6, '0')}${randomBytes(9).toString('hex')}`;
  }

  keep<T extends Kept>(object: T): T {
    this.objects.set(object.id, object);
    return object;
  }

  find<K extends keyof Shapes>(kind: K, id: string): Shapes[K] | undefined {
    const object = this.objects.get(id);
    return object?.object === kind ? (object as unknown as Shapes[K]) : undefined;
  }

  /** @param param the parameter that names the object, or `id` when the address does. */
  get<K extends keyof Shapes>(kind: K, id: string, param = 'id'): Shapes[K] {
    const object = this.find(kind, id);
    if (!object) throw noSuch(kind, id, param);
    return object;
  }

  all<K extends keyof Shapes>(kind: K): Shapes[K][] {
    return [...this.objects.values()].filter((object) => object.object === kind) as unknown as Shapes[K][];
  }

  /** A live customer that a parameter names. */
  customer(id: string, param = 'customer'): Stripe.Customer {
    const customer = this.get('customer', id, param);
    if (customer.deleted) throw noSuch('customer', id, param);
    return customer;
  }

  /** Newest first, a page at a time, as every list of Stripe's. */
  list<K extends keyof Shapes>(kind: K, params: Params, accepts: (object: Shapes[K]) => boolean = () => true) {
    const limit = params.whole('limit') ?? 10;
    if (limit < 1 || limit > 100) throw invalidRequest('limit must be from 1 to 100', { param: 'limit' });
    const created = params.object('created');
    const from = created?.whole('gte') ?? (created?.whole('gt') ?? -1) + 1;
    const to = created?.whole('lte') ?? (created?.whole('lt') ?? Number.MAX_SAFE_INTEGER) - 1;
    const rows = this.all(kind)
      .filter(accepts)
      .filter(({ created: at }: Kept) => at === undefined || (at >= from && at <= to))
      .reverse();
    return page(rows, { limit, after: params.optional('starting_after'), before: params.optional('ending_before') });
  }

  emit(type: string, object: Kept, previous?: Record<string, unknown>): Stripe.Event {
    const event = {
      id: this.newId('evt'),
      object: 'event',
      api_version: API_VERSION,
      created: this.now(),
      // A copy: an event tells what was, not what is.
      data: structuredClone({ object, ...(previous && { previous_attributes: previous }) }),
      livemode: false,
      pending_webhooks: 1,
      request: { id: this.cause.requestId, idempotency_key: this.cause.idempotencyKey },
      type,
    } as unknown as Stripe.Event;
    this.keep(event);
    this.#onEvent(event);
    return event;
  }

  /** Changes an object in place and tells of it, with what it was before. */
  change<T extends Kept>(type: string | undefined, object: T, changes: Partial<T>): T {
    const names = Object.keys(changes) as (keyof T & string)[];
    const changed = names.filter((name) => JSON.stringify(object[name]) !== JSON.stringify(changes[name]));
    const previous = structuredClone(Object.fromEntries(changed.map((name) => [name, object[name]])));
    Object.assign(object, changes);
    if (type !== undefined && changed.length > 0) this.emit(type, object, previous);
    return object;
  }
}

function page<T extends Kept>(
  rows: T[],
  { limit, after, before }: { limit: number; after?: string | undefined; before?: string | undefined },
) {
  const indexOf = (id: string, param: string) => {
    const index = rows.findIndex((row) => row.id === id);
    if (index < 0) throw noSuch('object', id, param);
    return index;
  };
  if (before !== undefined) {
    const end = indexOf(before, 'ending_before');
    const start = Math.max(0, end - limit);
    return listOf(rows.slice(start, end), start > 0);
  }
  const start = after === undefined ? 0 : indexOf(after, 'starting_after') + 1;
  return listOf(rows.slice(start, start + limit), rows.length > start + limit);
}

export function listOf<T>(data: T[], hasMore = false, url = '/v1') {
  return { object: 'list' as const, data, has_more: hasMore, url };
}

/** The id of what may have been expanded. */
export function idOf(reference: string | { id: string } | null | undefined): string | undefined {
  return typeof reference === 'string' ? reference : reference?.id;
}

/** As Stripe answers `expand[]=data.latest_invoice.payments`: ids along the path become objects, four levels at most. */
export function expand(store: Store, answer: unknown, paths: readonly string[]): unknown {
  const copy = structuredClone(answer);
  for (const path of paths) {
    const names = path.split('.');
    if (names.length > 4)
      throw invalidRequest('You cannot expand more than 4 levels of a property.', { param: 'expand' });
    expandAt(store, copy, names);
  }
  return copy;
}

function expandAt(store: Store, value: unknown, [name, ...rest]: readonly string[]): void {
  if (name === undefined || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) expandAt(store, item, [name, ...rest]);
    return;
  }
  const object = value as Record<string, unknown>;
  const include = store.includable.get(String(object.id))?.[name];
  if (include && object[name] === undefined) object[name] = structuredClone(include());
  const inner = object[name];
  if (inner === undefined) throw invalidRequest(`This property cannot be expanded (${name}).`, { param: 'expand' });
  if (typeof inner === 'string' && store.objects.has(inner)) object[name] = structuredClone(store.objects.get(inner));
  expandAt(store, object[name], rest);
}
