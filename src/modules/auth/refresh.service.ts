// Invariants: at most one refresh token of a session is current and one, for twenty seconds, is its predecessor; both
// yield the same successor; anything older is a copy in somebody's hands and ends the session.
import { eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { sha256 } from '../../core/secrets.js';
import type { TokenKind } from '../../core/tokens.js';
import { recordAudit } from '../audit/audit.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type SessionRow, sessions } from './auth.table.js';
import { addressOf, getAccount } from './credentials.service.js';
import { ownerOfRow } from './owner.js';
import { type Account, endSessions, type Issued, issueTokens, personOf } from './sessions.service.js';

/** How long the token before the current one still yields the current one. */
const GRACE_SECONDS = 20;

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
                      then least(s.ends_at, $4::timestamptz + case when s.user_id is not null then interval '30 days' when s.admin_id is not null then interval '8 hours' else interval '12 hours' end)
                      else s.expires_at end,
         last_used_at = $4::timestamptz,
         ip = $5, user_agent = $6
    from sessions o
    left join users u on u.id = o.user_id
    left join admins a on a.id = o.admin_id
    left join staff_members m on m.id = o.staff_id
   where s.id = $1 and o.id = s.id
     and s.revoked_at is null and s.expires_at > $4::timestamptz
     and (s.refresh_hash = $2 or (s.previous_hash = $2 and s.rotated_at > $4::timestamptz - interval '${GRACE_SECONDS} seconds'))
     and u.deleted_at is null and (u.id is null or u.suspended_at is null or u.suspended_until <= $4::timestamptz)
     and a.disabled_at is null and m.disabled_at is null and (s.user_id is not null or $7::boolean)
  returning s.id as session_id, case when u.id is not null then 'user' when a.id is not null then 'admin' else 'staff' end as kind,
            coalesce(u.id, a.id, m.id) as account_id, coalesce(u.username, a.username, m.username) as username, s.expires_at`;

/** The session that presented a token older than it may be: somebody has a copy. It ends, for both of them. */
async function endForReuse(app: App, options: { session: SessionRow; actor: Actor }): Promise<void> {
  const { session, actor } = options;
  const owner = ownerOfRow(session);
  await transact(app, async (app) => {
    const ended = await endSessions(app, { account: owner, reason: 'REFRESH_TOKEN_REUSE', sessionId: session.id });
    if (ended === 0) return;
    const target = { kind: 'session', id: session.id };
    await recordAudit(app, { actor, action: 'session.reuse_detected', userId: personOf(owner), target });
    const account = await getAccount(app, owner);
    const data = { username: account.username, when: app.now(), ip: actor.ip };
    await queueLetter(app, { ...addressOf(account), kind: 'SESSION_REUSE', requestId: actor.requestId, data });
  });
}

/**
 * The next pair of tokens for a refresh token (RFC 9700, 4.14.2). Any number of simultaneous calls with one token
 * get the same next refresh token.
 *
 * @throws TOKEN_INVALID for what we never issued, or an ended session; TOKEN_EXPIRED for one past its time;
 *   ACCOUNT_SUSPENDED; IP_NOT_ALLOWED for admins and staff; a token older than the one before the current ends the session
 */
export async function refreshToken(
  app: App,
  options: { refreshToken: string; operatorsAllowed: boolean; actor: Actor },
): Promise<Issued & { account: Account }> {
  const { refreshToken, operatorsAllowed, actor } = options;
  const sessionId = app.refreshTokens.sessionOf(refreshToken);
  if (!sessionId) throw new AppError('TOKEN_INVALID');
  const successor = app.refreshTokens.successorOf(refreshToken);
  const now = app.now();
  const [row] = await app.sql.query<RotatedRow>(ROTATE, [
    sessionId,
    sha256(refreshToken),
    sha256(successor),
    now,
    actor.ip,
    actor.userAgent,
    operatorsAllowed,
  ]);
  if (!row) throw await refuseRefresh(app, { sessionId, hash: sha256(refreshToken), operatorsAllowed, actor });
  const account = { kind: row.kind, id: row.account_id, username: row.username };
  return {
    ...(await issueTokens(app, { account, sessionId, refreshToken: successor, expiresAt: row.expires_at })),
    account,
  };
}

async function refuseRefresh(
  app: App,
  options: { sessionId: string; hash: string; operatorsAllowed: boolean; actor: Actor },
): Promise<AppError> {
  const { sessionId, hash, operatorsAllowed, actor } = options;
  const now = app.now();
  const [session] = await app.db.select().from(sessions).where(eq(sessions.id, sessionId));
  if (!session || session.revokedAt) return new AppError('TOKEN_INVALID');
  if (session.expiresAt <= now) return new AppError('TOKEN_EXPIRED');
  const inGrace = session.previousHash === hash && session.rotatedAt.getTime() > now.getTime() - GRACE_SECONDS * 1000;
  // The token is good, so it was the address or the account that is not.
  if (session.refreshHash === hash || inGrace)
    return new AppError(session.userId === null && !operatorsAllowed ? 'IP_NOT_ALLOWED' : 'ACCOUNT_SUSPENDED');
  await endForReuse(app, { session, actor });
  return new AppError('TOKEN_INVALID');
}
