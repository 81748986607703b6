import type { PlanRow, PriceRow, ProductRow } from './catalog.table.js';
import type { Plan, Price, Product } from './catalog.types.js';

/** The row as the schema shows it: named columns only, nothing spread. */
export function toProduct(row: ProductRow): Product {
  return {
    id: row.id,
    code: row.code,
    name: row.name,
    description: row.description,
    kind: row.kind,
    creditsGranted: row.creditsGranted,
    images: row.images,
    createdAt: row.createdAt,
    archivedAt: row.archivedAt,
  };
}

export function toPrice(row: PriceRow): Price {
  return { id: row.id, currency: row.currency, amountMinor: row.amountMinor, interval: row.interval };
}

/** Apart from the code, which whoever has a person has already, a plan's fields are looked up when asked for. */
export function toPlan(row: Pick<PlanRow, 'code'>): Plan {
  return { code: row.code };
}
