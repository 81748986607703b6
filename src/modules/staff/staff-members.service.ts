// Invariants: nobody makes a staff member who may do more than they may themselves (A2); what a staff member may do is
// read from the row on every request, so a change counts at once.
import { desc, eq } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireEmail, requireId, requireReason, requireUsername } from '../../core/input.js';
import { linkTo } from '../../core/links.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { admins } from '../admin/admin.table.js';
import { recordAudit } from '../audit/audit.service.js';
import { createEmailToken, voidEmailTokens } from '../auth/email-tokens.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { OPERATORS_READ } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type StaffRow, staffMembers } from './staff.table.js';

/** The permissions an admin needs for the same acts (SPEC 3.4). */
const POWERS: ReadonlyMap<number, readonly string[]> = new Map([
  [1, ['users:read', 'users:write']],
  [2, ['users:read', 'users:write', 'messages:read']],
  [3, ['users:read', 'users:write', 'messages:read', 'credits:adjust']],
]);

/** All staff, newest first, the disabled ones too. @throws BAD_USER_INPUT */
export async function listStaff(app: App, asked: PageArguments): Promise<Connection<StaffRow>> {
  const page = readPage(asked, ['time', 'id']);
  const rows = await app.db
    .select()
    .from(staffMembers)
    .where(olderThan({ time: staffMembers.createdAt, id: staffMembers.id }, page.after))
    .orderBy(desc(staffMembers.createdAt), desc(staffMembers.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => app.db.$count(staffMembers),
  });
}

/** @throws BAD_USER_INPUT for whatever is no level (A7) */
function requireLevel(level: number): number {
  if (!POWERS.has(level)) throw badInput({ level: 'must be 1, 2 or 3' });
  return level;
}

/** The admin who acts, unchanged until the transaction ends. @throws FORBIDDEN for a level above their own powers */
async function requireMayGrant(app: App, { actor, level }: { actor: Actor; level: number }): Promise<string> {
  const [admin] = await app.db
    .select()
    .from(admins)
    .where(eq(admins.id, requireId(actor.id ?? '')))
    .for('share');
  const { username, permissions } = found(admin);
  const lacking = (POWERS.get(level) ?? []).filter((permission) => !permissions.includes(permission));
  if (lacking.length === 0) return username;
  throw new AppError('FORBIDDEN', { message: `You do not hold ${lacking.join(', ')} yourself.` });
}

/**
 * A new staff member, who sets a password with the invitation that is mailed.
 *
 * @throws BAD_USER_INPUT, FORBIDDEN for a level above the caller's own powers, USER_ALREADY_EXISTS
 */
export async function createStaff(
  app: App,
  options: { username: string; email: string; level: number; actor: Actor },
): Promise<StaffRow> {
  const { actor } = options;
  const identity = { ...requireUsername(options.username), ...requireEmail(options.email) };
  const level = requireLevel(options.level);
  try {
    return await transact(app, async (app) => {
      const invitedBy = await requireMayGrant(app, { actor, level });
      const row = { id: newId(), ...identity, level, createdBy: actor.id, createdAt: app.now() };
      const [staff] = await app.db.insert(staffMembers).values(row).returning();
      await invite(app, { staff: found(staff), invitedBy, requestId: actor.requestId });
      const after = { username: row.username, email: row.email, level };
      await recordAudit(app, { actor, action: 'staff.created', target: { kind: 'staff', id: row.id }, after });
      return found(staff);
    });
  } catch (error) {
    throw isUniqueViolation(error) ? new AppError('USER_ALREADY_EXISTS') : error;
  }
}

async function invite(
  app: App,
  { staff, invitedBy, requestId }: { staff: StaffRow; invitedBy: string; requestId: string | null },
): Promise<void> {
  const owner = { kind: 'staff', id: staff.id } as const;
  const token = await createEmailToken(app, { purpose: 'INVITATION', owner, email: staff.email });
  const data = { username: staff.username, link: linkTo(app.config, '/accept-invitation', token), invitedBy };
  await queueLetter(app, { ...OPERATORS_READ, kind: 'INVITATION', to: staff.email, requestId, data });
}

async function lockStaff(app: App, staffId: string): Promise<StaffRow> {
  const [row] = await app.db.select().from(staffMembers).where(eq(staffMembers.id, staffId)).for('update');
  return found(row);
}

/**
 * A staff member, locked, who may do nothing that the caller may not. Inside the caller's transaction.
 *
 * @throws NOT_FOUND, FORBIDDEN for a level above the caller's own powers
 */
export async function lockStaffBelow(
  app: App,
  { staffId, actor }: { staffId: string; actor: Actor },
): Promise<StaffRow> {
  const staff = await lockStaff(app, staffId);
  await requireMayGrant(app, { actor, level: staff.level });
  return staff;
}

/**
 * Changes a staff member's level; it counts with the next request.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN for a level above the caller's own powers, CONFLICT for a disabled one
 */
export async function updateStaff(
  app: App,
  options: { staffId: string; level: number; actor: Actor },
): Promise<StaffRow> {
  const { actor } = options;
  const staffId = requireId(options.staffId, 'staffId');
  const level = requireLevel(options.level);
  return transact(app, async (app) => {
    await requireMayGrant(app, { actor, level });
    const before = await lockStaff(app, staffId);
    if (before.disabledAt) throw new AppError('CONFLICT', { message: 'This staff member is disabled.' });
    const [changed] = await app.db.update(staffMembers).set({ level }).where(eq(staffMembers.id, staffId)).returning();
    await recordAudit(app, {
      actor,
      action: 'staff.updated',
      target: { kind: 'staff', id: staffId },
      before: { level: before.level },
      after: { level },
    });
    return found(changed);
  });
}

/**
 * Shuts a staff member out at once, for good: sessions and open invitations end. Doing it twice answers the same.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function disableStaff(
  app: App,
  options: { staffId: string; reason: string; actor: Actor },
): Promise<StaffRow> {
  const { actor } = options;
  const staffId = requireId(options.staffId, 'staffId');
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const before = await lockStaff(app, staffId);
    if (before.disabledAt) return before;
    const disabledAt = app.now();
    const [row] = await app.db.update(staffMembers).set({ disabledAt }).where(eq(staffMembers.id, staffId)).returning();
    const account = { kind: 'staff', id: staffId } as const;
    await endSessions(app, { account, reason: 'STAFF_DISABLED' });
    await voidEmailTokens(app, { owner: account });
    await recordAudit(app, { actor, action: 'staff.disabled', target: { kind: 'staff', id: staffId }, reason });
    return found(row);
  });
}
