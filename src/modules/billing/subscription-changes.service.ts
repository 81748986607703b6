import type { Actor, App } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import type { OrderRow, SubscriptionRow } from '../payments/payments.table.js';
import { requirePayments } from '../payments/stripe-reads.service.js';
import { paidPriceOf } from '../payments/subscription-reads.service.js';
import { carryOut, completeOrder, findOrder, type Keyed, openOrder } from './orders.service.js';
import { ensureStripePrice, getSold, requireKind, type Sold } from './stripe-prices.service.js';
import { requireSubscription } from './subscription-states.service.js';
import { settle } from './subscriptions.service.js';

export type ChangeTime = 'NOW' | 'PERIOD_END';

interface ChangeWanted {
  userId: string;
  priceId: string;
  when: ChangeTime;
  idempotencyKey: string;
  actor: Actor;
}

/**
 * Moves a subscription to another price: at once, paying or getting credited for the rest of the period, or when the
 * period ends. A change at once that cannot be collected does not happen.
 *
 * @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT, NOT_FOUND, CONFLICT when it is about to end, or has not begun,
 *   IDEMPOTENCY_CONFLICT, PAYMENT_FAILED (`reason`), UPSTREAM_FAILED, RETRY_LATER
 */
export async function changeMySubscription(app: App, options: ChangeWanted): Promise<SubscriptionRow> {
  return change(app, { ...options, operation: 'changeMySubscription' });
}

/** The same on behalf of a person. @throws as `changeMySubscription` */
export async function changeSubscription(app: App, options: ChangeWanted): Promise<SubscriptionRow> {
  return change(app, { ...options, operation: 'changeSubscription' });
}

async function change(app: App, options: ChangeWanted & { operation: string }): Promise<SubscriptionRow> {
  requirePayments(app);
  const { operation, idempotencyKey, actor, when } = options;
  const userId = requireId(options.userId, 'userId');
  const keyed: Keyed = { userId, operation, idempotencyKey, input: [requireId(options.priceId), when], actor };
  const known = await findOrder(app, keyed);
  if (known?.stripeId) return (await settle(app, known.stripeId)).subscription;
  const row = await requireSubscription(app, userId);
  if (row.cancelAtPeriodEnd) throw new AppError('CONFLICT', { message: 'It is about to end: resume it first.' });
  if (row.status === 'INCOMPLETE') throw new AppError('CONFLICT', { message: 'Its first payment is not made yet.' });
  const sold = await getSold(app, options.priceId);
  requireKind(sold, 'SUBSCRIPTION');
  if (sold.price.id === row.priceId && row.nextPriceId === null) throw badInput({ priceId: 'is what it is already' });
  const order = await openOrder(app, keyed, { kind: 'CHANGE', sold, quantity: 1 });
  await carryOut(app, order, () => changeAtStripe(app, { order, sold, row, when }));
  await completeOrder(app, order, row.stripeSubscriptionId);
  return (await settle(app, row.stripeSubscriptionId)).subscription;
}

interface Change {
  order: OrderRow;
  sold: Sold;
  row: SubscriptionRow;
  when: ChangeTime;
}

async function changeAtStripe(app: App, { order, sold, row, when }: Change): Promise<void> {
  const price = await ensureStripePrice(app, sold);
  const { call } = requirePayments(app);
  const read = await call((stripe) => stripe.subscriptions.retrieve(row.stripeSubscriptionId));
  const item = found(read.items.data[0]);
  if (item.price.currency !== sold.price.currency.toLowerCase())
    throw badInput({ priceId: 'must be in the currency of the subscription' });
  const paid = paidPriceOf(read) ?? item.price.id;
  const change = { item: item.id, paid, price, until: item.current_period_end };
  if (when === 'PERIOD_END' || price === paid) {
    const isSameInterval = item.price.recurring?.interval === (sold.price.interval === 'MONTH' ? 'month' : 'year');
    if (!isSameInterval) throw badInput({ when: 'must be NOW where the interval changes: a new period begins' });
    return changeLater(app, { ...change, id: read.id, order });
  }
  // Back to what was paid for: it is what the rest of the period is worth.
  if (paid !== item.price.id) await changeLater(app, { ...change, price: paid, id: read.id, order });
  const params: Stripe.SubscriptionUpdateParams = {
    items: [{ id: item.id, price }],
    proration_behavior: 'always_invoice',
    payment_behavior: 'error_if_incomplete',
  };
  await call((stripe) => stripe.subscriptions.update(read.id, params, { idempotencyKey: `order:${order.id}` }));
}

/** In one request, so that price and note never disagree (see `paidPriceOf`). */
async function changeLater(
  app: App,
  change: { order: OrderRow; id: string; item: string; paid: string; price: string; until: number },
): Promise<void> {
  const { order, id, item, paid, price, until } = change;
  const isBack = price === paid;
  const params: Stripe.SubscriptionUpdateParams = {
    items: [{ id: item, price }],
    proration_behavior: 'none',
    metadata: { paid_price: isBack ? '' : paid, paid_until: isBack ? '' : String(until) },
  };
  await requirePayments(app).call((stripe) =>
    stripe.subscriptions.update(id, params, { idempotencyKey: `order:${order.id}:${isBack ? 'back' : 'later'}` }),
  );
}

/** Ends it when the period that is paid for does. @throws BILLING_NOT_CONFIGURED, NOT_FOUND, UPSTREAM_FAILED, RETRY_LATER */
export async function cancelMySubscription(
  app: App,
  options: { userId: string; actor: Actor },
): Promise<SubscriptionRow> {
  return cancelSubscription(app, { ...options, immediately: false });
}

/**
 * Ends the subscription of a person: when the period that is paid for does, or at once. Doing it twice answers the same.
 *
 * @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT, NOT_FOUND, UPSTREAM_FAILED, RETRY_LATER
 */
export async function cancelSubscription(
  app: App,
  options: { userId: string; immediately: boolean; actor: Actor },
): Promise<SubscriptionRow> {
  const { call } = requirePayments(app);
  const userId = requireId(options.userId, 'userId');
  const { stripeSubscriptionId: id, status } = await requireSubscription(app, userId);
  // What was never paid for has no period to wait for.
  const isAtOnce = options.immediately || status === 'INCOMPLETE';
  await call((stripe) =>
    isAtOnce ? stripe.subscriptions.cancel(id) : stripe.subscriptions.update(id, { cancel_at_period_end: true }),
  );
  const target = { kind: 'subscription', id };
  const after = { immediately: isAtOnce };
  const entry = { actor: options.actor, action: 'billing.subscription_cancelled', userId, target, after } as const;
  return (await settle(app, id, entry)).subscription;
}

/** Takes the end back, as long as it has not come. @throws BILLING_NOT_CONFIGURED, NOT_FOUND, UPSTREAM_FAILED, RETRY_LATER */
export async function resumeMySubscription(
  app: App,
  { userId, actor }: { userId: string; actor: Actor },
): Promise<SubscriptionRow> {
  const { call } = requirePayments(app);
  const { stripeSubscriptionId: id } = await requireSubscription(app, userId);
  await call((stripe) => stripe.subscriptions.update(id, { cancel_at_period_end: false }));
  const target = { kind: 'subscription', id };
  const entry = { actor, action: 'billing.subscription_resumed', userId, target } as const;
  return (await settle(app, id, entry)).subscription;
}
