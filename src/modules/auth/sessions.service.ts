// Invariants: a session belongs to one account of one kind; at most one refresh token is current and one, for
// twenty seconds, is its predecessor; an ended session never comes back; ending counts for every reader at once,
// because every reader reads the row.
import { and, eq, gt, isNull, ne } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { createLookup } from '../../core/lookups.js';
import { sha256 } from '../../core/secrets.js';
import type { TokenKind } from '../../core/tokens.js';
import { recordAudit } from '../audit/audit.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type SessionRow, sessions, users } from './auth.table.js';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** Idle and absolute life by kind of account. Staff and admins work in shifts; people come back after weeks. */
const LIFE: Record<TokenKind, { idleMs: number; absoluteMs: number }> = {
  user: { idleMs: 30 * DAY, absoluteMs: 90 * DAY },
  admin: { idleMs: 8 * HOUR, absoluteMs: 8 * HOUR },
};

export const FRESH_MS = 10 * 60_000;

/** How long the token before the current one still yields the current one. */
const GRACE_SECONDS = 20;

export interface Issued {
  accessToken: string;
  accessTokenExpiresAt: Date;
  refreshToken: string;
  refreshTokenExpiresAt: Date;
  sessionId: string;
}

interface Account {
  kind: TokenKind;
  id: string;
  username: string;
}

async function issue(app: App, session: { account: Account; sessionId: string; refreshToken: string; expiresAt: Date }): Promise<Issued> {
  const { account, sessionId } = session;
  const access = await app.tokens.sign({ kind: account.kind, subject: account.id, sessionId, username: account.username, now: app.now() });
  return {
    accessToken: access.token,
    accessTokenExpiresAt: access.expiresAt,
    refreshToken: session.refreshToken,
    refreshTokenExpiresAt: session.expiresAt,
    sessionId,
  };
}

/** A new session with its first pair of tokens. Call it inside the transaction that proved who this is. */
export async function openSession(app: App, options: { account: Account; method: SessionRow['method']; actor: Actor }): Promise<Issued> {
  const { account, method, actor } = options;
  const now = app.now();
  const sessionId = newId();
  const refreshToken = app.refreshTokens.first(sessionId);
  const expiresAt = new Date(now.getTime() + LIFE[account.kind].idleMs);
  await app.db.insert(sessions).values({
    id: sessionId,
    userId: account.kind === 'user' ? account.id : null,
    adminId: account.kind === 'admin' ? account.id : null,
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
  });
  return issue(app, { account, sessionId, refreshToken, expiresAt });
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
  permissions: string[] | null;
  authenticatedAt: Date;
  revokedAt: Date | null;
  expiresAt: Date;
  /** Why the account may not act, if it may not. */
  suspended: boolean;
}

interface LookupRow {
  session_id: string;
  user_id: string | null;
  account_id: string;
  username: string;
  email: string;
  email_verified: boolean;
  plan_code: string | null;
  time_zone: string | null;
  permissions: string[] | null;
  authenticated_at: Date;
  revoked_at: Date | null;
  expires_at: Date;
  suspended_at: Date | null;
  suspended_until: Date | null;
}

const LOOKUP = `
  select s.id as session_id, s.user_id, coalesce(s.user_id, s.admin_id) as account_id,
         coalesce(u.username, a.username) as username, coalesce(u.email, a.email) as email,
         (s.admin_id is not null or u.email_verified_at is not null) as email_verified,
         u.plan_code, u.time_zone, a.permissions,
         s.authenticated_at, s.revoked_at, s.expires_at,
         coalesce(u.suspended_at, a.disabled_at) as suspended_at, u.suspended_until
    from sessions s
    left join users u on u.id = s.user_id
    left join admins a on a.id = s.admin_id
   where s.id = any($1::uuid[])`;

function toLiveSession(row: LookupRow, now: Date): LiveSession {
  return {
    sessionId: row.session_id,
    kind: row.user_id === null ? 'admin' : 'user',
    accountId: row.account_id,
    username: row.username,
    email: row.email,
    emailVerified: row.email_verified,
    planCode: row.plan_code,
    timeZone: row.time_zone,
    permissions: row.permissions,
    authenticatedAt: row.authenticated_at,
    revokedAt: row.revoked_at,
    expiresAt: row.expires_at,
    suspended: row.suspended_at !== null && (row.suspended_until === null || row.suspended_until > now),
  };
}

const lookups = new WeakMap<App['database'], (id: string) => Promise<LookupRow | undefined>>();

/** The session and its account as the database has them now; look-ups of one turn share one query. */
export async function findSession(app: App, sessionId: string): Promise<LiveSession | undefined> {
  let lookup = lookups.get(app.database);
  if (!lookup) {
    const { sql: lane } = app.database;
    lookup = createLookup(async (ids) => new Map((await lane.query<LookupRow>(LOOKUP, [ids])).map((row) => [row.session_id, row])));
    lookups.set(app.database, lookup);
  }
  const row = await lookup(sessionId);
  return row && toLiveSession(row, app.now());
}

interface RotatedRow {
  session_id: string;
  kind: TokenKind;
  account_id: string;
  username: string;
  expires_at: Date;
}

