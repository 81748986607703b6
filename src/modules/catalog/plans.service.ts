import { inArray } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { found } from '../../core/input.js';
import { createLookup } from '../../core/lookups.js';
import { type PlanRow, plans } from './catalog.table.js';

const lookups = new WeakMap<App['database'], (code: string) => Promise<PlanRow | undefined>>();

/** The plan with this code; look-ups of one turn share one query. @throws NOT_FOUND */
export async function getPlan(app: App, code: string): Promise<PlanRow> {
  let lookup = lookups.get(app.database);
  if (!lookup) {
    const { db } = app.database;
    lookup = createLookup(async (codes) => {
      const rows = await db.select().from(plans).where(inArray(plans.code, codes));
      return new Map(rows.map((row) => [row.code, row]));
    });
    lookups.set(app.database, lookup);
  }
  return found(await lookup(code));
}
