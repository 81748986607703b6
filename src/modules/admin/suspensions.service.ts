// Invariants: a suspension counts at once for sign-in, sessions, keys and credits, because each of them reads the
// person's row; the sessions end besides, so that none of them comes back when it is lifted.
import { and, eq, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { found, requireId, requireReason } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { endSessions } from '../auth/session-ends.service.js';
import { emitEvent } from '../events/events.service.js';
import { addressUser } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';

async function lockUser(app: App, userId: string): Promise<UserRow> {
  const [user] = await app.db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
    .for('update');
  return found(user);
}

/** Without the reason, which is the audit row's own. */
const suspensionOf = ({ suspendedUntil, status }: UserRow) => ({
  status,
  suspendedUntil: suspendedUntil?.toISOString() ?? null,
});

/**
 * Shuts a person out, until a moment or until somebody lifts it, and tells them by mail. Suspending somebody who is
 * suspended replaces reason and end.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function suspendUser(
  app: App,
  options: { userId: string; reason: string; until?: Date | null | undefined; actor: Actor },
): Promise<UserRow> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason);
  const until = options.until ?? null;
  if (until !== null && until <= app.now()) throw badInput({ until: 'must lie in the future' });
  return transact(app, async (app) => {
    const user = await lockUser(app, userId);
    const now = app.now();
    const [suspended] = await app.db
      .update(users)
      .set({ status: 'SUSPENDED', suspendedAt: now, suspendedUntil: until, suspensionReason: reason, updatedAt: now })
      .where(eq(users.id, userId))
      .returning();
    const row = found(suspended);
    await endSessions(app, { account: { kind: 'user', id: userId }, reason: 'USER_SUSPENDED' });
    const target = { kind: 'user', id: userId };
    const [before, after] = [suspensionOf(user), suspensionOf(row)];
    await recordAudit(app, { actor, action: 'user.suspended', userId, target, before, after, reason });
    await emitEvent(app, { kind: 'user.suspended', userId, data: { until } });
    const data = { username: user.username, reason };
    await queueLetter(app, {
      kind: 'ACCOUNT_SUSPENDED',
      ...addressUser(user),
      requestId: actor.requestId,
      data,
    });
    return row;
  });
}

/** Lets a person in again. Doing it twice answers the same. @throws BAD_USER_INPUT, NOT_FOUND */
export async function unsuspendUser(
  app: App,
  options: { userId: string; reason?: string | null | undefined; actor: Actor },
): Promise<UserRow> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = options.reason == null ? undefined : requireReason(options.reason);
  return transact(app, async (app) => {
    const user = await lockUser(app, userId);
    if (user.status !== 'SUSPENDED') return user;
    const lifted = { status: 'ACTIVE', suspendedAt: null, suspendedUntil: null, suspensionReason: null } as const;
    const [row] = await app.db
      .update(users)
      .set({ ...lifted, updatedAt: app.now() })
      .where(eq(users.id, userId))
      .returning();
    const target = { kind: 'user', id: userId };
    const before = suspensionOf(user);
    await recordAudit(app, { actor, action: 'user.unsuspended', userId, target, before, reason });
    await emitEvent(app, { kind: 'user.updated', userId, data: { fields: ['status'] } });
    return found(row);
  });
}