// One statement decides: the current token moves the session on; the one before it, within the grace, only
// reads. Whoever comes at the same time as another finds the row already moved and takes the second way, and both
// are answered with the same successor.
const ROTATE = `
  update sessions s
     set previous_hash = case when s.refresh_hash = $2 then $2 else s.previous_hash end,
         refresh_hash = case when s.refresh_hash = $2 then $3 else s.refresh_hash end,
         rotated_at = case when s.refresh_hash = $2 then $4::timestamptz else s.rotated_at end,
         expires_at = case when s.refresh_hash = $2
                      then least(s.ends_at, $4::timestamptz + case when s.user_id is null then interval '8 hours' else interval '30 days' end)
                      else s.expires_at end,
         last_used_at = $4::timestamptz,
         ip = $5, user_agent = $6
    from sessions o
    left join users u on u.id = o.user_id
    left join admins a on a.id = o.admin_id
   where s.id = $1 and o.id = s.id
     and s.revoked_at is null and s.expires_at > $4::timestamptz
     and (s.refresh_hash = $2 or (s.previous_hash = $2 and s.rotated_at > $4::timestamptz - interval '${GRACE_SECONDS} seconds'))
     and (u.id is null or u.suspended_at is null or u.suspended_until <= $4::timestamptz)
     and (a.id is null or a.disabled_at is null)
  returning s.id as session_id, case when s.user_id is null then 'admin' else 'user' end as kind,
            coalesce(u.id, a.id) as account_id, coalesce(u.username, a.username) as username, s.expires_at`;

/** The session that presented a token older than it may be: somebody has a copy. It ends, for both of them. */
async function endForReuse(app: App, options: { session: SessionRow; actor: Actor }): Promise<void> {
  const { session, actor } = options;
  await transact(app, async (app) => {
    const ended = await app.db
      .update(sessions)
      .set({ revokedAt: app.now(), revokedReason: 'REFRESH_TOKEN_REUSE' })
      .where(and(eq(sessions.id, session.id), isNull(sessions.revokedAt)))
      .returning({ id: sessions.id });
    if (ended.length === 0) return;
    await recordAudit(app, {
      actor,
      action: 'session.reuse_detected',
      userId: session.userId ?? undefined,
      target: { kind: 'session', id: session.id },
    });
    if (!session.userId) return;
    const [user] = await app.db.select().from(users).where(eq(users.id, session.userId));
    if (!user) return;
    await queueLetter(app, {
      kind: 'SESSION_REUSE',
      to: user.email,
      locale: user.locale,
      userId: user.id,
      data: { username: user.username, when: app.now().toISOString(), ip: actor.ip ?? 'unknown' },
    });
  });
}

/**
 * The next pair of tokens for a refresh token (RFC 9700, 4.14.2). Any number of simultaneous calls with one token
 * get the same next refresh token.
 *
 * @throws TOKEN_INVALID for what we never issued, or an ended session; TOKEN_EXPIRED for one past its time;
 *   ACCOUNT_SUSPENDED; a token older than the one before the current ends the session
 */
export async function refreshSession(app: App, options: { refreshToken: string; actor: Actor }): Promise<Issued & { account: Account }> {
  const { refreshToken, actor } = options;
  const sessionId = app.refreshTokens.sessionOf(refreshToken);
  if (!sessionId) throw new AppError('TOKEN_INVALID');
  const successor = app.refreshTokens.successorOf(refreshToken);
  const now = app.now();
  const [row] = await app.sql.query<RotatedRow>(ROTATE, [sessionId, sha256(refreshToken), sha256(successor), now, actor.ip, actor.userAgent]);
  if (!row) throw await refuseRefresh(app, { sessionId, hash: sha256(refreshToken), actor });
  const account = { kind: row.kind, id: row.account_id, username: row.username };
  return { ...(await issue(app, { account, sessionId, refreshToken: successor, expiresAt: row.expires_at })), account };
}

async function refuseRefresh(app: App, options: { sessionId: string; hash: string; actor: Actor }): Promise<AppError> {
  const { sessionId, hash, actor } = options;
  const [session] = await app.db.select().from(sessions).where(eq(sessions.id, sessionId));
  if (!session || session.revokedAt) return new AppError('TOKEN_INVALID');
  if (session.expiresAt <= app.now()) return new AppError('TOKEN_EXPIRED');
  if (session.refreshHash === hash) return new AppError('ACCOUNT_SUSPENDED');
  await endForReuse(app, { session, actor });
  return new AppError('TOKEN_INVALID');
}

export interface EndOptions {
  account: { kind: TokenKind; id: string };
  reason: string;
  /** Only this one. */
  sessionId?: string;
  /** All but this one. */
  except?: string;
}

/** Ends the account's sessions that match; answers how many. Counts at once everywhere. */
export async function endSessions(app: App, options: EndOptions): Promise<number> {
  const { account, reason, sessionId, except } = options;
  const ended = await app.db
    .update(sessions)
    .set({ revokedAt: app.now(), revokedReason: reason })
    .where(
      and(
        eq(account.kind === 'user' ? sessions.userId : sessions.adminId, account.id),
        isNull(sessions.revokedAt),
        sessionId ? eq(sessions.id, sessionId) : undefined,
        except ? ne(sessions.id, except) : undefined,
        gt(sessions.expiresAt, app.now()),
      ),
    )
    .returning({ id: sessions.id });
  return ended.length;
}
