// Invariants: at most one refresh token of a session is current and one, for twenty seconds, is its predecessor; both
// yield the same successor; anything older is a copy in somebody's hands and ends the session.
import { eq } from 'drizzle-orm';
import { type Batcher, createBatcher } from '../../core/batch.js';
import type { Actor, App } from '../../core/context.js';
import { type Database, hasState, type Sql, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { sha256 } from '../../core/secrets.js';
import type { TokenKind } from '../../core/tokens.js';
import { recordAudit } from '../audit/audit.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type SessionRow, sessions } from './auth.table.js';
import { addressOf, getAccount } from './credentials.service.js';
import { ownerOfRow } from './owner.js';
import { endSessions } from './session-ends.service.js';
import { type Account, type Issued, issueTokens, personOf } from './sessions.service.js';

/** How long the token before the current one still yields the current one. */
const GRACE_SECONDS = 20;

interface RotatedRow {
  session_id: string;
  kind: TokenKind;
  account_id: string;
  username: string;
  expires_at: Date;
}

// One statement decides for all that refresh at this moment: the current token moves the session on; the one before
// it, within the grace, only reads. Whoever comes at the same time as another finds the row already moved and takes
// the second way, and both are answered with the same successor. Rows are locked in one order, so that two instances
// do not wait for each other in a circle.
const ROTATE = `
  with asked as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $7::text[])
                  as asked (session_id, old_hash, new_hash, ip, user_agent, operators)
  ),
  held as (
    select id, user_id, admin_id, staff_id from sessions where id = any($1::uuid[]) order by id for no key update nowait
  )
  update sessions s
     set previous_hash = case when s.refresh_hash = old_hash then old_hash else s.previous_hash end,
         refresh_hash = case when s.refresh_hash = old_hash then new_hash else s.refresh_hash end,
         rotated_at = case when s.refresh_hash = old_hash then $6::timestamptz else s.rotated_at end,
         expires_at = case when s.refresh_hash = old_hash
                      then least(s.ends_at, $6::timestamptz + case when s.user_id is not null then interval '30 days' when s.admin_id is not null then interval '8 hours' else interval '12 hours' end)
                      else s.expires_at end,
         last_used_at = $6::timestamptz,
         ip = asked.ip, user_agent = asked.user_agent
    from asked
    join held on held.id = asked.session_id
    left join users u on u.id = held.user_id
    left join admins a on a.id = held.admin_id
    left join staff_members m on m.id = held.staff_id
   where s.id = held.id and s.id = any($1::uuid[])
     and s.revoked_at is null and s.expires_at > $6::timestamptz
     and (s.refresh_hash = old_hash or (s.previous_hash = old_hash and s.rotated_at > $6::timestamptz - interval '${GRACE_SECONDS} seconds'))
     and u.deleted_at is null and (u.id is null or u.suspended_at is null or u.suspended_until <= $6::timestamptz)
     and a.disabled_at is null and m.disabled_at is null and (s.user_id is not null or asked.operators = 'allowed')
  returning s.id as session_id, case when u.id is not null then 'user' when a.id is not null then 'admin' else 'staff' end as kind,
            coalesce(u.id, a.id, m.id) as account_id, coalesce(u.username, a.username, m.username) as username, s.expires_at`;

interface Rotation {
  readonly sessionId: string;
  readonly oldHash: string;
  readonly newHash: string;
  /** Whether staff and admins may come from where the request does. */
  readonly operatorsAllowed: boolean;
  readonly actor: Actor;
  readonly now: Date;
}

/** Held by another transaction, or asked for by a neighbour with another token: to be tried again. */
const IN_THE_WAY = Symbol('in the way');
type Outcome = RotatedRow | null | typeof IN_THE_WAY;

const LOCKED = /^(?:55P03|40P01)$/;

/**
 * Equal tokens are one rotation; null says that there is nothing to rotate. Nobody waits for locks here, because
 * everybody else who writes stands in line behind this lane.
 */
async function rotateTogether({ sql }: Database, rotations: Rotation[]): Promise<Outcome[]> {
  const firsts = new Map<string, Rotation>();
  for (const rotation of rotations) if (!firsts.has(rotation.sessionId)) firsts.set(rotation.sessionId, rotation);
  const rows = await rotate(sql, [...firsts.values()]).catch((error: unknown) => {
    if (hasState(error, LOCKED)) return undefined;
    throw error;
  });
  return rotations.map(({ sessionId, oldHash }) => {
    if (rows === undefined || firsts.get(sessionId)?.oldHash !== oldHash) return IN_THE_WAY;
    return rows.get(sessionId) ?? null;
  });
}

async function rotate(sql: Sql, rotations: readonly Rotation[]): Promise<Map<string, RotatedRow>> {
  const column = (read: (rotation: Rotation) => string | null) => rotations.map(read);
  const rows = await sql.write<RotatedRow>(ROTATE, [
    column(({ sessionId }) => sessionId),
    column(({ oldHash }) => oldHash),
    column(({ newHash }) => newHash),
    column(({ actor }) => actor.ip),
    column(({ actor }) => actor.userAgent),
    rotations.at(-1)?.now,
    column(({ operatorsAllowed }) => (operatorsAllowed ? 'allowed' : 'refused')),
  ]);
  return new Map(rows.map((row) => [row.session_id, row]));
}

const lanes = new WeakMap<Database, Batcher<Rotation, Outcome>>();

function laneOf(database: Database): Batcher<Rotation, Outcome> {
  let lane = lanes.get(database);
  if (lane === undefined) {
    lane = createBatcher((batch) => rotateTogether(database, batch), { maxBatch: 100, maxWaiting: 10_000 });
    lanes.set(database, lane);
  }
  return lane;
}

const TRIES = 5;

/** Waits for whoever holds the row on a connection of the pool, where nobody stands behind. */
async function rotateInTurn(app: App, rotation: Rotation): Promise<RotatedRow | null> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const outcome = await laneOf(app.database).add(rotation);
    if (outcome !== IN_THE_WAY) return outcome;
    await app.db
      .select({ id: sessions.id })
      .from(sessions)
      .where(eq(sessions.id, rotation.sessionId))
      .for('no key update');
  }
  throw new AppError('RETRY_LATER', { retryAfterSeconds: 1 });
}

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
  const oldHash = sha256(refreshToken);
  const rotation = { sessionId, oldHash, newHash: sha256(successor), operatorsAllowed, actor, now: app.now() };
  const row = await rotateInTurn(app, rotation);
  if (!row) throw await refuseRefresh(app, { sessionId, hash: oldHash, operatorsAllowed, actor });
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
