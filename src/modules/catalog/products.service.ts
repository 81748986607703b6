// Invariants: nothing is deleted, for receipts point here; an amount is never edited: a price ends and another takes
// over; each change and its audit row are one transaction.
import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App, Viewer } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { type PriceRow, type ProductRow, prices, products } from './catalog.table.js';
import {
  codeTaken,
  type PriceWanted,
  requireCode,
  requireCreditsGranted,
  requireDescription,
  requireImages,
  requireName,
  requirePrices,
} from './catalog-input.js';
import { requireSight } from './catalog-visibility.js';

interface Listing extends PageArguments {
  kind?: ProductRow['kind'] | null | undefined;
  includeArchived: boolean;
  viewer: Viewer;
}

/** Products by code; the archived ones only for who manages them. @throws BAD_USER_INPUT, UNAUTHENTICATED, FORBIDDEN */
export async function listProducts(app: App, listing: Listing): Promise<Connection<ProductRow>> {
  const { kind, includeArchived, viewer } = listing;
  requireSight(viewer, includeArchived);
  const page = readPage(listing, ['text']);
  const where = and(
    includeArchived ? undefined : isNull(products.archivedAt),
    kind ? eq(products.kind, kind) : undefined,
  );
  const rows = await app.db
    .select()
    .from(products)
    .where(and(where, page.after && sql`${products.code} > ${page.after[0]}`))
    .orderBy(asc(products.code))
    .limit(page.limit + 1);
  return toConnection(rows, { page, keyOf: (row) => [row.code], count: () => app.db.$count(products, where) });
}

/** The product that is sold under this code. @throws NOT_FOUND, for an archived one too */
export async function getProduct(app: App, code: string): Promise<ProductRow> {
  const [row] = await app.db
    .select()
    .from(products)
    .where(and(eq(products.code, code), isNull(products.archivedAt)));
  return found(row);
}

/** Those with these ids that are sold. */
export async function findProducts(app: App, ids: readonly string[]): Promise<ProductRow[]> {
  return app.db
    .select()
    .from(products)
    .where(and(inArray(products.id, [...ids]), isNull(products.archivedAt)));
}

/** The prices of today of each product. */
export async function findPrices(app: App, productIds: readonly string[]): Promise<Map<string, PriceRow[]>> {
  const rows = await app.db
    .select()
    .from(prices)
    .where(and(inArray(prices.productId, [...productIds]), prices.active))
    .orderBy(asc(prices.currency), asc(prices.interval));
  return Map.groupBy(rows, (row) => row.productId);
}

/** Those with these ids, of products and at amounts that are not asked for any more, too. */
export async function findPricesById(app: App, ids: readonly string[]): Promise<PriceRow[]> {
  return app.db
    .select()
    .from(prices)
    .where(inArray(prices.id, [...ids]));
}

/** What an audit row says of prices: nothing of it is anybody's secret. */
const shown = (list: readonly PriceWanted[]) =>
  list.map(({ currency, amountMinor, interval }) => ({ currency, amountMinor, interval }));

async function addPrices(app: App, options: { productId: string; wanted: readonly PriceWanted[] }): Promise<void> {
  const { productId, wanted } = options;
  if (wanted.length === 0) return;
  await app.db
    .insert(prices)
    .values(wanted.map((price) => ({ ...price, id: newId(), productId, createdAt: app.now() })));
}

interface NewProduct {
  code: string;
  name: string;
  description?: string | null | undefined;
  kind: ProductRow['kind'];
  creditsGranted?: number | null | undefined;
  images?: readonly string[] | null | undefined;
  prices: readonly PriceWanted[];
  actor: Actor;
}

/** Puts something new on sale. @throws BAD_USER_INPUT, CONFLICT when the code is taken, by an archived product too */
export async function createProduct(app: App, options: NewProduct): Promise<ProductRow> {
  const { kind, actor } = options;
  const wanted = requirePrices(options.prices, kind);
  const row = {
    id: newId(),
    code: requireCode(options.code),
    name: requireName(options.name),
    description: requireDescription(options.description ?? null),
    kind,
    creditsGranted: requireCreditsGranted(options.creditsGranted ?? 0, kind),
    images: requireImages(options.images ?? []),
    createdAt: app.now(),
    updatedAt: app.now(),
  };
  try {
    return await transact(app, async (app) => {
      const [product] = await app.db.insert(products).values(row).returning();
      await addPrices(app, { productId: row.id, wanted });
      const { code, name, creditsGranted } = row;
      const after = { code, name, kind, creditsGranted, prices: shown(wanted) };
      await recordAudit(app, { actor, action: 'product.created', target: { kind: 'product', id: row.id }, after });
      return found(product);
    });
  } catch (error) {
    throw isUniqueViolation(error, 'products_code') ? codeTaken('product') : error;
  }
}

