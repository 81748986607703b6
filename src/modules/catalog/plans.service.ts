// Invariants: a plan is archived, never deleted: whoever has it keeps it; there is always the plan `free`, which every
// sign-up gets; a plan is brought by a subscription or is not bought at all.
import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm';
import type { Actor, App, Viewer } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { createLookup } from '../../core/lookups.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { type PlanRow, plans, products } from './catalog.table.js';
import { codeTaken, requireCode, requireCount, requireName } from './catalog-input.js';
import { requireSight } from './catalog-visibility.js';

/** The plan of every sign-up (its row is made by a migration, the default stands in the table of people). */
export const FIRST_PLAN = 'free';

const lookups = new WeakMap<App['database'], (code: string) => Promise<PlanRow | undefined>>();

/** The plan with this code, archived or not; look-ups of one turn share one query. @throws NOT_FOUND */
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

/** A plan that can be given to somebody. @throws BAD_USER_INPUT for one that is archived or does not exist */
export async function requireActivePlan(app: App, code: string, field = 'planCode'): Promise<PlanRow> {
  const [plan] = await app.db
    .select()
    .from(plans)
    .where(and(eq(plans.code, code), isNull(plans.archivedAt)));
  if (!plan) throw badInput({ [field]: 'must be the code of a plan that is not archived' });
  return plan;
}

interface Listing extends PageArguments {
  includeArchived: boolean;
  viewer: Viewer;
}

/** Plans by code; the archived ones only for who manages them. @throws BAD_USER_INPUT, UNAUTHENTICATED, FORBIDDEN */
export async function listPlans(app: App, listing: Listing): Promise<Connection<PlanRow>> {
  const { includeArchived, viewer } = listing;
  requireSight(viewer, includeArchived);
  const page = readPage(listing, ['text']);
  const where = includeArchived ? undefined : isNull(plans.archivedAt);
  const rows = await app.db
    .select()
    .from(plans)
    .where(and(where, page.after && sql`${plans.code} > ${page.after[0]}`))
    .orderBy(asc(plans.code))
    .limit(page.limit + 1);
  return toConnection(rows, { page, keyOf: (row) => [row.code], count: () => app.db.$count(plans, where) });
}

/** A subscription that is sold, kept from being archived until the transaction ends. @throws BAD_USER_INPUT */
async function requireSubscription(app: App, productId: string): Promise<string> {
  const [product] = await app.db
    .select({ id: products.id })
    .from(products)
    .where(
      and(
        eq(products.id, requireId(productId, 'productId')),
        eq(products.kind, 'SUBSCRIPTION'),
        isNull(products.archivedAt),
      ),
    )
    .for('share');
  if (!product) throw badInput({ productId: 'must be a product of the kind SUBSCRIPTION that is sold' });
  return product.id;
}

const readLimit = (limit: number | null, field: string) => (limit === null ? null : requireCount(limit, field));

interface PlanChanges {
  name?: string | null | undefined;
  conversationsPerDay?: number | null | undefined;
  messagesPerDay?: number | null | undefined;
  monthlyCredits?: number | null | undefined;
  productId?: string | null | undefined;
}

async function readChanges(app: App, changes: PlanChanges) {
  const { name, conversationsPerDay, messagesPerDay, monthlyCredits, productId } = changes;
  return {
    ...(name != null && { name: requireName(name) }),
    ...(conversationsPerDay !== undefined && {
      conversationsPerDay: readLimit(conversationsPerDay, 'conversationsPerDay'),
    }),
    ...(messagesPerDay !== undefined && { messagesPerDay: readLimit(messagesPerDay, 'messagesPerDay') }),
    ...(monthlyCredits != null && { monthlyCredits: requireCount(monthlyCredits, 'monthlyCredits') }),
    ...(productId !== undefined && {
      productId: productId === null ? null : await requireSubscription(app, productId),
    }),
  };
}

/** @throws BAD_USER_INPUT, CONFLICT when the code is taken, by an archived plan too */
export async function createPlan(
  app: App,
  options: PlanChanges & { code: string; name: string; actor: Actor },
): Promise<PlanRow> {
  const { actor } = options;
  const code = requireCode(options.code);
  const name = requireName(options.name);
  try {
    return await transact(app, async (app) => {
      const values = { ...(await readChanges(app, options)), code, name };
      const [plan] = await app.db
        .insert(plans)
        .values({ ...values, createdAt: app.now() })
        .returning();
      await recordAudit(app, { actor, action: 'plan.created', target: { kind: 'plan', id: code }, after: values });
      return found(plan);
    });
  } catch (error) {
    throw isUniqueViolation(error) ? codeTaken('plan') : error;
  }
}

function readArchived(app: App, options: { plan: PlanRow; archived: boolean | null | undefined }) {
  const { plan, archived } = options;
  if (archived == null || archived === (plan.archivedAt !== null)) return {};
  if (archived && plan.code === FIRST_PLAN)
    throw new AppError('CONFLICT', { message: 'Whoever signs up gets this plan: it cannot be archived.' });
  return { archivedAt: archived ? app.now() : null };
}

/**
 * Changes a plan for everybody who has it, with the next thing they do. Archived, it is not offered any more; whoever
 * has it keeps it.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT when the plan of every sign-up would be archived
 */
export async function updatePlan(
  app: App,
  options: PlanChanges & { code: string; archived?: boolean | null | undefined; actor: Actor },
): Promise<PlanRow> {
  const { code, archived, actor } = options;
  return transact(app, async (app) => {
    const [row] = await app.db.select().from(plans).where(eq(plans.code, code)).for('update');
    const plan = found(row);
    const given = await readChanges(app, options);
    if (Object.keys(given).length === 0 && archived == null) throw badInput({ input: 'must hold a change' });
    const changes = { ...given, ...readArchived(app, { plan, archived }) };
    // Archived already, or not archived already: that is what was asked for.
    if (Object.keys(changes).length === 0) return plan;
    const [changed] = await app.db.update(plans).set(changes).where(eq(plans.code, code)).returning();
    const { createdAt: _, ...before } = plan;
    await recordAudit(app, {
      actor,
      action: 'plan.updated',
      target: { kind: 'plan', id: code },
      before,
      after: changes,
    });
    return found(changed);
  });
}
