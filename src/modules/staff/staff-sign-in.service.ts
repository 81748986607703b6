import { eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { found } from '../../core/input.js';
import { type OperatorSignedIn, operatorLogin } from '../auth/operator-sign-in.service.js';
import { type StaffRow, staffMembers } from './staff.table.js';

/** @throws NOT_FOUND */
export async function getStaff(app: App, id: string): Promise<StaffRow> {
  const [staff] = await app.db.select().from(staffMembers).where(eq(staffMembers.id, id));
  return found(staff);
}

/** Signs a staff member in. @throws INVALID_CREDENTIALS, RATE_LIMITED, RETRY_LATER */
export async function staffLogin(
  app: App,
  options: { identifier: string; password: string; actor: Actor },
): Promise<OperatorSignedIn> {
  return operatorLogin(app, { ...options, kind: 'staff' });
}
