// Invariants: what one staff member adjusts in a day, up and down together, never passes the cap, however many
// adjustments come at once; the movement and its audit row, from which the day is added up, are one transaction.
import { and, eq, gte, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { requireId, requireReason } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { auditEvents } from '../audit/audit.table.js';
import { moveCredits } from '../credits/ledger.service.js';
import { requireMovement } from '../credits/movement-input.js';
import type { CreditMovement } from '../credits/movements.service.js';

const DAY_MS = 86_400_000;
const ACTION = 'user.credits_adjusted';

interface Adjustment {
  userId: string;
  /** Up or down. */
  amount: number;
  reason: string;
  idempotencyKey: string;
  actor: Actor;
}

/**
 * Puts a balance right, up or down. Staff have a cap for each day (UTC); admins have none. The same key again answers
 * the first result and takes nothing from the cap.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, INSUFFICIENT_CREDITS, IDEMPOTENCY_CONFLICT; LIMIT_REACHED (`limit`, `remaining`,
 *   `resetsAt`) for staff
 */
export async function adjustCredits(app: App, options: Adjustment): Promise<CreditMovement> {
  const { amount, actor, idempotencyKey } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason);
  if (amount === 0) throw badInput({ amount: 'must not be 0' });
  const particulars = { description: reason, idempotencyKey, amount: Math.abs(amount) };
  requireMovement(particulars);
  const movement = { ...particulars, userId, actor, kind: 'ADJUSTMENT', keyedAs: 'ADJUST' } as const;
  return transact(app, async (app) => {
    // One after the other for each operator: the cap is looked at after the ones before have been counted.
    await app.db.execute(sql`select pg_advisory_xact_lock(hashtext('credit-adjustment'), hashtext(${actor.id}))`);
    const moved = await moveCredits(app, { ...movement, operation: amount > 0 ? 'ADD' : 'USE' });
    const { transaction, account, replayed } = moved;
    if (transaction === undefined) throw new Error('The ledger wrote no transaction.');
    if (replayed) return { transaction, account, replayed };
    if (actor.kind === 'STAFF') await requireWithinCap(app, { actor, amount: Math.abs(amount) });
    const target = { kind: 'user', id: userId };
    await recordAudit(app, {
      actor,
      action: ACTION,
      userId,
      target,
      after: { amount, balance: account.balance },
      reason,
    });
    return { transaction, account, replayed };
  });
}

async function requireWithinCap(app: App, { actor, amount }: { actor: Actor; amount: number }): Promise<void> {
  const limit = app.config.staff.dailyCreditCap;
  const today = new Date(Math.floor(app.now().getTime() / DAY_MS) * DAY_MS);
  const [row] = await app.db
    .select({ used: sql<string>`coalesce(sum(abs((${auditEvents.after} ->> 'amount')::bigint)), 0)` })
    .from(auditEvents)
    .where(
      and(eq(auditEvents.actorId, actor.id ?? ''), eq(auditEvents.action, ACTION), gte(auditEvents.occurredAt, today)),
    );
  const used = Number(row?.used ?? 0);
  if (used + amount <= limit) return;
  throw new AppError('LIMIT_REACHED', {
    message: 'Your adjustments of this day would pass their cap.',
    extensions: {
      limit,
      remaining: Math.max(0, limit - used),
      resetsAt: new Date(today.getTime() + DAY_MS).toISOString(),
    },
  });
}
