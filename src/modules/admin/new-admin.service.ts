import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { requireEmail, requireUsername } from '../../core/input.js';
import { requirePassword } from '../../core/password-policy.js';
import { recordAudit } from '../audit/audit.service.js';
import { admins } from './admin.table.js';
import { type Permission, requirePermissions } from './permissions.js';

export interface NewAdmin {
  id: string;
  username: string;
  email: string;
  permissions: Permission[];
}

/**
 * An admin who signs in with this password at once, without an invitation: made by whoever runs the server, which is
 * how one gets in where no admin can.
 *
 * @throws BAD_USER_INPUT, WEAK_PASSWORD, USER_ALREADY_EXISTS
 */
export async function createAdminWithPassword(
  app: App,
  options: { username: string; email: string; password: string; permissions: readonly string[]; actor: Actor },
): Promise<NewAdmin> {
  const { password, actor } = options;
  const identity = { ...requireUsername(options.username), ...requireEmail(options.email) };
  const permissions = requirePermissions(options.permissions);
  const context = [identity.username, identity.email];
  requirePassword(password, { minLength: app.config.passwords.minLength, context });
  const passwordHash = await app.passwords.hash(password);
  const { username, email } = identity;
  const id = newId();
  try {
    await transact(app, async (app) => {
      await app.db.insert(admins).values({ id, ...identity, passwordHash, permissions, createdAt: app.now() });
      const after = { username, email, permissions };
      const reason = 'made on the command line';
      await recordAudit(app, { actor, action: 'admin.created', target: { kind: 'admin', id }, after, reason });
    });
  } catch (error) {
    throw isUniqueViolation(error) ? new AppError('USER_ALREADY_EXISTS') : error;
  }
  return { id, username, email, permissions };
}
