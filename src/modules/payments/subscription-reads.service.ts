import { eq, inArray, lt } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { found } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import type { UserRow } from '../auth/auth.table.js';
import { type PriceRow, prices } from '../catalog/catalog.table.js';
import { tellOfSubscription } from './payment-news.service.js';
import { SUBSCRIPTION_STATUSES, type SubscriptionRow, subscriptions } from './payments.table.js';
import {
  type Application,
  closeAgain,
  drawReadNumber,
  findOwner,
  idOf,
  lockOwner,
  momentOf,
  requirePayments,
} from './stripe-reads.service.js';
import { isCounting, settlePlan } from './subscription-plans.service.js';

/** Reads one subscription; applied, its row, the person's plan and the news of it are in line with Stripe. */
export async function readSubscription(app: App, stripeSubscriptionId: string): Promise<Application> {
  const readNumber = await drawReadNumber(app);
  const read = await requirePayments(app).call((stripe) => stripe.subscriptions.retrieve(stripeSubscriptionId));
  return (app) => applySubscription(app, { read, readNumber });
}

interface Read {
  read: Stripe.Subscription;
  readNumber: number;
}

async function applySubscription(app: App, { read, readNumber }: Read): Promise<'APPLIED' | 'NOT_OURS'> {
  const userId = (await findOwner(app, idOf(read.customer))) ?? (await findSubscription(app, read.id))?.userId;
  if (userId === undefined) return 'NOT_OURS';
  const user = await lockOwner(app, userId);
  const before = await findSubscription(app, read.id);
  const row = await save(app, { userId, read, readNumber });
  // Somebody read later and was quicker.
  if (row === undefined) return 'APPLIED';
  if (user.deletedAt) {
    if (isLasting(row)) await closeAgain(app, userId);
    return 'APPLIED';
  }
  await settlePlan(app, user);
  await tell(app, { user, before, row });
  return 'APPLIED';
}

async function tell(app: App, options: { user: UserRow; before: SubscriptionRow | undefined; row: SubscriptionRow }) {
  const { before, row } = options;
  const shown = ({ status, priceId, cancelAtPeriodEnd, nextPriceId }: SubscriptionRow) =>
    JSON.stringify([status, priceId, cancelAtPeriodEnd, nextPriceId]);
  if (before === undefined || shown(before) !== shown(row)) await tellOfSubscription(app, options);
}

const ENDED: readonly SubscriptionRow['status'][] = ['CANCELED', 'INCOMPLETE_EXPIRED'];

/** Whether it still can cost something. */
export const isLasting = ({ status }: Pick<SubscriptionRow, 'status'>) => !ENDED.includes(status);

export async function findSubscription(app: App, stripeSubscriptionId: string): Promise<SubscriptionRow | undefined> {
  const [row] = await app.db
    .select()
    .from(subscriptions)
    .where(eq(subscriptions.stripeSubscriptionId, stripeSubscriptionId));
  return row;
}

/** Our prices by Stripe's ids. */
export async function findPricesAtStripe(app: App, stripeIds: readonly string[]): Promise<Map<string, PriceRow>> {
  if (stripeIds.length === 0) return new Map();
  const rows = await app.db
    .select()
    .from(prices)
    .where(inArray(prices.stripePriceId, [...stripeIds]));
  return new Map(rows.map((row) => [row.stripePriceId ?? '', row]));
}

/**
 * Of a change at the period's end, what was paid for: at Stripe the next price is the price already, which charges
 * nothing before the renewal, and the one that counts until then is written beside it. With the renewal the period has
 * another end, and the note says nothing any more.
 */
export function paidPriceOf({ metadata, items }: Stripe.Subscription): string | undefined {
  const { paid_price: price, paid_until: until } = metadata;
  return price && until === String(items.data[0]?.current_period_end) ? price : undefined;
}

/** Answers undefined when the row holds something newer. */
async function save(app: App, { userId, read, readNumber }: Read & { userId: string }) {
  const item = read.items.data[0];
  const paid = paidPriceOf(read);
  const wanted = [item?.price.id, paid].filter((id) => id !== undefined);
  const ours = await findPricesAtStripe(app, wanted);
  const renewal = ours.get(item?.price.id ?? '');
  const price = paid === undefined ? renewal : ours.get(paid);
  const values = {
    priceId: price?.id ?? null,
    productId: price?.productId ?? null,
    status: statusOf(read.status),
    currentPeriodStart: momentOf(item?.current_period_start),
    currentPeriodEnd: momentOf(item?.current_period_end),
    cancelAtPeriodEnd: read.cancel_at_period_end,
    nextPriceId: paid === undefined ? null : (renewal?.id ?? null),
    canceledAt: momentOf(read.canceled_at),
    endedAt: momentOf(read.ended_at),
    updatedAt: app.now(),
    readNumber,
  };
  const createdAt = found(momentOf(read.created) ?? undefined);
  const [row] = await app.db
    .insert(subscriptions)
    .values({ id: newId(), userId, stripeSubscriptionId: read.id, createdAt, ...values })
    .onConflictDoUpdate({
      target: subscriptions.stripeSubscriptionId,
      set: values,
      setWhere: lt(subscriptions.readNumber, readNumber),
    })
    .returning();
  return row;
}

function statusOf(status: string): SubscriptionRow['status'] {
  const known = SUBSCRIPTION_STATUSES.find((one) => one === status.toUpperCase());
  if (known === undefined) throw new Error('Stripe has a status of subscriptions that is not known here.');
  return known;
}

/** The one that matters: what counts before what does not, then the youngest. */
export function mostImportant(rows: readonly SubscriptionRow[]): SubscriptionRow | undefined {
  const rank = (row: SubscriptionRow) => (isCounting(row) ? 2 : isLasting(row) ? 1 : 0);
  return [...rows].sort((a, b) => rank(b) - rank(a) || b.createdAt.getTime() - a.createdAt.getTime())[0];
}
