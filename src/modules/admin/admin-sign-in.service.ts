import { eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { found } from '../../core/input.js';
import { type OperatorSignedIn, operatorLogin } from '../auth/operator-sign-in.service.js';
import { type AdminRow, admins } from './admin.table.js';

/** @throws NOT_FOUND */
export async function getAdmin(app: App, id: string): Promise<AdminRow> {
  const [admin] = await app.db.select().from(admins).where(eq(admins.id, id));
  return found(admin);
}

/** Signs an admin in. @throws INVALID_CREDENTIALS, RATE_LIMITED, RETRY_LATER */
export async function adminLogin(
  app: App,
  options: { identifier: string; password: string; actor: Actor },
): Promise<OperatorSignedIn> {
  return operatorLogin(app, { ...options, kind: 'admin' });
}
