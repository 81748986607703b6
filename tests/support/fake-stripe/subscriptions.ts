import type { Stripe } from 'stripe';
import { blankSubscription } from './blanks.ts';
import { attach, createPaymentMethod, paymentMethodOf } from './cards.ts';
import { sellable } from './catalog.ts';
import { confirmPaymentIntent } from './charges.ts';
import { attemptInvoice, invoiceOf, type Line, markPaid, openInvoice, voidInvoice } from './invoices.ts';
import { Params } from './params.ts';
import { cardError, invalidRequest } from './refusals.ts';
import { idOf, listOf, type Store, type StoredPrice } from './store.ts';
import { changeItems } from './subscription-changes.ts';

/** One period after a moment; the 31st becomes the last day of a shorter month. */
export function periodAfter(start: number, price: StoredPrice): number {
  const { interval, interval_count: count } = price.recurring ?? { interval: 'month', interval_count: 1 };
  if (interval === 'day') return start + count * 86_400;
  if (interval === 'week') return start + count * 7 * 86_400;
  const date = new Date(start * 1_000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + (interval === 'year' ? 12 * count : count));
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return Math.floor(date.getTime() / 1_000);
}

export function priceOf(item: Stripe.SubscriptionItem): StoredPrice {
  return item.price as unknown as StoredPrice;
}

export function wholePeriod(item: Stripe.SubscriptionItem): Line {
  const price = priceOf(item);
  const quantity = item.quantity ?? 1;
  return {
    amount: (price.unit_amount ?? 0) * quantity,
    description: `${quantity} × ${price.nickname ?? price.product}`,
    price,
    quantity,
    period: { start: item.current_period_start, end: item.current_period_end },
    subscriptionItem: item.id,
    proration: false,
  };
}

interface Start {
  customer: string;
  items: { price: string; quantity: number; param: string }[];
  paymentMethod: string | undefined;
  behavior: string;
  trialDays?: number | undefined;
  metadata: Record<string, string>;
  cancelAtPeriodEnd?: boolean;
  savesMethod?: boolean;
}

export function createSubscription(store: Store, params: Params): Stripe.Subscription {
  const method = params.optional('default_payment_method');
  const items = params.objects('items');
  if (items.length === 0)
    throw invalidRequest('Missing required param: items.', { code: 'parameter_missing', param: 'items' });
  return startSubscription(store, {
    customer: params.text('customer'),
    items: items.map((item) => ({
      price: item.text('price'),
      quantity: item.whole('quantity') ?? 1,
      param: item.pathOf('price'),
    })),
    paymentMethod: method === undefined ? undefined : paymentMethodOf(store, method, 'default_payment_method').id,
    behavior:
      params.oneOf('payment_behavior', ['allow_incomplete', 'default_incomplete', 'error_if_incomplete'] as const) ??
      'allow_incomplete',
    trialDays: params.whole('trial_period_days'),
    metadata: params.metadata(),
    cancelAtPeriodEnd: params.flag('cancel_at_period_end') ?? false,
    savesMethod: params.object('payment_settings')?.optional('save_default_payment_method') === 'on_subscription',
  });
}

