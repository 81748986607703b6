// Invariants: a session belongs to one account of one kind; an ended session never comes back; ending counts for
// every reader at once, because every reader reads the row.
import { and, eq, gt, isNull } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { found } from '../../core/input.js';
import { createLookup } from '../../core/lookups.js';
import type { NestedList } from '../../core/nested-pages.js';
import { sha256 } from '../../core/secrets.js';
import type { TokenKind } from '../../core/tokens.js';
import { type SessionRow, sessions } from './auth.table.js';
import { ownerColumn, toOwnerColumns } from './owner.js';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** Idle and absolute life by kind of account. Staff and admins work in shifts; people come back after weeks. */
const LIFE: Record<TokenKind, { idleMs: number; absoluteMs: number }> = {
  user: { idleMs: 30 * DAY, absoluteMs: 90 * DAY },
  admin: { idleMs: 8 * HOUR, absoluteMs: 8 * HOUR },
  staff: { idleMs: 12 * HOUR, absoluteMs: 12 * HOUR },
};

export const FRESH_MS = 10 * 60_000;

export interface Issued {
  accessToken: string;
  accessTokenExpiresAt: Date;
  refreshToken: string;
  refreshTokenExpiresAt: Date;
  sessionId: string;
}

/** Whom an audit row concerns, when it is a person with a security history. */
export const personOf = (account: AccountRef): string | undefined => (account.kind === 'user' ? account.id : undefined);

export interface Account {
  kind: TokenKind;
  id: string;
  username: string;
}

/** The answer to a sign-in or a refresh: an access token for the session beside its refresh token. */
export async function issueTokens(
  app: App,
  session: { account: Account; sessionId: string; refreshToken: string; expiresAt: Date },
): Promise<Issued> {
  const { account, sessionId } = session;
  const access = await app.tokens.sign({
    kind: account.kind,
    subject: account.id,
    sessionId,
    username: account.username,
    now: app.now(),
  });
  return {
    accessToken: access.token,
    accessTokenExpiresAt: access.expiresAt,
    refreshToken: session.refreshToken,
    refreshTokenExpiresAt: session.expiresAt,
    sessionId,
  };
}

interface NewSession {
  account: Account;
  method: SessionRow['method'];
  actor: Actor;
}

/** A new session with its first pair of tokens. Call it inside the transaction that proved who this is. */
export async function openSession(app: App, options: NewSession): Promise<Issued> {
  const { row, issued } = await newSession(app, options);
  await app.db.insert(sessions).values(row);
  return issued;
}

/** The row of a new session, and the tokens that are good once it is written. */
export async function newSession(
  app: App,
  options: NewSession,
): Promise<{ row: typeof sessions.$inferInsert; issued: Issued }> {
  const { account, method, actor } = options;
  const now = app.now();
  const sessionId = newId();
  const refreshToken = app.refreshTokens.first(sessionId);
  const expiresAt = new Date(now.getTime() + LIFE[account.kind].idleMs);
  const row = {
    id: sessionId,
    ...toOwnerColumns(account),
    method,
    refreshHash: sha256(refreshToken),
    rotatedAt: now,
    createdAt: now,
    lastUsedAt: now,
    authenticatedAt: now,
    expiresAt,
    endsAt: new Date(now.getTime() + LIFE[account.kind].absoluteMs),
    ip: actor.ip,
    userAgent: actor.userAgent,
  };
  return { row, issued: await issueTokens(app, { account, sessionId, refreshToken, expiresAt }) };
}

/** What a request needs to know of a session and its account, in one row. */
export interface LiveSession {
  sessionId: string;
  kind: TokenKind;
  accountId: string;
  username: string;
  email: string;
  emailVerified: boolean;
  planCode: string | null;
  timeZone: string | null;
  /** Of an admin. */
  permissions: string[] | null;
  /** Of support staff. */
  level: number | null;
  /** Of an admin who lacks the second factor that is required of admins. */
  mustEnroll: boolean;
  authenticatedAt: Date;
  /** Also of an impersonation whose admin may not impersonate any more. */
  revokedAt: Date | null;
  expiresAt: Date;
  /** The admin who acts in the person's name, in an impersonation. */
  impersonatedBy: string | null;
  readOnly: boolean;
  /** Why the account may not act, if it may not. */
  suspended: boolean;
}

