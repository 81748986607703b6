// Invariants: one subscription a person, judged by what Stripe says at that moment and not by what has arrived here yet;
// a change that is not paid for does not happen; what is answered has been read from Stripe after the act.
import type { Actor, App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import { type AuditEntry, recordAudit } from '../audit/audit.service.js';
import { readInvoice } from '../payments/invoice-reads.service.js';
import type { OrderRow, SubscriptionRow } from '../payments/payments.table.js';
import { apply, idOf, requirePayments } from '../payments/stripe-reads.service.js';
import { findSubscription, readSubscription } from '../payments/subscription-reads.service.js';
import { ensureCustomer, requireUser } from './customers.service.js';
import { carryOut, completeOrder, findOrder, type Keyed, openOrder } from './orders.service.js';
import { requireOwnPaymentMethod } from './payment-methods.service.js';
import { takePurchase } from './purchase-limits.js';
import { ensureStripePrice, getSold, requireKind, type Sold } from './stripe-prices.service.js';
import { hasSubscription, requireNoSubscription } from './subscription-states.service.js';

interface SubscriptionWanted {
  userId: string;
  priceId: string;
  paymentMethodId?: string | null | undefined;
  idempotencyKey: string;
  actor: Actor;
}

export interface SubscriptionStart {
  subscription: SubscriptionRow;
  /** For Stripe's own form, while the first payment wants something of the person; else null. */
  clientSecret: string | null;
  replayed: boolean;
}

/**
 * Subscribes with a saved payment method, or leaves the first payment to Stripe's form in the browser. The same key
 * again answers the same subscription, as it is then.
 *
 * @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT, NOT_FOUND, CONFLICT when there is one already, IDEMPOTENCY_CONFLICT,
 *   RATE_LIMITED, PAYMENT_FAILED (`reason`), UPSTREAM_FAILED, RETRY_LATER
 */
export async function startSubscription(app: App, options: SubscriptionWanted): Promise<SubscriptionStart> {
  return subscribe(app, { ...options, operation: 'startSubscription' });
}

/** The same on behalf of a person. @throws as `startSubscription` */
export async function createSubscription(app: App, options: SubscriptionWanted): Promise<SubscriptionStart> {
  return subscribe(app, { ...options, operation: 'createSubscription' });
}

async function subscribe(app: App, options: SubscriptionWanted & { operation: string }): Promise<SubscriptionStart> {
  requirePayments(app);
  const { operation, idempotencyKey, actor } = options;
  const userId = requireId(options.userId, 'userId');
  const paymentMethodId = options.paymentMethodId ?? null;
  const input = [requireId(options.priceId, 'priceId'), paymentMethodId];
  const keyed: Keyed = { userId, operation, idempotencyKey, input, actor };
  const known = await findOrder(app, keyed);
  if (known?.stripeId) return { ...(await settle(app, known.stripeId)), replayed: true };
  const user = await requireUser(app, userId);
  if (!user.emailVerifiedAt) throw new AppError('EMAIL_NOT_VERIFIED');
  const sold = await getSold(app, options.priceId);
  requireKind(sold, 'SUBSCRIPTION');
  if (known === undefined) {
    await requireNoSubscription(app, userId);
    await takePurchase(app, { userId, actor });
  }
  const order = await openOrder(app, keyed, { kind: 'SUBSCRIPTION', sold, quantity: 1 });
  const stripeId = await carryOut(app, order, () => createAtStripe(app, { order, sold, paymentMethodId }));
  await completeOrder(app, order, stripeId);
  return { ...(await settle(app, stripeId)), replayed: known !== undefined };
}

interface Start {
  order: OrderRow;
  sold: Sold;
  paymentMethodId: string | null;
}

async function createAtStripe(app: App, { order, sold, paymentMethodId }: Start): Promise<string> {
  const customer = await ensureCustomer(app, order.userId);
  if (paymentMethodId !== null) await requireOwnPaymentMethod(app, { userId: order.userId, paymentMethodId });
  const own = await clearTheWay(app, { order, customer });
  if (own !== undefined) return own;
  const price = await ensureStripePrice(app, sold);
  const params: Stripe.SubscriptionCreateParams = {
    customer,
    items: [{ price, quantity: 1 }],
    // Without a method there is nothing to try yet: the browser confirms the first payment.
    payment_behavior: paymentMethodId === null ? 'default_incomplete' : 'allow_incomplete',
    payment_settings: { save_default_payment_method: 'on_subscription' },
    ...(paymentMethodId !== null && { default_payment_method: paymentMethodId }),
    metadata: { order_id: order.id },
  };
  const created = await requirePayments(app).call((stripe) =>
    stripe.subscriptions.create(params, { idempotencyKey: `order:${order.id}` }),
  );
  return created.id;
}

const OVER: readonly string[] = ['canceled', 'incomplete_expired'];

/** Ends what was begun and never paid for. Answers the subscription that this order has made already. @throws CONFLICT */
async function clearTheWay(
  app: App,
  { order, customer }: { order: OrderRow; customer: string },
): Promise<string | undefined> {
  const { call } = requirePayments(app);
  const list = await call((stripe) => stripe.subscriptions.list({ customer, status: 'all', limit: 100 }));
  const lasting = list.data.filter(({ status }) => !OVER.includes(status));
  const own = lasting.find(({ metadata }) => metadata.order_id === order.id);
  if (own) return own.id;
  if (lasting.some(({ status }) => status !== 'incomplete')) throw hasSubscription();
  for (const { id } of lasting) await call((stripe) => stripe.subscriptions.cancel(id));
  return undefined;
}

/**
 * Brings our books in line with the subscription and its latest invoice, notes in them what was done, and answers how
 * it stands.
 */
export async function settle(
  app: App,
  stripeId: string,
  entry?: AuditEntry,
): Promise<Omit<SubscriptionStart, 'replayed'>> {
  const expand = ['latest_invoice.confirmation_secret'];
  const read = await requirePayments(app).call((stripe) => stripe.subscriptions.retrieve(stripeId, { expand }));
  const { latest_invoice: invoice } = read;
  const invoiceId = idOf(invoice);
  const application = await (invoiceId === undefined ? readSubscription(app, stripeId) : readInvoice(app, invoiceId));
  await apply(app, async (app) => {
    if (entry) await recordAudit(app, entry);
    return application(app);
  });
  const subscription = found(await findSubscription(app, stripeId));
  const secret = typeof invoice === 'object' ? invoice?.confirmation_secret?.client_secret : undefined;
  return { subscription, clientSecret: subscription.status === 'INCOMPLETE' ? (secret ?? null) : null };
}
