import DataLoader from 'dataloader';
import { type Context, loaderOf } from '../../core/context.js';
import type { PriceRow } from '../catalog/catalog.table.js';
import { findPricesById } from '../catalog/products.service.js';
import type { SubscriptionRow } from '../payments/payments.table.js';
import { findSubscriptions } from './subscription-states.service.js';

function subscriptionsByUser({ app }: Context): DataLoader<string, SubscriptionRow | null> {
  return new DataLoader(async (ids) => {
    const found = await findSubscriptions(app, ids);
    return ids.map((id) => found.get(id) ?? null);
  });
}

function pricesById({ app }: Context): DataLoader<string, PriceRow | null> {
  return new DataLoader(async (ids) => {
    const rows = new Map((await findPricesById(app, ids)).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}

/** The subscription that matters; one query for all people asked for at once. */
export async function loadSubscription(context: Context, userId: string): Promise<SubscriptionRow | null> {
  return loaderOf(context, subscriptionsByUser).load(userId);
}

/** The price, also one that is not asked for any more; one query for all asked for at once. */
export async function loadPrice(context: Context, priceId: string | null): Promise<PriceRow | null> {
  return priceId === null ? null : loaderOf(context, pricesById).load(priceId);
}
