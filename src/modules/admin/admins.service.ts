// Invariants: nobody gives a permission they do not hold, and nobody touches an admin who holds one they do not (A2);
// nobody touches their own rights (A1); there is always an admin with a password who holds admins:manage (A5). All of
// it is decided under a lock on every admin who holds it, so that two who act on each other act one after the other.
import { and, arrayContains, desc, eq, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found, requireEmail, requireId, requireReason, requireUsername } from '../../core/input.js';
import { linkTo } from '../../core/links.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { createEmailToken, voidEmailTokens } from '../auth/email-tokens.service.js';
import { endImpersonations, endSessions } from '../auth/session-ends.service.js';
import { IMPERSONATE } from '../auth/sessions.service.js';
import { OPERATORS_READ } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type AdminRow, admins } from './admin.table.js';
import { type Permission, requirePermissions } from './permissions.js';

const MANAGE = 'admins:manage';

/** All admins, newest first, the disabled ones too. @throws BAD_USER_INPUT */
export async function listAdmins(app: App, asked: PageArguments): Promise<Connection<AdminRow>> {
  const page = readPage(asked, ['time', 'id']);
  const rows = await app.db
    .select()
    .from(admins)
    .where(olderThan({ time: admins.createdAt, id: admins.id }, page.after))
    .orderBy(desc(admins.createdAt), desc(admins.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => app.db.$count(admins),
  });
}

/** Who holds the permission now: whom a letter about it goes to. */
export async function listAdminsWith(app: App, permission: Permission): Promise<AdminRow[]> {
  return app.db
    .select()
    .from(admins)
    .where(and(isNull(admins.disabledAt), arrayContains(admins.permissions, [permission])))
    .orderBy(admins.id);
}

interface Managers {
  /** The one who acts, as the database has them now. */
  self: AdminRow;
  all: AdminRow[];
}

/** Everybody who manages admins, locked until the transaction ends. @throws FORBIDDEN when the actor is not among them */
async function lockManagers(app: App, actor: Actor): Promise<Managers> {
  const all = await app.db
    .select()
    .from(admins)
    .where(and(isNull(admins.disabledAt), arrayContains(admins.permissions, [MANAGE])))
    .orderBy(admins.id)
    .for('update');
  const self = actor.kind === 'ADMIN' ? all.find((admin) => admin.id === actor.id) : undefined;
  // Let in by the access page, and no longer a manager by now.
  if (!self) throw new AppError('FORBIDDEN');
  return { self, all };
}

/** @throws FORBIDDEN when somebody holds less than all of these */
function requireHolds(admin: AdminRow, permissions: readonly string[]): void {
  const lacking = permissions.filter((permission) => !admin.permissions.includes(permission));
  if (lacking.length === 0) return;
  throw new AppError('FORBIDDEN', { message: `You do not hold ${lacking.join(', ')} yourself.` });
}

/**
 * A new admin, who sets a password with the invitation that is mailed.
 *
 * @throws BAD_USER_INPUT, FORBIDDEN for a permission that the caller does not hold, USER_ALREADY_EXISTS
 */
export async function createAdmin(
  app: App,
  options: { username: string; email: string; permissions: readonly string[]; actor: Actor },
): Promise<AdminRow> {
  const { actor } = options;
  const identity = { ...requireUsername(options.username), ...requireEmail(options.email) };
  const permissions = requirePermissions(options.permissions);
  try {
    return await transact(app, async (app) => {
      const { self } = await lockManagers(app, actor);
      requireHolds(self, permissions);
      const row = { id: newId(), ...identity, permissions, createdBy: self.id, createdAt: app.now() };
      const [admin] = await app.db.insert(admins).values(row).returning();
      await invite(app, { admin: found(admin), invitedBy: self.username, requestId: actor.requestId });
      const after = { username: row.username, email: row.email, permissions };
      await recordAudit(app, { actor, action: 'admin.created', target: { kind: 'admin', id: row.id }, after });
      return found(admin);
    });
  } catch (error) {
    throw isUniqueViolation(error) ? new AppError('USER_ALREADY_EXISTS') : error;
  }
}

