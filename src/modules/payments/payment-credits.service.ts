// Invariants: the keys in the ledger are facts of business, so that a fact pays out once whichever way it is heard of;
// what goes back never takes an account below what is there: the rest is owed, stands on the reversal, and is taken from
// what later payments bring (S13). Everything here runs under the lock of the person (stripe-reads).
import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { type App, SYSTEM_ACTOR } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { moveCredits } from '../credits/ledger.service.js';
import { type PaymentRow, paymentReversals, payments, type ReversalRow } from './payments.table.js';

/** What all movements here have in common; the scope of their keys is that of the ledger as a whole. */
const MOVEMENT = { actor: SYSTEM_ACTOR, keyedAs: 'PAYMENT', referenceType: 'payment' } as const;

interface Grant {
  payment: PaymentRow;
  /** `checkout:<session>` or `invoice:<invoice>:<line>`. */
  key: string;
  kind: 'PURCHASE' | 'PLAN_GRANT';
  amount: number;
  description: string;
}

/** Credits that a payment brings, less what is still owed from earlier reversals. */
export async function grantCredits(app: App, { payment, key, kind, amount, description }: Grant): Promise<void> {
  const { userId, id } = payment;
  await moveCredits(app, {
    ...MOVEMENT,
    operation: 'ADD',
    kind,
    userId,
    amount,
    description,
    referenceId: id,
    idempotencyKey: key,
  });
  await app.db
    .update(payments)
    .set({ creditsGranted: sql`${payments.creditsGranted} + ${amount}` })
    .where(eq(payments.id, id));
  await settleDebts(app, { userId, atMost: amount });
}

async function settleDebts(app: App, { userId, atMost }: { userId: string; atMost: number }): Promise<void> {
  const debts = await app.db
    .select()
    .from(paymentReversals)
    .where(and(eq(paymentReversals.userId, userId), gt(paymentReversals.creditsOwed, 0)))
    .orderBy(asc(paymentReversals.createdAt), asc(paymentReversals.id));
  let left = atMost;
  for (const debt of debts) {
    if (left === 0) return;
    const taken = await take(app, { reversal: debt, amount: Math.min(left, debt.creditsOwed) });
    left -= taken;
    await save(app, debt, { taken, owed: debt.creditsOwed - taken, rows: taken > 0 ? 1 : 0 });
  }
}

/**
 * Brings what a reversal has taken and what it is owed to `target` together, up or down. Nobody gives to somebody who has
 * left; should they come back, the next look at the payment does.
 */
export async function settleReversal(
  app: App,
  { reversal, target, isGone }: { reversal: ReversalRow; target: number; isGone: boolean },
): Promise<void> {
  const change = target - reversal.creditsTaken - reversal.creditsOwed;
  if (change > 0) {
    const taken = await take(app, { reversal, amount: change });
    const owed = reversal.creditsOwed + change - taken;
    return save(app, reversal, { taken, owed, rows: taken > 0 ? 1 : 0 });
  }
  if (change < 0) {
    // What was never taken is forgiven first.
    const forgiven = Math.min(reversal.creditsOwed, -change);
    const given = isGone ? 0 : -change - forgiven;
    if (given > 0) await giveBack(app, { reversal, amount: given });
    return save(app, reversal, { taken: -given, owed: reversal.creditsOwed - forgiven, rows: given > 0 ? 1 : 0 });
  }
}

async function save(
  app: App,
  reversal: ReversalRow,
  { taken, owed, rows }: { taken: number; owed: number; rows: number },
): Promise<void> {
  await app.db
    .update(paymentReversals)
    .set({
      creditsTaken: reversal.creditsTaken + taken,
      creditsOwed: owed,
      movements: reversal.movements + rows,
      updatedAt: app.now(),
    })
    .where(eq(paymentReversals.id, reversal.id));
}

/** `refund:<id>` or `dispute:<id>`; whatever moves for it later has a number behind that. */
function keyOf({ kind, stripeId, movements }: ReversalRow): string {
  const fact = `${kind.toLowerCase()}:${stripeId}`;
  return movements === 0 ? fact : `${fact}:${movements}`;
}

/** As much of the amount as is there and not held; answers how much that was. */
async function take(app: App, { reversal, amount }: { reversal: ReversalRow; amount: number }): Promise<number> {
  const claw = (amount: number) =>
    moveCredits(app, {
      ...MOVEMENT,
      operation: 'USE',
      kind: 'CLAWBACK',
      userId: reversal.userId,
      amount,
      description: reversal.kind === 'REFUND' ? 'Refunded' : 'Lost in a dispute',
      referenceId: reversal.paymentId,
      idempotencyKey: keyOf(reversal),
    });
  try {
    await claw(amount);
    return amount;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'INSUFFICIENT_CREDITS') throw error;
    // The account stays locked from the refusal on: what was there is there.
    const available = Number(error.extensions.available);
    if (available > 0) await claw(available);
    return Math.max(0, available);
  }
}

async function giveBack(app: App, { reversal, amount }: { reversal: ReversalRow; amount: number }): Promise<void> {
  await moveCredits(app, {
    ...MOVEMENT,
    operation: 'ADD',
    kind: 'ADJUSTMENT',
    userId: reversal.userId,
    amount,
    description: reversal.kind === 'REFUND' ? 'The refund did not go through' : 'Won in a dispute',
    referenceId: reversal.paymentId,
    idempotencyKey: keyOf(reversal),
  });
}
