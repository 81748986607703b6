import type { Context } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { shownEmail } from '../../core/viewer.js';
import type { SessionRow, UserRow } from './auth.table.js';
import { type AuthPayload, type SecondFactorRequired, type User, UserStatus } from './auth.types.js';
import { ownerOfRow } from './owner.js';
import type { SecondFactorChallenge } from './second-factor.service.js';
import type { Account, Issued } from './sessions.service.js';
import { type RefreshPayload, type Session, SessionMethod } from './sessions.types.js';
import { isSuspended } from './users.service.js';

function statusOf(row: UserRow, now: Date): UserStatus {
  if (row.deletedAt) return UserStatus.DELETED;
  return isSuspended(row, now) ? UserStatus.SUSPENDED : UserStatus.ACTIVE;
}

/** The row as the schema shows it: named columns only, nothing spread. */
export function toUser(row: UserRow, now: Date): User {
  return {
    id: row.id,
    username: row.username,
    email: (_args, { viewer }) => shownEmail(viewer, row.email),
    emailVerified: row.emailVerifiedAt !== null,
    displayName: row.displayName,
    locale: row.locale,
    timeZone: row.timeZone,
    avatarUrl: row.avatarUrl,
    status: statusOf(row, now),
    createdAt: row.createdAt,
    lastLoginAt: row.lastLoginAt,
    planCode: row.planCode,
  };
}

export function toSession(row: SessionRow, context: Context): Session {
  const { viewer } = context;
  const owner = ownerOfRow(row);
  return {
    id: row.id,
    createdAt: row.createdAt,
    lastUsedAt: row.lastUsedAt,
    authenticatedAt: row.authenticatedAt,
    expiresAt: row.expiresAt,
    ip: row.ip,
    userAgent: row.userAgent,
    method: SessionMethod[row.method],
    current: 'sessionId' in viewer && viewer.sessionId === row.id,
    impersonation:
      row.impersonatorId === null ? null : { reason: row.impersonationReason ?? '', readOnly: row.readOnly },
    accountKind: owner.kind,
    accountId: owner.id,
  };
}

/** Hands the refresh token to the client: in the answer, or in cookie mode only in the cookie. */
export function deliverRefreshToken(context: Context, issued: Issued): string | null {
  if (!context.app.config.tokens.refreshCookie) return issued.refreshToken;
  context.refreshCookie.write(issued.refreshToken, issued.refreshTokenExpiresAt);
  return null;
}

/** The client's refresh token is done with. An impersonation has none: the cookie there is the admin's own. */
export function forgetRefreshToken(context: Context): void {
  const { viewer } = context;
  if (viewer.kind === 'user' && viewer.impersonatedBy) return;
  context.refreshCookie.write(null);
}

/**
 * The refresh token of a request: the argument, or in cookie mode only the cookie (an argument there would let a page
 * that holds a token of its own write it into this browser).
 *
 * @throws BAD_USER_INPUT for the wrong way; UNAUTHENTICATED when there is no cookie
 */
export function requireRefreshToken(context: Context, given: string | null | undefined): string {
  if (!context.app.config.tokens.refreshCookie) {
    if (typeof given === 'string') return given;
    throw badInput({ refreshToken: 'is required' });
  }
  if (typeof given === 'string') throw badInput({ refreshToken: 'must be left out: this server reads its cookie' });
  const kept = context.refreshCookie.read();
  if (kept === undefined) throw new AppError('UNAUTHENTICATED');
  return kept;
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

/** A sign-in, or the question for the second factor. */
export function toLoginResult(
  context: Context,
  signedIn: { issued: Issued; user: UserRow } | { challenge: SecondFactorChallenge },
): AuthPayload | SecondFactorRequired {
  return 'challenge' in signedIn ? signedIn.challenge : toAuthPayload(context, signedIn);
}

export function toRefreshPayload(context: Context, refreshed: Issued & { account: Account }): RefreshPayload {
  return {
    accessToken: refreshed.accessToken,
    accessTokenExpiresAt: refreshed.accessTokenExpiresAt,
    refreshToken: deliverRefreshToken(context, refreshed),
    accountKind: refreshed.account.kind,
    accountId: refreshed.account.id,
  };
}
