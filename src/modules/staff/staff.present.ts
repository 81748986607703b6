import type { Context } from '../../core/context.js';
import { deliverRefreshToken } from '../auth/auth.present.js';
import type { SecondFactorRequired } from '../auth/auth.types.js';
import type { OperatorSignedIn } from '../auth/operator-sign-in.service.js';
import type { Issued } from '../auth/sessions.service.js';
import type { StaffRow } from './staff.table.js';
import { type Staff, type StaffAuthPayload, StaffStatus } from './staff.types.js';
import { getStaff } from './staff-sign-in.service.js';

function statusOf(row: StaffRow): StaffStatus {
  if (row.disabledAt) return StaffStatus.DISABLED;
  return row.passwordHash === null ? StaffStatus.INVITED : StaffStatus.ACTIVE;
}

/** The row as the schema shows it: named columns only, nothing spread. */
export function toStaff(row: StaffRow): Staff {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    status: statusOf(row),
    level: row.level,
    createdAt: row.createdAt,
    lastLoginAt: row.lastLoginAt,
  };
}

/** A sign-in, or the question for the second factor. */
export async function toStaffLoginResult(
  context: Context,
  signedIn: OperatorSignedIn,
): Promise<StaffAuthPayload | SecondFactorRequired> {
  if ('challenge' in signedIn) return signedIn.challenge;
  const { issued, accountId } = signedIn;
  return toStaffAuthPayload(context, { issued, staff: await getStaff(context.app, accountId) });
}

export function toStaffAuthPayload(
  context: Context,
  { issued, staff }: { issued: Issued; staff: StaffRow },
): StaffAuthPayload {
  return {
    accessToken: issued.accessToken,
    accessTokenExpiresAt: issued.accessTokenExpiresAt,
    refreshToken: deliverRefreshToken(context, issued),
    staff: toStaff(staff),
  };
}