export function startSubscription(store: Store, start: Start): Stripe.Subscription {
  const customer = store.customer(start.customer);
  const prices = start.items.map((item) => sellable(store, item.price, item.param));
  const [first] = prices;
  if (!first || prices.some((price) => price.recurring === null))
    throw invalidRequest(
      'The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.',
      { param: 'items[0][price]' },
    );
  const method = start.paymentMethod ?? idOf(customer.invoice_settings.default_payment_method);
  const trial = (start.trialDays ?? 0) > 0;
  if (method === undefined && start.behavior !== 'default_incomplete' && !trial && (first.unit_amount ?? 0) > 0)
    throw invalidRequest('This customer has no attached payment source or default payment method.', {
      code: 'resource_missing',
    });
  const decline = method === undefined ? undefined : store.wallet.get(method)?.decline;
  if (decline && start.behavior === 'error_if_incomplete' && !trial) throw cardError(decline.code, decline.declineCode);
  const subscription = blankSubscription(store, start, first);
  const trialEnd = trial ? store.now() + (start.trialDays ?? 0) * 86_400 : null;
  subscription.items = listOf(
    prices.map((price, index) =>
      subscriptionItem(store, subscription.id, { price, quantity: start.items[index]?.quantity ?? 1, end: trialEnd }),
    ),
  );
  store.change(undefined, subscription, {
    default_payment_method: start.paymentMethod ?? null,
    status: trial ? 'trialing' : 'incomplete',
    trial_start: trial ? store.now() : null,
    trial_end: trialEnd,
  });
  store.keep(subscription);
  store.emit('customer.subscription.created', subscription);
  const lines = subscription.items.data.map(wholePeriod);
  const invoice = openInvoice(store, {
    subscription,
    lines: trial ? lines.map((line) => ({ ...line, amount: 0 })) : lines,
    reason: 'subscription_create',
  });
  store.change(undefined, subscription, { latest_invoice: invoice.id });
  if (invoice.amount_due === 0 || start.behavior !== 'default_incomplete') collect(store, subscription, invoice);
  return subscription;
}

function subscriptionItem(
  store: Store,
  subscription: string,
  { price, quantity, end }: { price: StoredPrice; quantity: number; end: number | null },
): Stripe.SubscriptionItem {
  return {
    id: store.newId('si'),
    object: 'subscription_item',
    billing_thresholds: null,
    created: store.now(),
    current_period_end: end ?? periodAfter(store.now(), price),
    current_period_start: store.now(),
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: planOf(price),
    price: price as unknown as Stripe.Price,
    quantity,
    subscription,
    tax_rates: [],
  };
}

/** The older name of a price, which items still carry. */
export function planOf(price: StoredPrice): Stripe.Plan {
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: null,
    billing_scheme: 'per_unit',
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? 'month',
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: String(price.product),
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: 'licensed',
  };
}

/** Charges an open invoice with the card of the subscription, and lets the subscription follow. */
export function collect(
  store: Store,
  subscription: Stripe.Subscription,
  invoice: Stripe.Invoice,
  method?: string,
): boolean {
  const customer = store.customer(idOf(subscription.customer) ?? '');
  const card =
    method ?? idOf(subscription.default_payment_method) ?? idOf(customer.invoice_settings.default_payment_method);
  if (attemptInvoice(store, invoice, card)) {
    if (subscription.status === 'active' || subscription.status === 'trialing')
      store.change('customer.subscription.updated', subscription, { status: 'past_due' });
    return false;
  }
  followPaid(store, subscription, invoice);
  return true;
}

function followPaid(store: Store, subscription: Stripe.Subscription, invoice: Stripe.Invoice): void {
  const settles = subscription.latest_invoice === invoice.id || subscription.latest_invoice === null;
  if (settles && ['incomplete', 'past_due', 'unpaid'].includes(subscription.status))
    store.change('customer.subscription.updated', subscription, { status: 'active' });
}

/** Confirms a payment; the invoice that it pays, and the subscription behind that, follow. */
export function confirmPayment(store: Store, intentId: string, params: Params): Stripe.PaymentIntent {
  const intent = confirmPaymentIntent(store, intentId, params);
  const invoice = invoiceOf(store, intentId);
  if (intent.status !== 'succeeded' || invoice?.status !== 'open') return intent;
  markPaid(store, invoice);
  const subscription = store.get('subscription', idOf(invoice.parent?.subscription_details?.subscription) ?? '');
  if (subscription.payment_settings?.save_default_payment_method === 'on_subscription')
    savePaidWith(store, subscription, intent);
  followPaid(store, subscription, invoice);
  return intent;
}

