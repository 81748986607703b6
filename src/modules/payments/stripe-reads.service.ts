// Invariants: Stripe is asked outside of transactions, and what it said is applied in one, under the lock of the person
// it is about. So an application never waits for Stripe, two for one person never overlap, and one that read earlier
// never undoes one that read later.
import { and, eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import type { Payments } from '../../core/payments.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { billingCustomers } from './payments.table.js';

/**
 * What a look at Stripe wants done here, in the transaction that it is handed. `NOT_OURS`: it is about nobody we know,
 * such as a sale by another program that shares the Stripe account.
 */
export type Application = (app: App) => Promise<'APPLIED' | 'NOT_OURS'>;

/** Something that no second try mends and that somebody has to look at: an amount or an owner that is not what we asked for. */
export class UnfitError extends Error {
  constructor(readonly code: 'AMOUNT_MISMATCH' | 'CUSTOMER_MISMATCH') {
    super(code);
    this.name = 'UnfitError';
  }
}

/** @throws BILLING_NOT_CONFIGURED */
export function requirePayments({ payments }: App): Payments {
  if (!payments) throw new AppError('BILLING_NOT_CONFIGURED');
  return payments;
}

/** Drawn before Stripe is asked (see the table). */
export async function drawReadNumber(app: App): Promise<number> {
  const [row] = await app.sql.write<{ n: number }>(`select nextval('stripe_reads') as n`, []);
  return found(row).n;
}

/** Whose customer that is; undefined for everybody else's. */
export async function findOwner(app: App, stripeCustomerId: string | undefined): Promise<string | undefined> {
  if (stripeCustomerId === undefined) return undefined;
  const [row] = await app.db
    .select({ userId: billingCustomers.userId })
    .from(billingCustomers)
    .where(eq(billingCustomers.stripeCustomerId, stripeCustomerId));
  return row?.userId;
}

/** The person, of somebody who has left too, locked until the transaction ends: one application at a time. */
export async function lockOwner(app: App, userId: string): Promise<UserRow> {
  // Not FOR UPDATE: rows that only point at the person, such as sessions, need not wait.
  const [user] = await app.db.select().from(users).where(eq(users.id, userId)).for('no key update');
  return found(user);
}

/** Somebody who has left must not be charged again: the job looks at Stripe anew. */
export async function closeAgain(app: App, userId: string): Promise<void> {
  await app.db
    .update(billingCustomers)
    .set({ status: 'CLOSING', attempts: 0, nextAttemptAt: app.now() })
    .where(and(eq(billingCustomers.userId, userId), eq(billingCustomers.status, 'CLOSED')));
}

/** Stripe writes a reference as an id or, expanded, as the object. */
export function idOf(reference: string | { id: string } | null | undefined): string | undefined {
  return typeof reference === 'string' ? reference : reference?.id;
}

/** Stripe's seconds. */
export const momentOf = (seconds: number | null | undefined) => (seconds == null ? null : new Date(seconds * 1_000));

/** Applies what was just read. */
export async function apply(app: App, application: Application): Promise<void> {
  await transact(app, application);
}

export const currencyOf = (currency: string) => currency.toUpperCase();

/** Several in the order given; ours if one of them is. */
export function inOrder(applications: readonly Application[]): Application {
  return async (app) => {
    let outcome: Awaited<ReturnType<Application>> = 'NOT_OURS';
    for (const application of applications) if ((await application(app)) === 'APPLIED') outcome = 'APPLIED';
    return outcome;
  };
}
