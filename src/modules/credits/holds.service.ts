// Invariants: a hold ends exactly once (captured, released or expired), and what it held is then spent or free again;
// only the service that made it can capture or release it, and to every other it does not exist.
import { and, eq, inArray, lte, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { requireId } from '../../core/input.js';
import { type CreditHoldRow, type CreditTransactionRow, creditAccounts, creditHolds } from './credits.table.js';
import { moveCredits } from './ledger.service.js';
import type { AccountState, Moved, Particulars } from './ledger-rows.js';
import { requireMovement } from './movement-input.js';

const DEFAULT_TTL_SECONDS = 900;

export interface HoldChange {
  hold: CreditHoldRow;
  account: AccountState;
  replayed: boolean;
}

export interface HoldCapture extends HoldChange {
  transaction: CreditTransactionRow;
}

/**
 * Sets credits aside until they are captured or released, or for `ttlSeconds` (1 to 86,400; 900 when absent).
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, ACCOUNT_SUSPENDED, EMAIL_NOT_VERIFIED, INSUFFICIENT_CREDITS, IDEMPOTENCY_CONFLICT
 */
export async function holdCredits(
  app: App,
  options: Particulars & {
    userId: string;
    amount: number;
    ttlSeconds?: number | null | undefined;
    idempotencyKey: string;
    actor: Actor;
  },
): Promise<HoldChange> {
  const ttlSeconds = options.ttlSeconds ?? DEFAULT_TTL_SECONDS;
  requireMovement({ ...options, ttlSeconds });
  const userId = requireId(options.userId, 'userId');
  return toHoldChange(await moveCredits(app, { ...options, operation: 'HOLD', userId, ttlSeconds }));
}

/**
 * Spends what was held, or a part of it; the rest is free again. Doing it twice answers with the first result, under
 * whatever key.
 *
 * @param options.amount in credits; all that is held when absent
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT (`status`: released or expired before), IDEMPOTENCY_CONFLICT
 */
export async function captureCredits(
  app: App,
  options: Particulars & { holdId: string; amount?: number | null | undefined; idempotencyKey: string; actor: Actor },
): Promise<HoldCapture> {
  requireMovement(options);
  const holdId = requireId(options.holdId, 'holdId');
  const moved = await moveCredits(app, { ...options, operation: 'CAPTURE', holdId });
  if (moved.transaction === undefined) throw new Error('The ledger wrote no transaction.');
  return { ...toHoldChange(moved), transaction: moved.transaction };
}

/**
 * Lets go of what was held. Doing it twice, or after the hold expired, answers with the first result.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT (`status`: captured before), IDEMPOTENCY_CONFLICT
 */
export async function releaseCredits(
  app: App,
  options: { holdId: string; idempotencyKey: string; actor: Actor },
): Promise<HoldChange> {
  requireMovement(options);
  const holdId = requireId(options.holdId, 'holdId');
  return toHoldChange(await moveCredits(app, { ...options, operation: 'RELEASE', holdId }));
}

function toHoldChange({ hold, account, replayed }: Moved): HoldChange {
  if (hold === undefined) throw new Error('The ledger gave no hold.');
  return { hold, account, replayed };
}

/**
 * Ends holds past their time, of at most `limit` accounts. Accounts that are locked at the moment are left: either a
 * movement has them, which ends their due holds itself, or another instance does this very work.
 *
 * @returns how many holds ended, and whether there may be more
 */
export async function expireDueHolds(
  app: App,
  options: { limit: number },
): Promise<{ expired: number; isDone: boolean }> {
  return transact(app, async (app) => {
    const now = app.now();
    const isDue = and(eq(creditHolds.status, 'ACTIVE'), lte(creditHolds.expiresAt, now));
    const owners = await app.db
      .selectDistinct({ userId: creditHolds.userId })
      .from(creditHolds)
      .where(isDue)
      .limit(options.limit);
    if (owners.length === 0) return { expired: 0, isDone: true };
    // Accounts before holds, as movements do it: no circle of waiting.
    const locked = await app.db
      .select({ userId: creditAccounts.userId })
      .from(creditAccounts)
      .where(
        inArray(
          creditAccounts.userId,
          owners.map(({ userId }) => userId),
        ),
      )
      .orderBy(creditAccounts.userId)
      .for('no key update', { skipLocked: true });
    if (locked.length === 0) return { expired: 0, isDone: true };
    const expired = await app.db
      .update(creditHolds)
      .set({ status: 'EXPIRED', resolvedAt: now })
      .where(
        and(
          isDue,
          inArray(
            creditHolds.userId,
            locked.map(({ userId }) => userId),
          ),
        ),
      )
      .returning({ userId: creditHolds.userId, amount: creditHolds.amount });
    await freeHeld(app, expired);
    return { expired: expired.length, isDone: owners.length < options.limit };
  });
}

/**
 * Lets go of everything that is held of one person: they leave. Inside the caller's transaction; from here to its end
 * nobody else moves the person's credits, so no hold is made behind its back.
 *
 * @returns how many holds ended
 */
export async function releaseHoldsOf(app: App, userId: string): Promise<number> {
  await app.db.select().from(creditAccounts).where(eq(creditAccounts.userId, userId)).for('no key update');
  const released = await app.db
    .update(creditHolds)
    .set({ status: 'RELEASED', resolvedAt: app.now() })
    .where(and(eq(creditHolds.userId, userId), eq(creditHolds.status, 'ACTIVE')))
    .returning({ userId: creditHolds.userId, amount: creditHolds.amount });
  if (released.length > 0) await freeHeld(app, released);
  return released.length;
}

async function freeHeld(app: App, expired: readonly { userId: string; amount: number }[]): Promise<void> {
  const sums = new Map<string, number>();
  for (const { userId, amount } of expired) sums.set(userId, (sums.get(userId) ?? 0) + amount);
  const freed = JSON.stringify([...sums].map(([userId, amount]) => ({ user_id: userId, amount })));
  await app.db
    .update(creditAccounts)
    .set({ held: sql`${creditAccounts.held} - freed.amount`, updatedAt: app.now() })
    .from(sql`jsonb_to_recordset(${freed}::text::jsonb) as freed (user_id uuid, amount bigint)`)
    .where(sql`${creditAccounts.userId} = freed.user_id`);
}
