// Invariants: a subscription gives its plan when it begins to count and takes it back when it ends, once each; what an
// admin sets in between stays. With several, the youngest that counts decides.
import { and, asc, desc, eq, isNull } from 'drizzle-orm';
import { type App, SYSTEM_ACTOR } from '../../core/context.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { type PlanRow, plans } from '../catalog/catalog.table.js';
import { FIRST_PLAN } from '../catalog/plans.service.js';
import { type SubscriptionRow, subscriptions } from './payments.table.js';

const COUNTING: readonly SubscriptionRow['status'][] = ['TRIALING', 'ACTIVE', 'PAST_DUE'];

/** Whether its plan is the person's: also while Stripe tries again to collect a payment that failed. */
export const isCounting = ({ status }: Pick<SubscriptionRow, 'status'>) => COUNTING.includes(status);

/** The plan that a product brings; of several, one that is still offered. */
export async function findPlanOfProduct(app: App, productId: string | null): Promise<PlanRow | undefined> {
  if (productId === null) return undefined;
  const [plan] = await app.db
    .select()
    .from(plans)
    .where(eq(plans.productId, productId))
    .orderBy(desc(isNull(plans.archivedAt)), asc(plans.code))
    .limit(1);
  return plan;
}

/** Brings the person's plan in line with their subscriptions. Under the lock of the person; not for who has left. */
export async function settlePlan(app: App, user: UserRow): Promise<void> {
  const rows = await app.db
    .select()
    .from(subscriptions)
    .where(eq(subscriptions.userId, user.id))
    .orderBy(desc(subscriptions.createdAt), desc(subscriptions.id));
  const counting = await findCounting(app, rows);
  const isEnded = (row: SubscriptionRow) => row.planCode !== null && !isCounting(row);
  const hasLost = rows.some((row) => isEnded(row) && row.planCode === user.planCode);
  for (const row of rows) if (isEnded(row)) await setGiven(app, row, null);
  if (counting && counting.plan.code !== counting.row.planCode) {
    await setGiven(app, counting.row, counting.plan.code);
    await setPlan(app, user, counting.plan.code);
  } else if (hasLost) await setPlan(app, user, counting?.plan.code ?? FIRST_PLAN);
}

/** The youngest that counts and brings a plan. */
async function findCounting(app: App, rows: readonly SubscriptionRow[]) {
  for (const row of rows.filter(isCounting)) {
    const plan = await findPlanOfProduct(app, row.productId);
    if (plan) return { row, plan };
  }
  return undefined;
}

async function setGiven(app: App, row: SubscriptionRow, planCode: string | null): Promise<void> {
  await app.db.update(subscriptions).set({ planCode }).where(eq(subscriptions.id, row.id));
}

async function setPlan(app: App, user: UserRow, planCode: string): Promise<void> {
  if (planCode === user.planCode) return;
  await app.db
    .update(users)
    .set({ planCode, updatedAt: app.now() })
    .where(and(eq(users.id, user.id), isNull(users.deletedAt)));
  await recordAudit(app, {
    actor: SYSTEM_ACTOR,
    action: 'user.plan_changed',
    userId: user.id,
    target: { kind: 'user', id: user.id },
    before: { planCode: user.planCode },
    after: { planCode },
  });
}
