// What is sold is described here, in the catalogue, and nowhere else: Stripe learns of a product and a price when
// something of it is first sold, and of a new name or picture with the sale after that (docs/decisions).
import { and, eq, isNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import type { Stripe } from '../../core/payments.js';
import { sha256 } from '../../core/secrets.js';
import { type PriceRow, type ProductRow, prices, products } from '../catalog/catalog.table.js';
import { requirePayments } from '../payments/stripe-reads.service.js';

export interface Sold {
  price: PriceRow;
  product: ProductRow;
}

/** A price of today of something that is sold. @throws BAD_USER_INPUT, NOT_FOUND */
export async function getSold(app: App, priceId: string): Promise<Sold> {
  const [row] = await app.db
    .select({ price: prices, product: products })
    .from(prices)
    .innerJoin(products, eq(products.id, prices.productId))
    .where(and(eq(prices.id, requireId(priceId, 'priceId')), prices.active, isNull(products.archivedAt)));
  return found(row);
}

/** Stripe's id of the price, which is made there when it has none. */
export async function ensureStripePrice(app: App, sold: Sold): Promise<string> {
  const product = await ensureStripeProduct(app, sold.product);
  const { id, stripePriceId, currency, amountMinor, interval } = sold.price;
  if (stripePriceId) return stripePriceId;
  const params: Stripe.PriceCreateParams = {
    product,
    currency: currency.toLowerCase(),
    unit_amount: amountMinor,
    metadata: { price_id: id },
    ...(interval !== 'ONCE' && { recurring: { interval: interval === 'MONTH' ? 'month' : 'year' } }),
  };
  const created = await requirePayments(app).call((stripe) =>
    stripe.prices.create(params, { idempotencyKey: keyOf(`price:${id}`, params) }),
  );
  await app.db
    .update(prices)
    .set({ stripePriceId: created.id })
    .where(and(eq(prices.id, id), isNull(prices.stripePriceId)));
  const [row] = await app.db.select({ id: prices.stripePriceId }).from(prices).where(eq(prices.id, id));
  return found(row?.id ?? undefined);
}

async function ensureStripeProduct(app: App, product: ProductRow): Promise<string> {
  const { id, name, description, images, stripeProductId, stripeUpdatedAt, updatedAt } = product;
  if (stripeProductId && stripeUpdatedAt && stripeUpdatedAt >= updatedAt) return stripeProductId;
  const shown = { name, ...(description && { description }), ...(images.length > 0 && { images }) };
  const { call } = requirePayments(app);
  if (stripeProductId) {
    const changes = { name, description: description ?? '', images };
    await call((stripe) => stripe.products.update(stripeProductId, changes));
    await app.db.update(products).set({ stripeUpdatedAt: updatedAt }).where(eq(products.id, id));
    return stripeProductId;
  }
  const params = { ...shown, metadata: { product_id: id } };
  const created = await call((stripe) =>
    stripe.products.create(params, { idempotencyKey: keyOf(`product:${id}`, params) }),
  );
  await app.db
    .update(products)
    .set({ stripeProductId: created.id, stripeUpdatedAt: updatedAt })
    .where(and(eq(products.id, id), isNull(products.stripeProductId)));
  const [row] = await app.db.select({ id: products.stripeProductId }).from(products).where(eq(products.id, id));
  return found(row?.id ?? undefined);
}

/** The same input always has the same key, and other input another. */
const keyOf = (what: string, params: object) => `${what}:${sha256(JSON.stringify(params)).slice(0, 16)}`;

/** @throws BAD_USER_INPUT */
export function requireKind({ product }: Sold, kind: ProductRow['kind']): void {
  if (product.kind === kind) return;
  throw new AppError('BAD_USER_INPUT', { fields: { priceId: `must be a price of a ${kind} product` } });
}
