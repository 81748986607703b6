import type { SubscriptionRow } from '../payments/payments.table.js';
import type { BillingSubscription } from './billing.types.js';

/** The row as the schema shows it: named columns only, and none of Stripe's ids. */
export function toSubscription(row: SubscriptionRow): BillingSubscription {
  return {
    id: row.id,
    status: row.status,
    currentPeriodStart: row.currentPeriodStart,
    currentPeriodEnd: row.currentPeriodEnd,
    cancelAtPeriodEnd: row.cancelAtPeriodEnd,
    endedAt: row.endedAt,
    createdAt: row.createdAt,
    priceId: row.priceId,
    nextPriceId: row.nextPriceId,
    productId: row.productId,
  };
}
