// Invariants: a movement, its key and its answer are written in one transaction or not at all; nobody is answered
// before commit; a key has one effect for ever; the balance never falls below what is held. What keeps them is the
// function apply_credit_movements (drizzle/0001_ledger.sql); `ledger-lane` carries movements to it and verdicts back.
import type { App } from '../../core/context.js';
import { isInTransaction, isUniqueViolation } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { applyWithin, applyWithOthers } from './ledger-lane.service.js';
import { type Item, type Moved, type Movement, refusalOf, toItem, toMoved, type Verdict } from './ledger-rows.js';

/**
 * Does one movement of credits, exactly once per actor, operation and idempotency key.
 *
 * Within `transact` it is part of that transaction, and the account stays locked until its end. Outside it commits by
 * itself, together with the movements that arrive at the same time.
 *
 * Suspended people and unverified ones cannot be spent from (C9), but credits can be added, refunded and taken back,
 * and a hold that was made before can be captured: its work is done.
 *
 * A refusal leaves the key unused, so what was refused for want of credits can be sent again with its key.
 *
 * @throws NOT_FOUND, ACCOUNT_SUSPENDED, EMAIL_NOT_VERIFIED, INSUFFICIENT_CREDITS (`needed`, `available`),
 * IDEMPOTENCY_CONFLICT, CONFLICT (`status` of the hold, or what is `refundable`), BAD_USER_INPUT, RETRY_LATER. When the
 * connection breaks the outcome is unknown: asking again with the same key answers it.
 */
export async function moveCredits(app: App, movement: Movement): Promise<Moved> {
  const now = app.now();
  const item = toItem(movement, now);
  const verdict = await (isInTransaction(app) ? applyOne : applyWithOthers)(app, { item, now });
  app.metrics.creditMovements.add(outcomeOf(movement, verdict));
  return toMoved(item, verdict);
}

async function applyOne(app: App, { item, now }: { item: Item; now: Date }): Promise<Verdict> {
  try {
    const [verdict] = await applyWithin(app, { items: [item], now });
    return verdict as Verdict;
  } catch (error) {
    // Taken while this waited, for another account: one with the same would have been seen.
    if (isUniqueViolation(error, 'idempotency_keys_scope_key_pk')) throw new AppError('IDEMPOTENCY_CONFLICT');
    throw error;
  }
}

/**
 * The same for many, in one statement and within the caller's transaction, for callers who know that none can be
 * refused: the first refusal is thrown, and takes the transaction with it. Events and idempotency are as ever.
 */
export async function moveCreditsTogether(app: App, movements: readonly Movement[]): Promise<void> {
  if (movements.length === 0) return;
  const now = app.now();
  const verdicts = await applyWithin(app, { items: movements.map((movement) => toItem(movement, now)), now });
  for (const [place, movement] of movements.entries()) {
    const verdict = verdicts[place] as Verdict;
    if (verdict.code !== null) throw refusalOf(verdict.code, verdict.answer);
    app.metrics.creditMovements.add(outcomeOf(movement, verdict));
  }
}

function outcomeOf(movement: Movement, verdict: Verdict) {
  if (verdict.code !== null) return 'REFUSED';
  if (verdict.replayed) return 'REPLAYED';
  return 'kind' in movement ? movement.kind : movement.operation;
}
