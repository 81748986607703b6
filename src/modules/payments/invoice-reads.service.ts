// Invariants: an invoice pays out when Stripe says that it is paid, each line once under `invoice:<id>:<line>`; what it
// brings comes from our own table of prices, never from what the invoice says of itself (S9).
import { eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { found } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import { type PriceRow, type ProductRow, products } from '../catalog/catalog.table.js';
import { grantCredits } from './payment-credits.service.js';
import { tellOfPayment } from './payment-news.service.js';
import { isPaidNow, savePayment } from './payment-rows.service.js';
import type { PaymentRow, SubscriptionRow } from './payments.table.js';
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
import { findPlanOfProduct } from './subscription-plans.service.js';
import { findPricesAtStripe, findSubscription, readSubscription } from './subscription-reads.service.js';

/** Reads one invoice and the subscription that it is for. */
export async function readInvoice(app: App, invoiceId: string): Promise<Application> {
  const readNumber = await drawReadNumber(app);
  const { invoice, lines } = await requirePayments(app).call(async (stripe) => {
    const invoice = await stripe.invoices.retrieve(invoiceId, { expand: ['payments'] });
    // The invoice itself shows the first ten lines.
    const lines = invoice.lines.has_more
      ? await stripe.invoices.listLineItems(invoiceId, { limit: 100 }).autoPagingToArray({ limit: 1_000 })
      : invoice.lines.data;
    return { invoice, lines };
  });
  const subscriptionId = idOf(invoice.parent?.subscription_details?.subscription);
  if (subscriptionId === undefined) return async () => 'NOT_OURS';
  const subscription = await readSubscription(app, subscriptionId);
  return inOrder([subscription, (app) => applyInvoice(app, { invoice, lines, subscriptionId, readNumber })]);
}

interface Read {
  invoice: Stripe.Invoice;
  lines: readonly Stripe.InvoiceLineItem[];
  subscriptionId: string;
  readNumber: number;
}

async function applyInvoice(app: App, read: Read): Promise<'APPLIED' | 'NOT_OURS'> {
  const { invoice, lines, subscriptionId, readNumber } = read;
  const subscription = await findSubscription(app, subscriptionId);
  if (subscription === undefined) return 'NOT_OURS';
  const { userId } = subscription;
  const owner = await findOwner(app, idOf(invoice.customer));
  if (owner !== undefined && owner !== userId) throw new UnfitError('CUSTOMER_MISMATCH');
  const user = await lockOwner(app, userId);
  if (invoice.status === 'draft' || invoice.status === null) return 'APPLIED';
  const saved = await savePayment(app, { ...valuesOf(invoice, subscription), readNumber });
  if (saved === undefined) return 'APPLIED';
  if (isPaidNow(saved)) {
    const grants = user.deletedAt ? [] : await grantsOf(app, { invoice, lines });
    for (const grant of grants) await grantCredits(app, { ...grant, payment: saved.row, kind: 'PLAN_GRANT' });
  }
  await tellOfPayment(app, { ...saved, user });
  return 'APPLIED';
}

function valuesOf(invoice: Stripe.Invoice, subscription: SubscriptionRow) {
  const isPaid = invoice.status === 'paid';
  const payment = invoice.payments?.data.find(({ status }) => status === 'paid') ?? invoice.payments?.data[0];
  return {
    userId: subscription.userId,
    kind: 'INVOICE' as const,
    stripeId: invoice.id,
    paymentIntentId: idOf(payment?.payment.payment_intent) ?? null,
    orderId: null,
    subscriptionId: subscription.id,
    productId: subscription.productId,
    currency: currencyOf(invoice.currency),
    amountMinor: isPaid ? invoice.amount_paid : invoice.amount_due,
    status: statusOf(invoice),
    failures: isPaid ? Math.max(0, invoice.attempt_count - 1) : invoice.attempt_count,
    paidAt: isPaid ? (momentOf(invoice.status_transitions.paid_at) ?? momentOf(invoice.created)) : null,
    createdAt: found(momentOf(invoice.created) ?? undefined),
  };
}

function statusOf({ status, attempted, attempt_count }: Stripe.Invoice): PaymentRow['status'] {
  if (status === 'paid') return 'SUCCEEDED';
  if (status === 'void' || status === 'uncollectible') return 'CANCELED';
  return attempted && attempt_count > 0 ? 'FAILED' : 'PENDING';
}

interface LineGrant {
  key: string;
  amount: number;
  description: string;
}

const MONTHS: Record<PriceRow['interval'], number> = { ONCE: 0, MONTH: 1, YEAR: 12 };

/**
 * What each line brings: for a whole period the credits of the product and, for each of its months, those of the plan.
 * The lines of a change in mid-period bring and take the part of it that they charge and give back; together they
 * never take anything away.
 */
async function grantsOf(app: App, { invoice, lines }: Pick<Read, 'invoice' | 'lines'>): Promise<LineGrant[]> {
  const ours = await findPricesAtStripe(
    app,
    lines.flatMap((line) => priceIdOf(line) ?? []),
  );
  const grants: LineGrant[] = [];
  let change = 0;
  let changed: LineGrant | undefined;
  for (const line of lines) {
    const price = ours.get(priceIdOf(line) ?? '');
    // A trial: the price is not asked for yet.
    if (price === undefined || (line.amount === 0 && price.amountMinor > 0)) continue;
    const whole = await creditsOf(app, price);
    const grant = { key: `invoice:${invoice.id}:${line.id}`, amount: whole.credits, description: whole.product.name };
    if (!isProration(line)) grants.push(grant);
    else if (price.amountMinor > 0) {
      change += (whole.credits * line.amount) / price.amountMinor;
      if (line.amount > 0) changed ??= grant;
    }
  }
  if (changed) grants.push({ ...changed, amount: Math.floor(change) });
  return grants.filter(({ amount }) => amount > 0);
}

const priceIdOf = (line: Stripe.InvoiceLineItem) => idOf(line.pricing?.price_details?.price);

const isProration = ({ parent }: Stripe.InvoiceLineItem) =>
  (parent?.subscription_item_details?.proration ?? parent?.invoice_item_details?.proration) === true;

async function creditsOf(app: App, price: PriceRow): Promise<{ credits: number; product: ProductRow }> {
  const [row] = await app.db.select().from(products).where(eq(products.id, price.productId));
  const product = found(row);
  const plan = await findPlanOfProduct(app, product.id);
  return { credits: product.creditsGranted + MONTHS[price.interval] * (plan?.monthlyCredits ?? 0), product };
}