async function invite(
  app: App,
  { admin, invitedBy, requestId }: { admin: AdminRow; invitedBy: string; requestId: string | null },
): Promise<void> {
  const owner = { kind: 'admin', id: admin.id } as const;
  const token = await createEmailToken(app, { purpose: 'INVITATION', owner, email: admin.email });
  const data = { username: admin.username, link: linkTo(app.config, '/accept-invitation', token), invitedBy };
  await queueLetter(app, { ...OPERATORS_READ, kind: 'INVITATION', to: admin.email, requestId, data });
}

/** The admin to be changed, locked. @throws NOT_FOUND, FORBIDDEN, CONFLICT for the last who manages admins */
async function requireSubject(
  app: App,
  options: { adminId: string; managers: Managers; losesManage: boolean },
): Promise<AdminRow> {
  const { adminId, managers, losesManage } = options;
  const [row] = await app.db.select().from(admins).where(eq(admins.id, adminId)).for('update');
  const subject = found(row);
  const remaining = managers.all.filter(({ id, passwordHash }) => id !== subject.id && passwordHash !== null);
  if (losesManage && remaining.length === 0) {
    throw new AppError('CONFLICT', { message: `The last admin who holds ${MANAGE} keeps it.` });
  }
  if (subject.id === managers.self.id) {
    throw new AppError('FORBIDDEN', { message: 'Nobody changes their own rights: ask another admin.' });
  }
  requireHolds(managers.self, subject.permissions);
  return subject;
}

/**
 * Another admin, locked, over whom the caller has power. Inside the caller's transaction.
 *
 * @throws NOT_FOUND, FORBIDDEN for oneself and for an admin who holds more than the caller
 */
export async function lockOtherAdmin(
  app: App,
  { adminId, actor }: { adminId: string; actor: Actor },
): Promise<AdminRow> {
  const managers = await lockManagers(app, actor);
  return requireSubject(app, { adminId, managers, losesManage: false });
}

/**
 * Replaces an admin's permissions; they count with the next request.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN for oneself, for an admin who holds more than the caller and for a
 *   permission that the caller does not hold; CONFLICT for a disabled admin and for the last who manages admins
 */
export async function updateAdmin(
  app: App,
  options: { adminId: string; permissions: readonly string[]; actor: Actor },
): Promise<AdminRow> {
  const { actor } = options;
  const adminId = requireId(options.adminId, 'adminId');
  const permissions = requirePermissions(options.permissions);
  return transact(app, async (app) => {
    const managers = await lockManagers(app, actor);
    const losesManage = !permissions.includes(MANAGE);
    const subject = await requireSubject(app, { adminId, managers, losesManage });
    if (subject.disabledAt) throw new AppError('CONFLICT', { message: 'This admin is disabled.' });
    requireHolds(managers.self, permissions);
    const [changed] = await app.db.update(admins).set({ permissions }).where(eq(admins.id, adminId)).returning();
    if (!permissions.includes(IMPERSONATE)) await endImpersonations(app, { adminId, reason: 'PERMISSION_REMOVED' });
    await recordAudit(app, {
      actor,
      action: 'admin.updated',
      target: { kind: 'admin', id: adminId },
      before: { permissions: subject.permissions },
      after: { permissions },
    });
    return found(changed);
  });
}

/**
 * Shuts an admin out at once, for good: sessions and open invitations end. Doing it twice answers the same.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, FORBIDDEN for oneself and for an admin who holds more than the caller; CONFLICT
 *   for the last who manages admins
 */
export async function disableAdmin(
  app: App,
  options: { adminId: string; reason: string; actor: Actor },
): Promise<AdminRow> {
  const { actor } = options;
  const adminId = requireId(options.adminId, 'adminId');
  const reason = requireReason(options.reason);
  return transact(app, async (app) => {
    const managers = await lockManagers(app, actor);
    const subject = await requireSubject(app, { adminId, managers, losesManage: true });
    if (subject.disabledAt) return subject;
    const disabledAt = app.now();
    const [disabled] = await app.db.update(admins).set({ disabledAt }).where(eq(admins.id, adminId)).returning();
    const account = { kind: 'admin', id: adminId } as const;
    await endSessions(app, { account, reason: 'ADMIN_DISABLED' });
    await voidEmailTokens(app, { owner: account });
    await recordAudit(app, { actor, action: 'admin.disabled', target: { kind: 'admin', id: adminId }, reason });
    return found(disabled);
  });
}
