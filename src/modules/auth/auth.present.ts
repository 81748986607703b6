import type { Context } from '../../core/context.js';
import { isSuspended } from './accounts.service.js';
import type { UserRow } from './auth.table.js';
import { type AuthPayload, type RegisterPayload, type User, UserStatus } from './auth.types.js';
import type { Issued } from './sessions.service.js';

/** The row as the schema shows it: named columns only, nothing spread. */
export function toUser(row: UserRow, now: Date): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    emailVerified: row.emailVerifiedAt !== null,
    displayName: row.displayName,
    locale: row.locale,
    timeZone: row.timeZone,
    avatarUrl: row.avatarUrl,
    status: isSuspended(row, now) ? UserStatus.SUSPENDED : UserStatus.ACTIVE,
    createdAt: row.createdAt,
    lastLoginAt: row.lastLoginAt,
    planCode: row.planCode,
  };
}

/** Hands the refresh token to the client: in the answer, or in cookie mode only in the cookie. */
export function deliverRefreshToken(context: Context, issued: Issued): string | null {
  if (!context.app.config.tokens.refreshCookie) return issued.refreshToken;
  context.refreshCookie.write(issued.refreshToken, issued.refreshTokenExpiresAt);
  return null;
}

export function toAuthPayload(context: Context, signedIn: { issued: Issued; user: UserRow }): AuthPayload {
  const { issued, user } = signedIn;
  return {
    accessToken: issued.accessToken,
    accessTokenExpiresAt: issued.accessTokenExpiresAt,
    refreshToken: deliverRefreshToken(context, issued),
    user: toUser(user, context.app.now()),
  };
}

export function toRegisterPayload(context: Context, registered: { issued: Issued; user: UserRow } | { issued: null; user: null }): RegisterPayload {
  if (registered.issued) return toAuthPayload(context, registered);
  return { accessToken: null, accessTokenExpiresAt: null, refreshToken: null, user: null };
}
