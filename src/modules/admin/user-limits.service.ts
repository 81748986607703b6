// Invariants: a change counts with the next conversation, because plan and limits are read with each; what has been
// used today stays used.
import { and, eq, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { requireActivePlan } from '../catalog/plans.service.js';
import { emitEvent } from '../events/events.service.js';

/** What an INTEGER holds. */
const MOST_A_DAY = 2_147_483_647;

/**
 * Puts a person on another plan.
 *
 * @throws BAD_USER_INPUT for a plan that is not there or was archived; NOT_FOUND
 */
export async function setUserPlan(
  app: App,
  options: { userId: string; planCode: string; actor: Actor },
): Promise<UserRow> {
  const { planCode, actor } = options;
  const userId = requireId(options.userId, 'userId');
  return transact(app, async (app) => {
    await requireActivePlan(app, planCode);
    const user = await lockUser(app, userId);
    const row = await change(app, userId, { planCode });
    const [before, after] = [{ planCode: user.planCode }, { planCode }];
    await recordAudit(app, {
      actor,
      action: 'user.plan_changed',
      userId,
      target: { kind: 'user', id: userId },
      before,
      after,
    });
    await emitEvent(app, { kind: 'user.updated', userId, data: { fields: ['plan'] } });
    return row;
  });
}

/**
 * Gives a person daily limits of their own; null gives back those of the plan, what is left out stays.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function setUserLimits(
  app: App,
  options: {
    userId: string;
    conversationsPerDay?: number | null | undefined;
    messagesPerDay?: number | null | undefined;
    actor: Actor;
  },
): Promise<UserRow> {
  const { conversationsPerDay, messagesPerDay, actor } = options;
  const userId = requireId(options.userId, 'userId');
  const limits = {
    ...(conversationsPerDay !== undefined && { conversationsPerDay: requireLimit({ conversationsPerDay }) }),
    ...(messagesPerDay !== undefined && { messagesPerDay: requireLimit({ messagesPerDay }) }),
  };
  return transact(app, async (app) => {
    const user = await lockUser(app, userId);
    const row = await change(app, userId, limits);
    await recordAudit(app, {
      actor,
      action: 'user.limits_changed',
      userId,
      target: { kind: 'user', id: userId },
      before: limitsOf(user),
      after: limitsOf(row),
    });
    await emitEvent(app, { kind: 'user.updated', userId, data: { fields: Object.keys(limits) } });
    return row;
  });
}

const limitsOf = ({ conversationsPerDay, messagesPerDay }: UserRow) => ({ conversationsPerDay, messagesPerDay });

function requireLimit(named: Record<string, number | null>): number | null {
  const [[name = '', limit = null] = []] = Object.entries(named);
  if (limit !== null && (limit < 0 || limit > MOST_A_DAY)) throw badInput({ [name]: 'must not be negative' });
  return limit;
}

async function lockUser(app: App, userId: string): Promise<UserRow> {
  const [user] = await app.db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
    .for('update');
  return found(user);
}

type Changes = Partial<Pick<UserRow, 'planCode' | 'conversationsPerDay' | 'messagesPerDay'>>;

async function change(app: App, userId: string, changes: Changes): Promise<UserRow> {
  const [row] = await app.db
    .update(users)
    .set({ ...changes, updatedAt: app.now() })
    .where(eq(users.id, userId))
    .returning();
  return found(row);
}