interface ProductChanges {
  productId: string;
  name?: string | null | undefined;
  description?: string | null | undefined;
  creditsGranted?: number | null | undefined;
  images?: readonly string[] | null | undefined;
  prices?: readonly PriceWanted[] | null | undefined;
  actor: Actor;
}

function readChanges(options: ProductChanges, kind: ProductRow['kind']) {
  const { name, description, creditsGranted, images } = options;
  return {
    ...(name != null && { name: requireName(name) }),
    ...(description !== undefined && { description: requireDescription(description) }),
    ...(creditsGranted != null && { creditsGranted: requireCreditsGranted(creditsGranted, kind) }),
    ...(images != null && { images: requireImages(images) }),
  };
}

const isSame = (one: PriceWanted, other: PriceWanted) =>
  one.currency === other.currency && one.interval === other.interval && one.amountMinor === other.amountMinor;

/** Ends the prices that are not wanted and adds those that are not there; answers those of before. */
async function replacePrices(
  app: App,
  options: { productId: string; wanted: readonly PriceWanted[] },
): Promise<PriceRow[]> {
  const { productId, wanted } = options;
  const before = (await findPrices(app, [productId])).get(productId) ?? [];
  const ended = before.filter((price) => !wanted.some((one) => isSame(one, price))).map(({ id }) => id);
  if (ended.length > 0) await app.db.update(prices).set({ active: false }).where(inArray(prices.id, ended));
  await addPrices(app, { productId, wanted: wanted.filter((one) => !before.some((price) => isSame(one, price))) });
  return before;
}

/** The product, locked until the transaction ends. @throws NOT_FOUND, CONFLICT when it is archived */
async function requireSold(app: App, id: string): Promise<ProductRow> {
  const [row] = await app.db.select().from(products).where(eq(products.id, id)).for('update');
  const product = found(row);
  if (product.archivedAt) throw new AppError('CONFLICT', { message: 'This product is archived.' });
  return product;
}

/**
 * Changes what is sold. Whoever bought at an old price keeps it: that is billing's business, and the price stays.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT when it is archived
 */
export async function updateProduct(app: App, options: ProductChanges): Promise<ProductRow> {
  const { actor } = options;
  const id = requireId(options.productId, 'productId');
  return transact(app, async (app) => {
    const product = await requireSold(app, id);
    const changes = readChanges(options, product.kind);
    const wanted = options.prices == null ? undefined : requirePrices(options.prices, product.kind);
    if (Object.keys(changes).length === 0 && !wanted) throw badInput({ input: 'must hold a change' });
    const oldPrices = wanted && (await replacePrices(app, { productId: id, wanted }));
    const [changed] = await app.db
      .update(products)
      .set({ ...changes, updatedAt: app.now() })
      .where(eq(products.id, id))
      .returning();
    const { name, description, creditsGranted, images } = product;
    await recordAudit(app, {
      actor,
      action: 'product.updated',
      target: { kind: 'product', id },
      before: { name, description, creditsGranted, images, ...(oldPrices && { prices: shown(oldPrices) }) },
      after: { ...changes, ...(wanted && { prices: shown(wanted) }) },
    });
    return found(changed);
  });
}

/** Takes a product off sale, for good; its row and prices stay. Doing it twice answers the same. @throws NOT_FOUND */
export async function archiveProduct(app: App, options: { productId: string; actor: Actor }): Promise<ProductRow> {
  const { actor } = options;
  const id = requireId(options.productId, 'productId');
  return transact(app, async (app) => {
    const [archived] = await app.db
      .update(products)
      .set({ archivedAt: app.now(), updatedAt: app.now() })
      .where(and(eq(products.id, id), isNull(products.archivedAt)))
      .returning();
    if (!archived) return found((await app.db.select().from(products).where(eq(products.id, id)))[0]);
    await recordAudit(app, { actor, action: 'product.archived', target: { kind: 'product', id } });
    return archived;
  });
}
