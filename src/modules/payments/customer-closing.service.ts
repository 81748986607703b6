// Invariants: whoever leaves is not charged again, and whoever is erased is erased at Stripe: what has to be done there
// is written in the transaction of the leaving, and a job does it until it is done, whether Stripe is down or this
// process is killed in between.
import { and, asc, eq, inArray, isNotNull, lte } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { PaymentsError } from '../../core/payments.js';
import { billingCustomers, billingOrders, type CustomerRow } from './payments.table.js';
import { apply, lockOwner, requirePayments } from './stripe-reads.service.js';
import { settlePlan } from './subscription-plans.service.js';
import { readSubscription } from './subscription-reads.service.js';

/** The person has left, in this transaction: their subscription ends, and no page at Stripe sells them anything more. */
export async function closeBilling(app: App, userId: string): Promise<void> {
  await app.db
    .update(billingCustomers)
    .set({ status: 'CLOSING', attempts: 0, nextAttemptAt: app.now() })
    .where(and(eq(billingCustomers.userId, userId), eq(billingCustomers.status, 'OPEN')));
}

/** They are back, in this transaction; the plan of a subscription that has ended meanwhile is not. */
export async function reopenBilling(app: App, userId: string): Promise<void> {
  await app.db
    .update(billingCustomers)
    .set({ status: 'OPEN', attempts: 0, nextAttemptAt: null })
    .where(and(eq(billingCustomers.userId, userId), inArray(billingCustomers.status, ['CLOSING', 'CLOSED'])));
  await settlePlan(app, await lockOwner(app, userId));
}

/** They are erased, in this transaction: Stripe deletes its customer, with name, address and payment methods. */
export async function eraseBilling(app: App, userId: string): Promise<void> {
  await app.db
    .update(billingCustomers)
    .set({ status: 'ERASING', attempts: 0, nextAttemptAt: app.now() })
    .where(and(eq(billingCustomers.userId, userId), isNotNull(billingCustomers.stripeCustomerId)));
}

const AT_ONCE = 50;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 3_600_000;

/** Does at Stripe what leaving and erasing want done. For a job; answers how many customers are done with. */
export async function finishClosings(app: App): Promise<number> {
  if (!app.payments) return 0;
  const due = await app.db
    .select()
    .from(billingCustomers)
    .where(
      and(inArray(billingCustomers.status, ['CLOSING', 'ERASING']), lte(billingCustomers.nextAttemptAt, app.now())),
    )
    .orderBy(asc(billingCustomers.nextAttemptAt))
    .limit(AT_ONCE);
  let done = 0;
  for (const customer of due) {
    try {
      await finish(app, customer);
      done += 1;
    } catch (error) {
      await postpone(app, customer);
      app.log.warn({ err: error, userId: customer.userId }, 'a customer could not be closed and will be tried again');
    }
  }
  return done;
}

async function finish(app: App, { userId, stripeCustomerId, status }: CustomerRow): Promise<void> {
  if (stripeCustomerId !== null && status === 'CLOSING') await close(app, { userId, stripeCustomerId });
  if (stripeCustomerId !== null && status === 'ERASING') await deleteCustomer(app, stripeCustomerId);
  const done =
    status === 'CLOSING' ? { status: 'CLOSED' as const } : { status: 'ERASED' as const, stripeCustomerId: null };
  await app.db
    .update(billingCustomers)
    .set({ ...done, nextAttemptAt: null })
    // Somebody who came back meanwhile stays as they are, and so does one who is to be erased by now.
    .where(and(eq(billingCustomers.userId, userId), eq(billingCustomers.status, status)));
}

async function close(app: App, options: { userId: string; stripeCustomerId: string }): Promise<void> {
  const { userId, stripeCustomerId: customer } = options;
  const { call } = requirePayments(app);
  await expirePages(app, userId);
  const list = await call((stripe) =>
    stripe.subscriptions.list({ customer, status: 'all', limit: 100 }).autoPagingToArray({ limit: 1_000 }),
  );
  for (const { id, status } of list) {
    if (status === 'canceled' || status === 'incomplete_expired') continue;
    await call((stripe) => stripe.subscriptions.cancel(id));
    await apply(app, await readSubscription(app, id));
  }
}

async function expirePages(app: App, userId: string): Promise<void> {
  const open = await app.db
    .select({ id: billingOrders.id, stripeId: billingOrders.stripeId })
    .from(billingOrders)
    .where(
      and(
        eq(billingOrders.userId, userId),
        eq(billingOrders.kind, 'CHECKOUT'),
        eq(billingOrders.status, 'OPEN'),
        isNotNull(billingOrders.stripeId),
      ),
    );
  for (const { id, stripeId } of open) {
    const { call } = requirePayments(app);
    const session = await call((stripe) => stripe.checkout.sessions.retrieve(stripeId ?? ''));
    if (session.status === 'open') await call((stripe) => stripe.checkout.sessions.expire(session.id));
    if (session.status !== 'complete')
      await app.db.update(billingOrders).set({ status: 'EXPIRED' }).where(eq(billingOrders.id, id));
  }
}

async function deleteCustomer(app: App, id: string): Promise<void> {
  try {
    // Ends the subscriptions as well.
    await requirePayments(app).call((stripe) => stripe.customers.del(id));
  } catch (error) {
    // Deleted before, and the answer was lost.
    if (!(error instanceof PaymentsError && error.providerCode === 'resource_missing')) throw error;
  }
}

async function postpone(app: App, { userId, attempts, status }: CustomerRow): Promise<void> {
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts, 10));
  await app.db
    .update(billingCustomers)
    .set({ attempts: attempts + 1, nextAttemptAt: new Date(app.now().getTime() + pause) })
    .where(and(eq(billingCustomers.userId, userId), eq(billingCustomers.status, status)));
}
