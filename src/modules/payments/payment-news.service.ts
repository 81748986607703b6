// What people and other systems hear of payments and subscriptions, in the transaction of what happened.
import { eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import type { UserRow } from '../auth/auth.table.js';
import { products } from '../catalog/catalog.table.js';
import { emitEvent } from '../events/events.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import type { SavedPayment } from './payment-rows.service.js';
import type { SubscriptionRow } from './payments.table.js';

async function nameOf(app: App, productId: string | null): Promise<string> {
  if (productId === null) return '';
  const [product] = await app.db.select({ name: products.name }).from(products).where(eq(products.id, productId));
  return product?.name ?? '';
}

/** Of a payment that went through, and of each attempt that did not; not to somebody who has left. */
export async function tellOfPayment(app: App, { row, before, user }: SavedPayment & { user: UserRow }): Promise<void> {
  const isPaid = row.status === 'SUCCEEDED' && before?.status !== 'SUCCEEDED';
  const hasFailed = row.status === 'FAILED' && row.failures > (before?.failures ?? 0);
  if (isPaid && user.deletedAt) {
    app.metrics.alarms.add('billing');
    app.log.error({ paymentId: row.id }, 'SOMEBODY WHO HAS LEFT HAS PAID: refund it at Stripe');
  }
  if (user.deletedAt || !(isPaid || hasFailed)) return;
  const { id, amountMinor, currency, subscriptionId, productId } = row;
  const data = { paymentId: id, amountMinor, currency, subscriptionId, productId };
  await emitEvent(app, { kind: isPaid ? 'payment.succeeded' : 'payment.failed', userId: user.id, data });
  if (amountMinor === 0) return;
  await queueLetter(app, {
    kind: isPaid ? 'PAYMENT_RECEIVED' : 'PAYMENT_FAILED',
    to: user.email,
    locale: user.locale,
    timeZone: user.timeZone,
    userId: user.id,
    idempotencyKey: isPaid ? `payment:${id}` : `payment:${id}:failed:${row.failures}`,
    data: { username: user.username, product: await nameOf(app, productId), amount: `${amountMinor} ${currency}` },
  });
}

interface SubscriptionNews {
  user: UserRow;
  before: SubscriptionRow | undefined;
  row: SubscriptionRow;
}

/** Other systems hear of every change; the person hears of an end that is coming, and of the end. */
export async function tellOfSubscription(app: App, { user, before, row }: SubscriptionNews): Promise<void> {
  const { id, status, productId, priceId, cancelAtPeriodEnd, currentPeriodEnd } = row;
  await emitEvent(app, {
    kind: 'subscription.changed',
    userId: user.id,
    data: { subscriptionId: id, status, productId, priceId, cancelAtPeriodEnd, currentPeriodEnd },
  });
  const isOver = status === 'CANCELED' && before !== undefined && before.status !== 'CANCELED';
  const isEnding = cancelAtPeriodEnd && !before?.cancelAtPeriodEnd && currentPeriodEnd !== null;
  if (!isOver && !isEnding) return;
  await queueLetter(app, {
    kind: isOver ? 'SUBSCRIPTION_ENDED' : 'SUBSCRIPTION_ENDING',
    to: user.email,
    locale: user.locale,
    timeZone: user.timeZone,
    userId: user.id,
    data: { username: user.username, product: await nameOf(app, productId), when: currentPeriodEnd ?? app.now() },
  });
}
