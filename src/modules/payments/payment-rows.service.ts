import { eq, lt } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { type PaymentRow, payments } from './payments.table.js';

type Values = Omit<typeof payments.$inferInsert, 'id' | 'updatedAt' | 'readNumber'> & { readNumber: number };

export interface SavedPayment {
  row: PaymentRow;
  /** How it was; undefined when it is new. */
  before: PaymentRow | undefined;
}

/** Only this once it brings something: what products and plans bring may be changed later, and old payments are read again. */
export const isPaidNow = ({ row, before }: SavedPayment) =>
  row.status === 'SUCCEEDED' && before?.status !== 'SUCCEEDED';

/**
 * Writes what was read of a payment, under the lock of the person. Answers undefined when the row holds something
 * newer; else the row, and how it was before.
 */
export async function savePayment(app: App, values: Values): Promise<SavedPayment | undefined> {
  const before = await findPayment(app, values.stripeId);
  const { userId, kind, stripeId, createdAt, ...changes } = values;
  const [row] = await app.db
    .insert(payments)
    .values({ ...values, id: newId(), updatedAt: app.now() })
    .onConflictDoUpdate({
      target: payments.stripeId,
      // Of several looks the first one says when it was paid.
      set: { ...changes, paidAt: values.paidAt && (before?.paidAt ?? values.paidAt), updatedAt: app.now() },
      setWhere: lt(payments.readNumber, values.readNumber),
    })
    .returning();
  return row && { row, before };
}

export async function findPayment(app: App, stripeId: string): Promise<PaymentRow | undefined> {
  const [row] = await app.db.select().from(payments).where(eq(payments.stripeId, stripeId));
  return row;
}

export async function findPaymentOfIntent(app: App, paymentIntentId: string): Promise<PaymentRow | undefined> {
  const [row] = await app.db.select().from(payments).where(eq(payments.paymentIntentId, paymentIntentId));
  return row;
}
