// Invariants: a checkout pays out to whom the order says, what the order says, when Stripe says that it is paid, once,
// under `checkout:<session>`, whether the webhook or the success page is the first to ask.
import { and, eq, isNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { found, isUuid } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import { type ProductRow, prices, products } from '../catalog/catalog.table.js';
import { readInvoice } from './invoice-reads.service.js';
import { grantCredits } from './payment-credits.service.js';
import { tellOfPayment } from './payment-news.service.js';
import { isPaidNow, savePayment } from './payment-rows.service.js';
import { billingOrders, type OrderRow, type PaymentRow } from './payments.table.js';
import {
  type Application,
  currencyOf,
  drawReadNumber,
  findOwner,
  idOf,
  inOrder,
  lockOwner,
  momentOf,
  requirePayments,
  UnfitError,
} from './stripe-reads.service.js';

/** Reads one checkout session, and of a subscription its first invoice. */
export async function readCheckout(app: App, sessionId: string): Promise<Application> {
  const readNumber = await drawReadNumber(app);
  const session = await requirePayments(app).call((stripe) =>
    stripe.checkout.sessions.retrieve(sessionId, { expand: ['payment_intent.latest_charge'] }),
  );
  const checkout: Application = (app) => applyCheckout(app, { session, readNumber });
  const invoiceId = idOf(session.invoice);
  if (session.mode !== 'subscription' || invoiceId === undefined) return checkout;
  return inOrder([checkout, await readInvoice(app, invoiceId)]);
}

interface Read {
  session: Stripe.Checkout.Session;
  readNumber: number;
}

async function applyCheckout(app: App, { session, readNumber }: Read): Promise<'APPLIED' | 'NOT_OURS'> {
  const order = await findOrder(app, session);
  if (order === undefined) return 'NOT_OURS';
  const owner = await findOwner(app, idOf(session.customer));
  if (owner !== undefined && owner !== order.userId) throw new UnfitError('CUSTOMER_MISMATCH');
  const user = await lockOwner(app, order.userId);
  await closeOrder(app, { order, session });
  if (session.mode !== 'payment' || session.status !== 'complete') return 'APPLIED';
  const product = await requireAsOrdered(app, { order, session });
  const values = { ...valuesOf(order, session), productId: product.id, paidAt: paidAtOf(app, session), readNumber };
  const saved = await savePayment(app, values);
  if (saved === undefined) return 'APPLIED';
  if (isPaidNow(saved) && order.credits > 0 && !user.deletedAt) {
    const grant = { key: `checkout:${session.id}`, amount: order.credits, description: product.name };
    await grantCredits(app, { ...grant, payment: saved.row, kind: 'PURCHASE' });
  }
  await tellOfPayment(app, { ...saved, user });
  return 'APPLIED';
}

/** By the session, or by its own id where the process died before it learned the session. */
async function findOrder(app: App, session: Stripe.Checkout.Session): Promise<OrderRow | undefined> {
  const [known] = await app.db.select().from(billingOrders).where(eq(billingOrders.stripeId, session.id));
  const reference = session.client_reference_id ?? '';
  if (known || !isUuid(reference)) return known;
  const [unanswered] = await app.db
    .select()
    .from(billingOrders)
    .where(and(eq(billingOrders.id, reference), isNull(billingOrders.stripeId), eq(billingOrders.kind, 'CHECKOUT')));
  return unanswered;
}

async function closeOrder(app: App, { order, session }: { order: OrderRow; session: Stripe.Checkout.Session }) {
  const status = session.status === 'complete' ? 'COMPLETED' : session.status === 'expired' ? 'EXPIRED' : order.status;
  await app.db
    .update(billingOrders)
    .set({ status, stripeId: session.id, updatedAt: app.now() })
    .where(eq(billingOrders.id, order.id));
}

/** What was bought. @throws UnfitError when the session asks for another sum than the order */
async function requireAsOrdered(
  app: App,
  { order, session }: { order: OrderRow; session: Stripe.Checkout.Session },
): Promise<ProductRow> {
  const [row] = await app.db
    .select({ product: products, currency: prices.currency })
    .from(prices)
    .innerJoin(products, eq(products.id, prices.productId))
    .where(eq(prices.id, order.priceId));
  const { product, currency } = found(row);
  const isSame =
    currencyOf(session.currency ?? '') === currency && session.amount_subtotal === order.amountMinor * order.quantity;
  if (!isSame) throw new UnfitError('AMOUNT_MISMATCH');
  return product;
}

function valuesOf(order: OrderRow, session: Stripe.Checkout.Session) {
  const status = statusOf(session);
  return {
    userId: order.userId,
    kind: 'CHECKOUT' as const,
    stripeId: session.id,
    paymentIntentId: idOf(session.payment_intent) ?? null,
    orderId: order.id,
    subscriptionId: null,
    currency: currencyOf(session.currency ?? ''),
    amountMinor: session.amount_total ?? 0,
    status,
    failures: status === 'FAILED' ? 1 : 0,
    createdAt: found(momentOf(session.created) ?? undefined),
  };
}

/** When the charge went through; nothing is charged where nothing had to be paid. */
function paidAtOf(app: App, session: Stripe.Checkout.Session): Date | null {
  if (statusOf(session) !== 'SUCCEEDED') return null;
  const { payment_intent: intent } = session;
  const charge = typeof intent === 'object' ? intent?.latest_charge : null;
  return (typeof charge === 'object' ? momentOf(charge?.created) : null) ?? app.now();
}

/** Complete is not paid: a bank may take days to say yes or no. */
function statusOf({ payment_status, payment_intent }: Stripe.Checkout.Session): PaymentRow['status'] {
  if (payment_status !== 'unpaid') return 'SUCCEEDED';
  const hasFailed =
    typeof payment_intent === 'object' &&
    ['requires_payment_method', 'canceled'].includes(payment_intent?.status ?? '');
  return hasFailed ? 'FAILED' : 'PENDING';
}