interface LookupRow {
  session_id: string;
  kind: TokenKind;
  account_id: string;
  username: string;
  email: string;
  email_verified: boolean;
  plan_code: string | null;
  time_zone: string | null;
  permissions: string[] | null;
  level: number | null;
  has_totp: boolean;
  authenticated_at: Date;
  revoked_at: Date | null;
  expires_at: Date;
  impersonator_id: string | null;
  read_only: boolean;
  suspended_at: Date | null;
  suspended_until: Date | null;
}

/** What an admin has to hold for as long as they act in somebody's name. */
export const IMPERSONATE = 'users:impersonate';

const LOOKUP = `
  select s.id as session_id, coalesce(s.user_id, s.admin_id, s.staff_id) as account_id,
         case when s.user_id is not null then 'user' when s.admin_id is not null then 'admin' else 'staff' end as kind,
         coalesce(u.username, a.username, m.username) as username, coalesce(u.email, a.email, m.email) as email,
         (s.user_id is null or u.email_verified_at is not null) as email_verified,
         u.plan_code, u.time_zone, a.permissions, m.level,
         s.admin_id is not null
           and exists (select from totp_factors t where t.admin_id = s.admin_id and t.confirmed_at is not null) as has_totp,
         s.authenticated_at, s.expires_at, s.impersonator_id, s.read_only,
         coalesce(s.revoked_at, i.disabled_at,
                  case when not ('${IMPERSONATE}' = any(i.permissions)) then s.created_at end) as revoked_at,
         coalesce(u.suspended_at, a.disabled_at, m.disabled_at) as suspended_at, u.suspended_until
    from sessions s
    left join users u on u.id = s.user_id
    left join admins a on a.id = s.admin_id
    left join staff_members m on m.id = s.staff_id
    left join admins i on i.id = s.impersonator_id
   where s.id = any($1::uuid[]) and u.deleted_at is null`;

function toLiveSession(app: App, row: LookupRow): LiveSession {
  const now = app.now();
  return {
    sessionId: row.session_id,
    kind: row.kind,
    accountId: row.account_id,
    username: row.username,
    email: row.email,
    emailVerified: row.email_verified,
    planCode: row.plan_code,
    timeZone: row.time_zone,
    permissions: row.permissions,
    level: row.level,
    mustEnroll: app.config.secondFactor.requiredForAdmins && row.kind === 'admin' && !row.has_totp,
    authenticatedAt: row.authenticated_at,
    revokedAt: row.revoked_at,
    expiresAt: row.expires_at,
    impersonatedBy: row.impersonator_id,
    readOnly: row.read_only,
    suspended: row.suspended_at !== null && (row.suspended_until === null || row.suspended_until > now),
  };
}

const lookups = new WeakMap<App['database'], (id: string) => Promise<LookupRow | undefined>>();

/** The session and its account as the database has them now; look-ups of one turn share one query. */
export async function findSession(app: App, sessionId: string): Promise<LiveSession | undefined> {
  let lookup = lookups.get(app.database);
  if (!lookup) {
    const { database, metrics } = app;
    lookup = createLookup(async (ids) => {
      metrics.batchSizes.add('sessions', ids.length);
      return new Map((await database.sql.query<LookupRow>(LOOKUP, [ids])).map((row) => [row.session_id, row]));
    });
    lookups.set(app.database, lookup);
  }
  const row = await lookup(sessionId);
  app.metrics.sessionLookups.add(row ? 'database' : 'missing');
  return row && toLiveSession(app, row);
}

export type AccountRef = Pick<Account, 'kind' | 'id'>;

const isLive = (app: App) => and(isNull(sessions.revokedAt), gt(sessions.expiresAt, app.now()));

export const liveSessionsOf = (app: App, account: AccountRef) =>
  and(eq(ownerColumn<AnyPgColumn>(sessions, account.kind), account.id), isLive(app));

/** The live sessions of people. */
export const sessionsOfUsers: NestedList<SessionRow> = {
  table: sessions,
  columns: { parent: sessions.userId, time: sessions.createdAt, id: sessions.id },
  where: isLive,
  parentOf: (row) => row.userId,
  keyOf: (row) => [row.createdAt, row.id],
};

/** The account's live session with this id; NOT_FOUND for another's, as for one that never was. */
export async function getSession(app: App, options: { account: AccountRef; sessionId: string }): Promise<SessionRow> {
  const [row] = await app.db
    .select()
    .from(sessions)
    .where(and(eq(sessions.id, options.sessionId), liveSessionsOf(app, options.account)));
  return found(row);
}
