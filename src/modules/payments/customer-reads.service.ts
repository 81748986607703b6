import { eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { billingCustomers } from './payments.table.js';
import { type Application, findOwner, lockOwner, requirePayments } from './stripe-reads.service.js';

/** Reads one customer; applied, one that somebody has deleted at Stripe counts no more: the next sale makes another. */
export async function readCustomer(app: App, stripeCustomerId: string): Promise<Application> {
  const customer = await requirePayments(app).call((stripe) => stripe.customers.retrieve(stripeCustomerId));
  return async (app) => {
    const userId = await findOwner(app, stripeCustomerId);
    if (userId === undefined) return 'NOT_OURS';
    await lockOwner(app, userId);
    if (customer.deleted)
      await app.db
        .update(billingCustomers)
        .set({ status: 'ERASED', nextAttemptAt: null })
        .where(eq(billingCustomers.stripeCustomerId, stripeCustomerId));
    return 'APPLIED';
  };
}
