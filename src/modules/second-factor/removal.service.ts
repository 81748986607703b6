// For whoever lost app and backup codes, and only through an operator who says why. Invariants: nobody takes off their
// own (that is `disableTotp`, with a code), nor that of somebody who may do what they may not (A2); the password is
// still asked for, and no operator ever learns or sets one; the sessions end, and the account is told by mail.
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { requireId, requireReason } from '../../core/input.js';
import type { AdminRow } from '../admin/admin.table.js';
import { lockOtherAdmin } from '../admin/admins.service.js';
import { recordAudit } from '../audit/audit.service.js';
import type { UserRow } from '../auth/auth.table.js';
import { addressOf, getAccount, lockAccount } from '../auth/credentials.service.js';
import type { Owner } from '../auth/owner.js';
import { hasSecondFactor } from '../auth/second-factor.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { personOf } from '../auth/sessions.service.js';
import { clearFailures } from '../auth/throttle.service.js';
import { getUser } from '../auth/users.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import type { StaffRow } from '../staff/staff.table.js';
import { lockStaffBelow } from '../staff/staff-members.service.js';
import { deleteSecondFactor } from './enrollment.service.js';

interface Removal {
  reason: string;
  actor: Actor;
}

/** Takes a person's second factor off. Doing it twice answers the same. @throws BAD_USER_INPUT, NOT_FOUND */
export async function removeUserSecondFactor(app: App, options: Removal & { userId: string }): Promise<UserRow> {
  const account = { kind: 'user', id: requireId(options.userId, 'userId') } as const;
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    await lockAccount(app, account);
    const user = await getUser(app, account.id);
    await remove(app, { account, reason, actor: options.actor });
    return user;
  });
}

/**
 * Takes a staff member's second factor off. Doing it twice answers the same.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN for a level above the caller's own powers
 */
export async function removeStaffSecondFactor(app: App, options: Removal & { staffId: string }): Promise<StaffRow> {
  const { actor } = options;
  const account = { kind: 'staff', id: requireId(options.staffId, 'staffId') } as const;
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const staff = await lockStaffBelow(app, { staffId: account.id, actor });
    await remove(app, { account, reason, actor });
    return staff;
  });
}

/**
 * Takes another admin's second factor off. Where admins must have one, enrolling it is all they may do after their next
 * sign-in. Doing it twice answers the same.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN for oneself and for an admin who holds more than the caller
 */
export async function removeAdminSecondFactor(app: App, options: Removal & { adminId: string }): Promise<AdminRow> {
  const { actor } = options;
  const account = { kind: 'admin', id: requireId(options.adminId, 'adminId') } as const;
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const admin = await lockOtherAdmin(app, { adminId: account.id, actor });
    await remove(app, { account, reason, actor });
    return admin;
  });
}

/** With the account's row locked. */
async function remove(app: App, { account, reason, actor }: Removal & { account: Owner }): Promise<void> {
  if (!(await hasSecondFactor(app, account))) return;
  await deleteSecondFactor(app, account);
  // Guesses at what is no more would hold up the next one from its first code on.
  await clearFailures(app, account.id, ['second factor']);
  await endSessions(app, { account, reason: 'SECOND_FACTOR_REMOVED' });
  const target = { kind: account.kind, id: account.id };
  const userId = personOf(account);
  await recordAudit(app, { actor, action: `${account.kind}.second_factor_removed`, userId, target, reason });
  const to = await getAccount(app, account);
  const data = { username: to.username, when: app.now(), reason };
  await queueLetter(app, { ...addressOf(to), kind: 'SECOND_FACTOR_REMOVED', requestId: actor.requestId, data });
}
