import type { Context } from '../../core/context.js';
import { deliverRefreshToken } from '../auth/auth.present.js';
import type { AdminRow } from './admin.table.js';
import { type Admin, type AdminAuthPayload, AdminStatus } from './admin.types.js';
import type { AdminSignedIn } from './admin-sign-in.service.js';

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

export function toAdminAuthPayload(context: Context, { issued, admin }: AdminSignedIn): AdminAuthPayload {
  return {
    accessToken: issued.accessToken,
    accessTokenExpiresAt: issued.accessTokenExpiresAt,
    refreshToken: deliverRefreshToken(context, issued),
    admin: toAdmin(admin),
  };
}
