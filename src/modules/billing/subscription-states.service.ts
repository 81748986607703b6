import { eq, inArray } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { type SubscriptionRow, subscriptions } from '../payments/payments.table.js';
import { requirePayments } from '../payments/stripe-reads.service.js';
import { isLasting, mostImportant } from '../payments/subscription-reads.service.js';
import { requireUser } from './customers.service.js';

/** The subscription of each that has one: what counts, else the latest. @throws BILLING_NOT_CONFIGURED */
export async function findSubscriptions(app: App, userIds: readonly string[]): Promise<Map<string, SubscriptionRow>> {
  requirePayments(app);
  const rows = await app.db
    .select()
    .from(subscriptions)
    .where(inArray(subscriptions.userId, [...userIds]));
  const byUser = Map.groupBy(rows, (row) => row.userId);
  const entries = [...byUser].map(([userId, rows]) => [userId, mostImportant(rows)] as const);
  return new Map(entries.filter((entry): entry is [string, SubscriptionRow] => entry[1] !== undefined));
}

/** What a person is subscribed to, or was last; null when they never were. @throws BILLING_NOT_CONFIGURED, NOT_FOUND */
export async function subscription(app: App, options: { userId: string }): Promise<SubscriptionRow | null> {
  requirePayments(app);
  const user = await requireUser(app, requireId(options.userId, 'userId'));
  return (await findSubscriptions(app, [user.id])).get(user.id) ?? null;
}

/** The one that can be changed, canceled or resumed. @throws NOT_FOUND */
export async function requireSubscription(app: App, userId: string): Promise<SubscriptionRow> {
  const rows = await app.db.select().from(subscriptions).where(eq(subscriptions.userId, userId));
  const row = mostImportant(rows);
  return found(row && isLasting(row) ? row : undefined);
}

/** One that was never paid for is no hindrance. @throws CONFLICT */
export async function requireNoSubscription(app: App, userId: string): Promise<void> {
  const rows = await app.db.select().from(subscriptions).where(eq(subscriptions.userId, userId));
  if (rows.some((row) => isLasting(row) && row.status !== 'INCOMPLETE')) throw hasSubscription();
}

export function hasSubscription(): AppError {
  return new AppError('CONFLICT', { message: 'There is a subscription already: change that one.' });
}
