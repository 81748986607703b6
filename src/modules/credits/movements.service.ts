import type { Actor, App } from '../../core/context.js';
import { requireId } from '../../core/input.js';
import type { CreditTransactionRow } from './credits.table.js';
import { moveCredits } from './ledger.service.js';
import type { AccountState, Moved, Particulars } from './ledger-rows.js';
import { requireMovement } from './movement-input.js';

export interface CreditMovement {
  transaction: CreditTransactionRow;
  account: AccountState;
  replayed: boolean;
}

type Options = Particulars & { userId: string; amount: number; idempotencyKey: string; actor: Actor };

/**
 * Gives credits; also to people who are suspended.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, IDEMPOTENCY_CONFLICT
 */
export async function addCredits(app: App, options: Options): Promise<CreditMovement> {
  requireMovement(options);
  const userId = requireId(options.userId, 'userId');
  return toMovement(await moveCredits(app, { ...options, operation: 'ADD', kind: 'GRANT', userId }));
}

/**
 * Spends credits that are there and not held, under any concurrency.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, ACCOUNT_SUSPENDED, EMAIL_NOT_VERIFIED, INSUFFICIENT_CREDITS, IDEMPOTENCY_CONFLICT
 */
export async function useCredits(app: App, options: Options): Promise<CreditMovement> {
  requireMovement(options);
  const userId = requireId(options.userId, 'userId');
  return toMovement(await moveCredits(app, { ...options, operation: 'USE', kind: 'USE', userId }));
}

/**
 * Gives back a USE or a CAPTURE, wholly or in parts that never sum up to more than was spent.
 *
 * @param options.amount in credits; all that is left when absent
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT (`refundable`: what is left), IDEMPOTENCY_CONFLICT
 */
export async function refundCredits(
  app: App,
  options: Particulars & {
    transactionId: string;
    amount?: number | null | undefined;
    idempotencyKey: string;
    actor: Actor;
  },
): Promise<CreditMovement> {
  requireMovement(options);
  const transactionId = requireId(options.transactionId, 'transactionId');
  return toMovement(await moveCredits(app, { ...options, operation: 'REFUND', transactionId }));
}

function toMovement({ transaction, account, replayed }: Moved): CreditMovement {
  if (transaction === undefined) throw new Error('The ledger wrote no transaction.');
  return { transaction, account, replayed };
}
