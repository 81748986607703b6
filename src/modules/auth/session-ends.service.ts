// Invariant: an end counts at once everywhere, for every reader reads the row; other systems are told in the same
// transaction.
import { and, eq, isNull, ne } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { found, requireId } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { emitEvents } from '../events/events.service.js';
import { sessions } from './auth.table.js';
import { type AccountRef, liveSessionsOf, personOf } from './sessions.service.js';

/** Ends sessions of the account: all, only `sessionId`, or all but `except`. Answers how many. Counts at once everywhere. */
export async function endSessions(
  app: App,
  options: { account: AccountRef; reason: string; sessionId?: string; except?: string | undefined },
): Promise<number> {
  const { account, reason, sessionId, except } = options;
  const ended = await app.db
    .update(sessions)
    .set({ revokedAt: app.now(), revokedReason: reason })
    .where(
      and(
        liveSessionsOf(app, account),
        sessionId ? eq(sessions.id, sessionId) : undefined,
        except ? ne(sessions.id, except) : undefined,
      ),
    )
    .returning({ sessionId: sessions.id });
  if (account.kind === 'user')
    await emitRevoked(app, { ended: ended.map((row) => ({ ...row, userId: account.id })), reason });
  // Whose hands the admin's session was in, theirs was in as well.
  if (account.kind === 'admin') await endImpersonations(app, { adminId: account.id, reason });
  return ended.length;
}

/** Ends what an admin does in the names of others, at once. */
export async function endImpersonations(app: App, options: { adminId: string; reason: string }): Promise<void> {
  const { adminId, reason } = options;
  const ended = await app.db
    .update(sessions)
    .set({ revokedAt: app.now(), revokedReason: reason })
    .where(and(eq(sessions.impersonatorId, adminId), isNull(sessions.revokedAt)))
    .returning({ sessionId: sessions.id, userId: sessions.userId });
  await emitRevoked(app, { ended, reason });
}

/** Tells other systems of sessions of people that were ended, in the same transaction. */
export async function emitRevoked(
  app: App,
  options: { ended: readonly { sessionId: string; userId: string | null }[]; reason: string },
): Promise<void> {
  const { ended, reason } = options;
  const events = ended.flatMap(({ sessionId, userId }) =>
    userId === null ? [] : [{ kind: 'session.revoked', userId, data: { sessionId, reason } } as const],
  );
  await emitEvents(app, events);
}

interface OwnSession {
  account: AccountRef;
  /** The session the request was made with. */
  sessionId: string;
  actor: Actor;
}

/** Ends the caller's own session. */
export async function logout(app: App, { account, sessionId, actor }: OwnSession): Promise<void> {
  await transact(app, async (app) => {
    // Two at once: the second finds it ended, and that is what it wanted.
    if ((await endSessions(app, { account, reason: 'LOGOUT', sessionId })) === 0) return;
    const target = { kind: 'session', id: sessionId };
    await recordAudit(app, { actor, action: `${account.kind}.signed_out`, userId: personOf(account), target });
  });
}

/** Ends one of the caller's sessions. @throws NOT_FOUND for another's, or one that has ended */
export async function revokeSession(
  app: App,
  options: { account: AccountRef; id: string; actor: Actor },
): Promise<void> {
  const { account, actor } = options;
  const sessionId = requireId(options.id);
  await transact(app, async (app) => {
    const ended = await endSessions(app, { account, reason: 'REVOKED', sessionId });
    found(ended === 1 || undefined);
    const target = { kind: 'session', id: sessionId };
    await recordAudit(app, { actor, action: 'session.revoked', userId: personOf(account), target });
  });
}

/** Ends all sessions of the caller but the one that asks; answers how many. */
export async function revokeOtherSessions(app: App, { account, sessionId, actor }: OwnSession): Promise<number> {
  return transact(app, async (app) => {
    const ended = await endSessions(app, { account, reason: 'REVOKED', except: sessionId });
    if (ended === 0) return 0;
    const after = { endedSessions: ended };
    await recordAudit(app, { actor, action: 'session.others_revoked', userId: personOf(account), after });
    return ended;
  });
}
