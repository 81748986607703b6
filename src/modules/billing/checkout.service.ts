import { and, eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { requireId } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import { billingOrders, type OrderRow } from '../payments/payments.table.js';
import { momentOf, requirePayments } from '../payments/stripe-reads.service.js';
import { ensureCustomer, requireUser } from './customers.service.js';
import { carryOut, findOrder, type Keyed, openOrder } from './orders.service.js';
import { takePurchase } from './purchase-limits.js';
import { returnUrl } from './return-urls.js';
import { ensureStripePrice, getSold, type Sold } from './stripe-prices.service.js';
import { requireNoSubscription } from './subscription-states.service.js';

interface CheckoutWanted {
  userId: string;
  priceId: string;
  quantity?: number | null | undefined;
  successUrl?: string | null | undefined;
  cancelUrl?: string | null | undefined;
  idempotencyKey: string;
  actor: Actor;
}

export interface Checkout {
  id: string;
  /** Null once it was paid or has expired. */
  url: string | null;
  expiresAt: Date | null;
  replayed: boolean;
}

/**
 * A page at Stripe where the person pays for a credit pack, or begins a subscription. The same key again answers the
 * same page.
 *
 * @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT, NOT_FOUND, CONFLICT when they have a subscription already,
 *   IDEMPOTENCY_CONFLICT, RATE_LIMITED after 5 in an hour, UPSTREAM_FAILED, RETRY_LATER
 */
export async function startCheckout(app: App, options: CheckoutWanted): Promise<Checkout> {
  return openCheckout(app, { ...options, operation: 'startCheckout' });
}

/** The same on behalf of a person. @throws as `startCheckout`; EMAIL_NOT_VERIFIED */
export async function createCheckoutSession(app: App, options: CheckoutWanted): Promise<Checkout> {
  return openCheckout(app, { ...options, operation: 'createCheckoutSession' });
}

const MOST = 100;

async function openCheckout(app: App, options: CheckoutWanted & { operation: string }): Promise<Checkout> {
  requirePayments(app);
  const { operation, idempotencyKey, actor } = options;
  const userId = requireId(options.userId, 'userId');
  const quantity = options.quantity ?? 1;
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > MOST)
    throw badInput({ quantity: `must be 1 to ${MOST}` });
  const success_url = returnUrl(app.config, {
    url: options.successUrl,
    field: 'successUrl',
    path: '/checkout/complete',
  });
  const cancel_url = returnUrl(app.config, { url: options.cancelUrl, field: 'cancelUrl', path: '/checkout/canceled' });
  const input = [requireId(options.priceId, 'priceId'), quantity, success_url, cancel_url];
  const keyed: Keyed = { userId, operation, idempotencyKey, input, actor };
  const known = await findOrder(app, keyed);
  if (known?.stripeId) return { ...(await readPage(app, known, known.stripeId)), replayed: true };
  const sold = await requireSellable(app, { priceId: options.priceId, quantity, userId });
  if (known === undefined) await takePurchase(app, { userId, actor });
  const order = await openOrder(app, keyed, { kind: 'CHECKOUT', sold, quantity });
  const page = await carryOut(app, order, () => createPage(app, { order, sold, urls: { success_url, cancel_url } }));
  return { ...page, replayed: known !== undefined };
}

async function requireSellable(
  app: App,
  { priceId, quantity, userId }: { priceId: string; quantity: number; userId: string },
): Promise<Sold> {
  const user = await requireUser(app, userId);
  if (!user.emailVerifiedAt) throw new AppError('EMAIL_NOT_VERIFIED');
  const sold = await getSold(app, priceId);
  if (sold.price.interval === 'ONCE') return sold;
  if (quantity !== 1) throw badInput({ quantity: 'of a subscription must be 1' });
  await requireNoSubscription(app, userId);
  return sold;
}

async function createPage(
  app: App,
  { order, sold, urls }: { order: OrderRow; sold: Sold; urls: { success_url: string; cancel_url: string } },
) {
  const customer = await ensureCustomer(app, order.userId);
  const price = await ensureStripePrice(app, sold);
  const metadata = { order_id: order.id };
  const isOnce = sold.price.interval === 'ONCE';
  const params: Stripe.Checkout.SessionCreateParams = {
    ...urls,
    mode: isOnce ? 'payment' : 'subscription',
    customer,
    client_reference_id: order.id,
    line_items: [{ price, quantity: order.quantity }],
    metadata,
    ...(isOnce ? { payment_intent_data: { metadata } } : { subscription_data: { metadata } }),
  };
  const session = await requirePayments(app).call((stripe) =>
    stripe.checkout.sessions.create(params, { idempotencyKey: `order:${order.id}` }),
  );
  await app.db
    .update(billingOrders)
    .set({ stripeId: session.id, updatedAt: app.now() })
    .where(and(eq(billingOrders.id, order.id), eq(billingOrders.status, 'OPEN')));
  return toPage(order, session);
}

async function readPage(app: App, order: OrderRow, sessionId: string) {
  const session = await requirePayments(app).call((stripe) => stripe.checkout.sessions.retrieve(sessionId));
  return toPage(order, session);
}

const toPage = (order: OrderRow, { url, expires_at }: Stripe.Checkout.Session) => ({
  id: order.id,
  url: url ?? null,
  expiresAt: momentOf(expires_at),
});
