import type { Context } from '../../core/context.js';
import { deliverRefreshToken } from '../auth/auth.present.js';
import type { SecondFactorRequired } from '../auth/auth.types.js';
import type { OperatorSignedIn } from '../auth/operator-sign-in.service.js';
import type { Issued } from '../auth/sessions.service.js';
import type { AdminRow } from './admin.table.js';
import { type Admin, type AdminAuthPayload, AdminStatus } from './admin.types.js';
import { getAdmin } from './admin-sign-in.service.js';

function statusOf(row: AdminRow): AdminStatus {
  if (row.disabledAt) return AdminStatus.DISABLED;
  return row.passwordHash === null ? AdminStatus.INVITED : AdminStatus.ACTIVE;
}

/** The row as the schema shows it: named columns only, nothing spread. */
export function toAdmin(row: AdminRow): Admin {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    status: statusOf(row),
    permissions: row.permissions,
    createdAt: row.createdAt,
    lastLoginAt: row.lastLoginAt,
  };
}

/** A sign-in, or the question for the second factor. */
export async function toAdminLoginResult(
  context: Context,
  signedIn: OperatorSignedIn,
): Promise<AdminAuthPayload | SecondFactorRequired> {
  if ('challenge' in signedIn) return signedIn.challenge;
  const { issued, accountId } = signedIn;
  return toAdminAuthPayload(context, { issued, admin: await getAdmin(context.app, accountId) });
}

export function toAdminAuthPayload(
  context: Context,
  { issued, admin }: { issued: Issued; admin: AdminRow },
): AdminAuthPayload {
  return {
    accessToken: issued.accessToken,
    accessTokenExpiresAt: issued.accessTokenExpiresAt,
    refreshToken: deliverRefreshToken(context, issued),
    admin: toAdmin(admin),
  };
}
