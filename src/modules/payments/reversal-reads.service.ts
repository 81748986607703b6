// Invariants: of a payment that went back in part, the same part of its credits goes back; the sum over all refunds and
// lost disputes decides, so it does not matter in which order they are heard of.
import { and, asc, eq } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { found } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import { readCheckout } from './checkout-reads.service.js';
import { readInvoice } from './invoice-reads.service.js';
import { settleReversal } from './payment-credits.service.js';
import { findPaymentOfIntent } from './payment-rows.service.js';
import { type PaymentRow, paymentReversals, payments, type ReversalRow } from './payments.table.js';
import {
  type Application,
  drawReadNumber,
  idOf,
  lockOwner,
  momentOf,
  requirePayments,
} from './stripe-reads.service.js';

/** Reads what became of a payment intent: what it paid for first, then all that went back of it. */
export async function readPaymentIntent(app: App, paymentIntentId: string): Promise<Application> {
  const payment = await readPaidFor(app, paymentIntentId);
  if (payment === undefined) return async () => 'NOT_OURS';
  const readNumber = await drawReadNumber(app);
  const [refunds, disputes] = await requirePayments(app).call((stripe) =>
    Promise.all([
      stripe.refunds.list({ payment_intent: paymentIntentId, limit: 100 }).autoPagingToArray({ limit: 1_000 }),
      stripe.disputes.list({ payment_intent: paymentIntentId, limit: 100 }).autoPagingToArray({ limit: 1_000 }),
    ]),
  );
  const reversals = [...refunds.map(ofRefund), ...disputes.map(ofDispute)];
  return async (app) => {
    const outcome = await payment(app);
    if (outcome === 'APPLIED') await applyReversals(app, { paymentIntentId, reversals, readNumber });
    return outcome;
  };
}

async function readPaidFor(app: App, paymentIntentId: string): Promise<Application | undefined> {
  const known = await findPaymentOfIntent(app, paymentIntentId);
  if (known) return known.kind === 'CHECKOUT' ? readCheckout(app, known.stripeId) : readInvoice(app, known.stripeId);
  const { call } = requirePayments(app);
  const sessions = await call((stripe) => stripe.checkout.sessions.list({ payment_intent: paymentIntentId, limit: 1 }));
  const session = sessions.data[0];
  if (session) return readCheckout(app, session.id);
  const payment = { type: 'payment_intent', payment_intent: paymentIntentId } as const;
  const invoicePayments = await call((stripe) => stripe.invoicePayments.list({ payment, limit: 1 }));
  const invoiceId = idOf(invoicePayments.data[0]?.invoice);
  return invoiceId === undefined ? undefined : readInvoice(app, invoiceId);
}

type Reversal = Pick<ReversalRow, 'kind' | 'stripeId' | 'stripeStatus' | 'amountMinor' | 'effective' | 'createdAt'>;

/** What waits for a bank counts: the money is on its way. */
function ofRefund({ id, status, amount, created }: Stripe.Refund): Reversal {
  const effective = status === 'succeeded' || status === 'pending';
  return {
    kind: 'REFUND',
    stripeId: id,
    stripeStatus: status ?? 'unknown',
    amountMinor: amount,
    effective,
    createdAt: found(momentOf(created) ?? undefined),
  };
}

/** As long as it is fought over nothing is taken. */
function ofDispute({ id, status, amount, created }: Stripe.Dispute): Reversal {
  return {
    kind: 'DISPUTE',
    stripeId: id,
    stripeStatus: status,
    amountMinor: amount,
    effective: status === 'lost',
    createdAt: found(momentOf(created) ?? undefined),
  };
}

interface Reversals {
  paymentIntentId: string;
  reversals: readonly Reversal[];
  readNumber: number;
}

async function applyReversals(app: App, { paymentIntentId, reversals, readNumber }: Reversals): Promise<void> {
  const owned = found(await findPaymentOfIntent(app, paymentIntentId));
  const user = await lockOwner(app, owned.userId);
  const payment = found(await findPaymentOfIntent(app, paymentIntentId));
  if (payment.reversalsReadNumber > readNumber) return;
  const rows = await saveReversals(app, { payment, reversals });
  const targets = targetsOf(payment, rows);
  for (const [index, reversal] of rows.entries())
    await settleReversal(app, { reversal, target: targets[index] ?? 0, isGone: user.deletedAt !== null });
  const reversed = rows.filter(({ effective }) => effective).reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  await app.db
    .update(payments)
    .set({
      reversedMinor: Math.min(reversed, payment.amountMinor),
      reversalsReadNumber: readNumber,
      updatedAt: app.now(),
    })
    .where(eq(payments.id, payment.id));
}

/** All reversals of the payment, in the order in which they were made. */
async function saveReversals(
  app: App,
  { payment, reversals }: { payment: PaymentRow; reversals: readonly Reversal[] },
): Promise<ReversalRow[]> {
  const { id: paymentId, userId } = payment;
  for (const reversal of reversals) {
    const { stripeStatus, amountMinor, effective } = reversal;
    const changes = { stripeStatus, amountMinor, effective, updatedAt: app.now() };
    await app.db
      .insert(paymentReversals)
      .values({ ...reversal, id: newId(), userId, paymentId, updatedAt: app.now() })
      .onConflictDoUpdate({ target: paymentReversals.stripeId, set: changes });
  }
  return app.db
    .select()
    .from(paymentReversals)
    .where(and(eq(paymentReversals.paymentId, paymentId), eq(paymentReversals.userId, userId)))
    .orderBy(asc(paymentReversals.createdAt), asc(paymentReversals.stripeId));
}

/** The credits of each, rounded up, together never more than the payment brought. */
function targetsOf({ creditsGranted, amountMinor }: PaymentRow, rows: readonly ReversalRow[]): number[] {
  let left = creditsGranted;
  return rows.map((row) => {
    if (!row.effective || amountMinor === 0) return 0;
    // Whole numbers throughout: the product may pass 2^53.
    const share = (BigInt(creditsGranted) * BigInt(row.amountMinor) + BigInt(amountMinor) - 1n) / BigInt(amountMinor);
    const target = Math.min(left, Number(share));
    left -= target;
    return target;
  });
}
