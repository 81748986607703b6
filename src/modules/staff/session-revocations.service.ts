// Invariants: an ended session counts as ended at once, on every instance; everybody whose sessions were ended finds it
// in their history; only admins reach many people at once.
import { and, eq, gt, inArray, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId, requireReason } from '../../core/input.js';
import { type UserFilter, usersMatching } from '../admin/users.service.js';
import { recordAudit, recordAudits } from '../audit/audit.service.js';
import { sessions, users } from '../auth/auth.table.js';
import { emitRevoked, endSessions } from '../auth/session-ends.service.js';

const REASON = 'REVOKED_BY_OPERATOR';
/** As many sessions as end in one transaction: each is short, and a million people are many of them. */
const BATCH = 1_000;

interface Revocation {
  userId?: string | null | undefined;
  filter?: UserFilter | null | undefined;
  reason?: string | null | undefined;
  actor: Actor;
}

export interface Revoked {
  endedSessions: number;
  people: number;
}

/**
 * Ends all sessions of one person, or of everybody who fits a filter as of `users`.
 *
 * @throws BAD_USER_INPUT, also for both or neither; NOT_FOUND for the one; FORBIDDEN for a filter from staff
 */
export async function revokeUserSessions(app: App, options: Revocation): Promise<Revoked> {
  const { actor, filter } = options;
  const reason = options.reason == null ? undefined : requireReason(options.reason);
  if ((options.userId == null) === (filter == null))
    throw badInput({ userId: 'is required, or a filter in its place' });
  if (options.userId != null) return revokeOne(app, { userId: requireId(options.userId, 'userId'), reason, actor });
  if (actor.kind !== 'ADMIN') throw new AppError('FORBIDDEN', { message: 'Only admins end the sessions of many.' });
  return revokeMany(app, { filter: filter ?? {}, reason, actor });
}

async function revokeOne(
  app: App,
  options: { userId: string; reason: string | undefined; actor: Actor },
): Promise<Revoked> {
  const { userId, reason, actor } = options;
  return transact(app, async (app) => {
    const here = and(eq(users.id, userId), isNull(users.deletedAt));
    found((await app.db.select({ id: users.id }).from(users).where(here).for('update'))[0]);
    const endedSessions = await endSessions(app, { account: { kind: 'user', id: userId }, reason: REASON });
    const target = { kind: 'user', id: userId };
    await recordAudit(app, { actor, action: 'user.sessions_ended', userId, target, after: { endedSessions }, reason });
    return { endedSessions, people: endedSessions > 0 ? 1 : 0 };
  });
}

type Many = { filter: UserFilter; reason: string | undefined; actor: Actor };

async function revokeMany(app: App, options: Many): Promise<Revoked> {
  const { filter, reason, actor } = options;
  const people = new Set<string>();
  let endedSessions = 0;
  for (;;) {
    const owners = await transact(app, (app) => revokeBatch(app, options));
    endedSessions += owners.length;
    for (const owner of owners) people.add(owner);
    if (owners.length < BATCH) break;
  }
  const after = { filter, endedSessions, people: people.size };
  await recordAudit(app, { actor, action: 'users.sessions_ended', after, reason });
  return { endedSessions, people: people.size };
}

/** Answers the owner of each session that was ended. */
async function revokeBatch(app: App, { filter, reason, actor }: Many): Promise<string[]> {
  const live = and(isNull(sessions.revokedAt), gt(sessions.expiresAt, app.now()));
  const some = app.db
    .select({ id: sessions.id })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(live, usersMatching(app, { filter, searchesAddresses: true })))
    .limit(BATCH);
  const ended = await app.db
    .update(sessions)
    .set({ revokedAt: app.now(), revokedReason: REASON })
    .where(and(inArray(sessions.id, some), live))
    .returning({ sessionId: sessions.id, userId: sessions.userId });
  await emitRevoked(app, { ended, reason: REASON });
  const owners = ended.flatMap(({ userId }) => userId ?? []);
  const entryOf = (userId: string) =>
    ({ actor, action: 'user.sessions_ended', userId, target: { kind: 'user', id: userId }, reason }) as const;
  await recordAudits(app, [...new Set(owners)].map(entryOf));
  return owners;
}
