// Invariants: nothing is asked of Stripe that moves money before its order is committed; the caller's key finds the
// order again, and the order's id is Stripe's key, so that a retry from either side buys once; a refusal leaves the key
// unused, as in the ledger; of orders that start or change a subscription a person has one under way.
import { and, eq, lt, ne } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, type ErrorCode } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { sha256 } from '../../core/secrets.js';
import { recordAudit } from '../audit/audit.service.js';
import { requireMovement } from '../credits/movement-input.js';
import { billingOrders, type OrderRow } from '../payments/payments.table.js';
import { lockOwner } from '../payments/stripe-reads.service.js';
import type { Sold } from './stripe-prices.service.js';

/** Longer than everything that is asked of Stripe for one order may take. */
const UNDER_WAY_MS = 60_000;

export interface Keyed {
  userId: string;
  /** The field that was called. */
  operation: string;
  idempotencyKey: string;
  /** All input that makes a difference. */
  input: readonly unknown[];
  actor: Actor;
}

function identityOf({ userId, operation, idempotencyKey, input, actor }: Keyed) {
  requireMovement({ idempotencyKey });
  return {
    scope: `${actor.kind}:${actor.id ?? ''}:${operation}`,
    idempotencyKey,
    fingerprint: sha256(JSON.stringify([userId, ...input])),
  };
}

/** The order that was made with this key. @throws BAD_USER_INPUT, IDEMPOTENCY_CONFLICT */
export async function findOrder(app: App, keyed: Keyed): Promise<OrderRow | undefined> {
  const { scope, idempotencyKey, fingerprint } = identityOf(keyed);
  const [order] = await app.db
    .select()
    .from(billingOrders)
    .where(and(eq(billingOrders.scope, scope), eq(billingOrders.idempotencyKey, idempotencyKey)));
  if (order && order.fingerprint !== fingerprint) throw new AppError('IDEMPOTENCY_CONFLICT');
  return order;
}

interface NewOrder {
  kind: OrderRow['kind'];
  sold: Sold;
  quantity: number;
}

/**
 * Commits what is about to be bought, or finds it again.
 *
 * @throws NOT_FOUND for somebody who has left; IDEMPOTENCY_CONFLICT; RETRY_LATER when another order of the person is
 *   under way
 */
export async function openOrder(app: App, keyed: Keyed, { kind, sold, quantity }: NewOrder): Promise<OrderRow> {
  const { userId } = keyed;
  const now = app.now();
  try {
    return await transact(app, async (app) => {
      const user = await lockOwner(app, userId);
      if (user.deletedAt) throw new AppError('NOT_FOUND');
      const known = await findOrder(app, keyed);
      if (known) return known;
      if (kind !== 'CHECKOUT') await expireAbandoned(app, userId);
      const [order] = await app.db
        .insert(billingOrders)
        .values({
          ...identityOf(keyed),
          id: newId(),
          userId,
          kind,
          quantity,
          priceId: sold.price.id,
          amountMinor: sold.price.amountMinor,
          credits: kind === 'CHECKOUT' ? creditsOf(sold) * quantity : 0,
          createdAt: now,
          updatedAt: now,
        })
        .returning();
      await noteOrder(app, found(order), keyed.actor);
      return found(order);
    });
  } catch (error) {
    if (isUniqueViolation(error, 'billing_orders_one_open'))
      throw new AppError('RETRY_LATER', { retryAfterSeconds: 2 });
    // Taken at this moment, for another person.
    throw isUniqueViolation(error, 'billing_orders_key') ? new AppError('IDEMPOTENCY_CONFLICT') : error;
  }
}

async function noteOrder(app: App, order: OrderRow, actor: Actor): Promise<void> {
  const { id, userId, kind, priceId, quantity } = order;
  const target = { kind: 'order', id };
  await recordAudit(app, { actor, action: 'billing.ordered', userId, target, after: { kind, priceId, quantity } });
}

/** What is paid again and again brings its credits with each invoice. */
const creditsOf = ({ product, price }: Sold) => (price.interval === 'ONCE' ? product.creditsGranted : 0);

/** Their process has died: whatever Stripe made of them is seen there before anything new is made. */
async function expireAbandoned(app: App, userId: string): Promise<void> {
  const since = new Date(app.now().getTime() - UNDER_WAY_MS);
  await app.db
    .update(billingOrders)
    .set({ status: 'EXPIRED', updatedAt: app.now() })
    .where(
      and(
        eq(billingOrders.userId, userId),
        ne(billingOrders.kind, 'CHECKOUT'),
        eq(billingOrders.status, 'OPEN'),
        lt(billingOrders.updatedAt, since),
      ),
    );
}

export async function completeOrder(app: App, { id }: OrderRow, stripeId: string): Promise<void> {
  await app.db
    .update(billingOrders)
    .set({ status: 'COMPLETED', stripeId, updatedAt: app.now() })
    .where(eq(billingOrders.id, id));
}

/** After these nobody knows whether Stripe did it: the same key has to find out. */
const UNKNOWN: readonly ErrorCode[] = [
  'UPSTREAM_FAILED',
  'RETRY_LATER',
  'DATABASE_UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
];

/** Runs what an order asks of Stripe; where that was refused for certain, the key is free again. */
export async function carryOut<T>(app: App, order: OrderRow, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && !UNKNOWN.includes(error.code))
      await app.db.delete(billingOrders).where(and(eq(billingOrders.id, order.id), eq(billingOrders.status, 'OPEN')));
    throw error;
  }
}
