import type { PaymentRow, ReversalRow } from './payments.table.js';
import type { Payment, PaymentReversal } from './payments.types.js';

export function toPayment(row: PaymentRow): Payment {
  return {
    id: row.id,
    userId: row.userId,
    kind: row.kind,
    status: row.status,
    stripeId: row.stripeId,
    amountMinor: row.amountMinor,
    reversedMinor: row.reversedMinor,
    currency: row.currency,
    creditsGranted: row.creditsGranted,
    failures: row.failures,
    paidAt: row.paidAt,
    createdAt: row.createdAt,
  };
}

export function toReversal(row: ReversalRow): PaymentReversal {
  return {
    id: row.id,
    kind: row.kind,
    stripeId: row.stripeId,
    stripeStatus: row.stripeStatus,
    amountMinor: row.amountMinor,
    effective: row.effective,
    creditsTaken: row.creditsTaken,
    creditsOwed: row.creditsOwed,
    createdAt: row.createdAt,
  };
}
