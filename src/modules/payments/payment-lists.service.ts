import { and, asc, desc, eq, inArray } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { requireId } from '../../core/input.js';
import { readLagging } from '../../core/lagging.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { type PaymentRow, paymentReversals, payments, type ReversalRow } from './payments.table.js';
import { requirePayments } from './stripe-reads.service.js';

interface Listing extends PageArguments {
  userId?: string | null | undefined;
  status?: PaymentRow['status'] | null | undefined;
  actor: Actor;
}

/** Payments, the latest first. Whoever looks leaves a row, in the person's history too. @throws BILLING_NOT_CONFIGURED, BAD_USER_INPUT */
export async function listPayments(app: App, listing: Listing): Promise<Connection<PaymentRow>> {
  requirePayments(app);
  const userId = listing.userId == null ? undefined : requireId(listing.userId, 'userId');
  const { status, actor } = listing;
  const page = readPage(listing, ['time', 'id']);
  const { createdAt, id } = payments;
  const where = and(
    userId === undefined ? undefined : eq(payments.userId, userId),
    status == null ? undefined : eq(payments.status, status),
  );
  const rows = await readLagging(app, (db) =>
    db
      .select()
      .from(payments)
      .where(and(where, olderThan({ time: createdAt, id }, page.after)))
      .orderBy(desc(createdAt), desc(id))
      .limit(page.limit + 1),
  );
  const target = userId === undefined ? undefined : { kind: 'user', id: userId };
  const look = { actor, action: 'payments.viewed', userId, target, after: { status: status ?? null } } as const;
  await transact(app, (app) => recordAudit(app, look));
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => readLagging(app, (db) => db.$count(payments, where)),
  });
}

/** What went back of each payment, oldest first. */
export async function findReversals(app: App, paymentIds: readonly string[]): Promise<Map<string, ReversalRow[]>> {
  const rows = await app.db
    .select()
    .from(paymentReversals)
    .where(inArray(paymentReversals.paymentId, [...paymentIds]))
    .orderBy(asc(paymentReversals.createdAt), asc(paymentReversals.id));
  return Map.groupBy(rows, (row) => row.paymentId);
}
