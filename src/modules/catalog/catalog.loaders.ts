import DataLoader from 'dataloader';
import { type Context, loaderOf } from '../../core/context.js';
import type { PriceRow, ProductRow } from './catalog.table.js';
import { findPrices, findProducts } from './products.service.js';

function pricesByProduct({ app }: Context): DataLoader<string, PriceRow[]> {
  return new DataLoader(async (ids) => {
    const found = await findPrices(app, ids);
    return ids.map((id) => found.get(id) ?? []);
  });
}

function productsById({ app }: Context): DataLoader<string, ProductRow | null> {
  return new DataLoader(async (ids) => {
    const rows = new Map((await findProducts(app, ids)).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}

/** The prices of today; one query for all products asked for at once. */
export async function loadPrices(context: Context, productId: string): Promise<PriceRow[]> {
  return loaderOf(context, pricesByProduct).load(productId);
}

/** The product, null when it is not sold (any more) or there is none; one query for all asked for at once. */
export async function loadProduct(context: Context, productId: string | null): Promise<ProductRow | null> {
  return productId === null ? null : loaderOf(context, productsById).load(productId);
}