/** What Stripe's script does in the browser with the client secret and the card that somebody typed. */
export function payInBrowser(store: Store, clientSecret: string, card: string): Stripe.PaymentIntent {
  const intent = store.all('payment_intent').find((known) => known.client_secret === clientSecret);
  if (!intent) throw invalidRequest('No such payment_intent', { code: 'resource_missing' });
  return confirmPayment(store, intent.id, new Params({ payment_method: createPaymentMethod(store, card).id }));
}

function savePaidWith(store: Store, subscription: Stripe.Subscription, intent: Stripe.PaymentIntent): void {
  const method = store.get('payment_method', idOf(intent.payment_method) ?? '');
  attach(store, method, idOf(subscription.customer) ?? '');
  store.change(undefined, subscription, { default_payment_method: method.id });
}

export function updateSubscription(store: Store, id: string, params: Params): Stripe.Subscription {
  const subscription = store.get('subscription', id);
  if (subscription.ended_at !== null)
    throw invalidRequest('A canceled subscription can only update its cancellation_details and metadata.', {
      code: 'resource_missing',
    });
  const method = params.optional('default_payment_method');
  const before = structuredClone(subscription);
  store.change(undefined, subscription, {
    metadata: params.metadata(subscription.metadata),
    ...(method !== undefined && {
      default_payment_method: paymentMethodOf(store, method, 'default_payment_method').id,
    }),
    ...(params.has('cancel_at_period_end') &&
      cancelAtEnd(store, subscription, params.flag('cancel_at_period_end') ?? false)),
  });
  const bill = params.has('items') ? changeItems(store, subscription, params) : undefined;
  const previous = Object.fromEntries(
    Object.entries(before).filter(
      ([name, value]) =>
        JSON.stringify(value) !== JSON.stringify(Object.entries(subscription).find(([other]) => other === name)?.[1]),
    ),
  );
  if (Object.keys(previous).length > 0) store.emit('customer.subscription.updated', subscription, previous);
  if (bill) {
    const invoice = openInvoice(store, bill);
    store.change(undefined, subscription, { latest_invoice: invoice.id });
    collect(store, subscription, invoice);
  }
  return subscription;
}

function cancelAtEnd(store: Store, subscription: Stripe.Subscription, wanted: boolean): Partial<Stripe.Subscription> {
  return {
    cancel_at_period_end: wanted,
    cancel_at: wanted ? (subscription.items.data[0]?.current_period_end ?? null) : null,
    canceled_at: wanted ? store.now() : null,
    cancellation_details: {
      comment: null,
      feedback: null,
      feedback_option: null,
      reason: wanted ? 'cancellation_requested' : null,
    },
  };
}

/** At once and for good. Open invoices stay open, as in Stripe, but are not tried again. */
export function endSubscription(
  store: Store,
  subscription: Stripe.Subscription,
  reason: 'cancellation_requested' | 'payment_failed' = 'cancellation_requested',
): Stripe.Subscription {
  if (subscription.ended_at !== null)
    throw invalidRequest(`No such subscription: '${subscription.id}'`, {
      code: 'resource_missing',
      status: 404,
      param: 'id',
    });
  store.change(undefined, subscription, {
    status: 'canceled',
    ended_at: store.now(),
    canceled_at: subscription.canceled_at ?? store.now(),
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason },
  });
  const latest = store.find('invoice', idOf(subscription.latest_invoice) ?? '');
  if (latest?.status === 'open') store.change(undefined, latest, { auto_advance: false, next_payment_attempt: null });
  store.emit('customer.subscription.deleted', subscription);
  return subscription;
}

/** The first payment never came: 23 hours later it is over. */
export function expireIncomplete(store: Store, subscription: Stripe.Subscription): void {
  const invoice = store.find('invoice', idOf(subscription.latest_invoice) ?? '');
  if (invoice?.status === 'open') voidInvoice(store, invoice);
  store.change('customer.subscription.updated', subscription, { status: 'incomplete_expired', ended_at: store.now() });
}
