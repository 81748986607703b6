import { and, eq, isNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { sha256 } from '../../core/secrets.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { billingCustomers, type CustomerRow } from '../payments/payments.table.js';
import { lockOwner, requirePayments } from '../payments/stripe-reads.service.js';

/** Somebody who is here. @throws NOT_FOUND */
export async function requireUser(app: App, userId: string): Promise<UserRow> {
  const [user] = await app.db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)));
  return found(user);
}

/** The person's customer at Stripe, if they have one. */
export async function findCustomer(app: App, userId: string): Promise<string | undefined> {
  const row = await findRow(app, userId);
  return row?.status === 'OPEN' ? (row.stripeCustomerId ?? undefined) : undefined;
}

async function findRow(app: App, userId: string): Promise<CustomerRow | undefined> {
  const [row] = await app.db.select().from(billingCustomers).where(eq(billingCustomers.userId, userId));
  return row;
}

/**
 * The person's customer at Stripe, made when first needed. Callers at once make the same one: Stripe answers the same
 * key with the same customer, and the row is the first one's.
 *
 * @throws NOT_FOUND when the person has left, and what Stripe refuses
 */
export async function ensureCustomer(app: App, userId: string): Promise<string> {
  const known = await findRow(app, userId);
  if (known?.status === 'OPEN' && known.stripeCustomerId) return known.stripeCustomerId;
  const user = await requireUser(app, userId);
  const created = await create(app, { user, replaced: known?.stripeCustomerId ?? undefined });
  const isGone = await transact(app, async (app) => {
    const { deletedAt } = await lockOwner(app, userId);
    const row = {
      stripeCustomerId: created,
      ...(deletedAt ? ({ status: 'ERASING', nextAttemptAt: app.now() } as const) : ({ status: 'OPEN' } as const)),
    };
    await app.db
      .insert(billingCustomers)
      .values({ ...row, userId, createdAt: app.now() })
      .onConflictDoUpdate({
        target: billingCustomers.userId,
        set: row,
        setWhere: eq(billingCustomers.status, 'ERASED'),
      });
    return deletedAt !== null;
  });
  if (isGone) throw new AppError('NOT_FOUND');
  return found((await findRow(app, userId))?.stripeCustomerId ?? undefined);
}

async function create(app: App, { user, replaced }: { user: UserRow; replaced: string | undefined }): Promise<string> {
  const { id, email } = user;
  // With everything that the request says: a key with other input is refused by Stripe.
  const idempotencyKey = `customer:${id}:${sha256(`${email}\n${replaced ?? ''}`).slice(0, 16)}`;
  const customer = await requirePayments(app).call((stripe) =>
    stripe.customers.create({ email, metadata: { user_id: id } }, { idempotencyKey }),
  );
  return customer.id;
}
