import type { Stripe } from 'stripe';
import { sellable } from './catalog.ts';
import type { Bill, Line } from './invoices.ts';
import type { Params } from './params.ts';
import { cardError, invalidRequest } from './refusals.ts';
import { idOf, type Store, type StoredPrice } from './store.ts';
import { periodAfter, planOf, priceOf, wholePeriod } from './subscriptions.ts';

/** Prorations that wait for the next invoice, by subscription. */
const waiting = new WeakMap<Stripe.Subscription, Line[]>();

export function takeWaiting(subscription: Stripe.Subscription): Line[] {
  const lines = waiting.get(subscription) ?? [];
  waiting.delete(subscription);
  return lines;
}

const BEHAVIORS = ['create_prorations', 'always_invoice', 'none'] as const;

/**
 * Other prices in the same places: https://docs.stripe.com/billing/subscriptions/prorations. A change of interval
 * begins a new period and is billed at once; else prorations wait for the next invoice unless `always_invoice`.
 */
export function changeItems(store: Store, subscription: Stripe.Subscription, params: Params): Bill | undefined {
  const behavior = params.oneOf('proration_behavior', BEHAVIORS) ?? 'create_prorations';
  const changes = params.objects('items').map((item) => {
    const id = item.text('id');
    const found = subscription.items.data.find((entry) => entry.id === id);
    if (!found)
      throw invalidRequest(`No such subscription item: '${id}'`, {
        code: 'resource_missing',
        param: item.pathOf('id'),
      });
    const price = sellable(store, item.optional('price') ?? found.price.id, item.pathOf('price'));
    if (price.currency !== subscription.currency)
      throw invalidRequest('The price specified has another currency than the subscription.', {
        param: item.pathOf('price'),
      });
    return { item: found, price, quantity: item.whole('quantity') ?? found.quantity ?? 1 };
  });
  const restarts =
    params.optional('billing_cycle_anchor') === 'now' ||
    changes.some(({ item, price }) => price.recurring?.interval !== priceOf(item).recurring?.interval);
  const invoicesNow = restarts || behavior === 'always_invoice';
  if (invoicesNow && params.optional('payment_behavior') === 'error_if_incomplete')
    requireGoodCard(store, subscription);
  const prorations = behavior === 'none' ? [] : changes.flatMap((change) => prorate(store, { ...change, restarts }));
  for (const { item, price, quantity } of changes) apply(store, item, { price, quantity, restarts });
  const lines = restarts ? [...prorations, ...changes.map(({ item }) => wholePeriod(item))] : prorations;
  if (restarts) store.change(undefined, subscription, { billing_cycle_anchor: store.now() });
  if (invoicesNow) return lines.length === 0 ? undefined : { subscription, lines, reason: 'subscription_update' };
  waiting.set(subscription, [...(waiting.get(subscription) ?? []), ...lines]);
  return undefined;
}

function requireGoodCard(store: Store, subscription: Stripe.Subscription): void {
  const customer = store.customer(idOf(subscription.customer) ?? '');
  const method = idOf(subscription.default_payment_method) ?? idOf(customer.invoice_settings.default_payment_method);
  const decline = method === undefined ? undefined : store.wallet.get(method)?.decline;
  if (decline) throw cardError(decline.code, decline.declineCode);
}

/** What is left of the old price comes back; what is left of the new one, unless its period begins anew, is to be paid. */
function prorate(
  store: Store,
  change: { item: Stripe.SubscriptionItem; price: StoredPrice; quantity: number; restarts: boolean },
): Line[] {
  const { item, price, quantity, restarts } = change;
  const before = priceOf(item);
  const period = { start: store.now(), end: item.current_period_end };
  const share = (period.end - period.start) / (item.current_period_end - item.current_period_start);
  const line = (of: StoredPrice, count: number, sign: 1 | -1): Line => ({
    amount: sign * Math.round((of.unit_amount ?? 0) * count * share),
    description: sign < 0 ? `Unused time on ${of.product}` : `Remaining time on ${of.product}`,
    price: of,
    quantity: count,
    period,
    subscriptionItem: item.id,
    proration: true,
  });
  const credit = line(before, item.quantity ?? 1, -1);
  return restarts ? [credit] : [credit, line(price, quantity, 1)];
}

function apply(
  store: Store,
  item: Stripe.SubscriptionItem,
  { price, quantity, restarts }: { price: StoredPrice; quantity: number; restarts: boolean },
): void {
  Object.assign(item, { price: price as unknown as Stripe.Price, plan: planOf(price), quantity });
  if (restarts)
    Object.assign(item, { current_period_start: store.now(), current_period_end: periodAfter(store.now(), price) });
}
