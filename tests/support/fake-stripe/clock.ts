import type { Stripe } from 'stripe';
import { expireSession } from './checkout.ts';
import { openInvoice } from './invoices.ts';
import { idOf, type Store } from './store.ts';
import { takeWaiting } from './subscription-changes.ts';
import { collect, endSubscription, expireIncomplete, periodAfter, priceOf, wholePeriod } from './subscriptions.ts';

const DAY = 86_400;
/** Days after the first attempt at which a failed renewal is tried again; after the last the subscription ends. */
const RETRY_DAYS = [3, 5, 7];

interface Due {
  at: number;
  run(): void;
}

/** Whatever time alone brings about next: renewals, ends, retries, and sessions that nobody completed. */
export function nextDue(store: Store): Due | undefined {
  const due = [
    ...store.all('subscription').flatMap((subscription) => dueOf(store, subscription) ?? []),
    ...store
      .all('checkout.session')
      .filter((session) => session.status === 'open')
      .map((session) => ({ at: session.expires_at, run: () => void expireSession(store, session.id) })),
  ];
  return due.toSorted((one, other) => one.at - other.at)[0];
}

function dueOf(store: Store, subscription: Stripe.Subscription): Due | undefined {
  const end = subscription.items.data[0]?.current_period_end;
  if (subscription.ended_at !== null || end === undefined) return undefined;
  if (subscription.status === 'incomplete')
    return { at: subscription.created + 23 * 3_600, run: () => expireIncomplete(store, subscription) };
  const invoice = store.find('invoice', idOf(subscription.latest_invoice) ?? '');
  if (subscription.status === 'past_due' && invoice?.status === 'open') {
    const days = RETRY_DAYS[invoice.attempt_count - 1];
    const at = invoice.created + (days ?? RETRY_DAYS.at(-1) ?? 0) * DAY;
    if (days === undefined) return { at, run: () => void endSubscription(store, subscription, 'payment_failed') };
    if (at <= end) return { at, run: () => void collect(store, subscription, invoice) };
  }
  if (subscription.cancel_at_period_end) return { at: end, run: () => void endSubscription(store, subscription) };
  return { at: end, run: () => renew(store, subscription) };
}

function renew(store: Store, subscription: Stripe.Subscription): void {
  const before = structuredClone({ items: subscription.items, status: subscription.status });
  for (const item of subscription.items.data) {
    item.current_period_start = item.current_period_end;
    item.current_period_end = periodAfter(item.current_period_start, priceOf(item));
  }
  if (subscription.status === 'trialing') store.change(undefined, subscription, { status: 'active' });
  const invoice = openInvoice(store, {
    subscription,
    lines: [...takeWaiting(subscription), ...subscription.items.data.map(wholePeriod)],
    reason: 'subscription_cycle',
  });
  store.change(undefined, subscription, { latest_invoice: invoice.id });
  store.emit('customer.subscription.updated', subscription, before);
  collect(store, subscription, invoice);
}
