import type { Context } from '../../core/context.js';
import { toAdminAuthPayload } from '../admin/admin.present.js';
import { getAdmin } from '../admin/admin-sign-in.service.js';
import { toAuthPayload } from '../auth/auth.present.js';
import type { Owner } from '../auth/owner.js';
import type { Issued } from '../auth/sessions.service.js';
import { getUser } from '../auth/users.service.js';
import { toStaffAuthPayload } from '../staff/staff.present.js';
import { getStaff } from '../staff/staff-sign-in.service.js';
import type { SecondFactorResult } from './second-factor.types.js';

/** The session as the sign-in of its kind of account would have answered it. */
export async function toSecondFactorResult(
  context: Context,
  { issued, owner }: { issued: Issued; owner: Owner },
): Promise<typeof SecondFactorResult> {
  const { app } = context;
  if (owner.kind === 'user') return toAuthPayload(context, { issued, user: await getUser(app, owner.id) });
  if (owner.kind === 'admin') return toAdminAuthPayload(context, { issued, admin: await getAdmin(app, owner.id) });
  return toStaffAuthPayload(context, { issued, staff: await getStaff(app, owner.id) });
}
