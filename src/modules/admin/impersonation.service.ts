// Invariants: an impersonation is a session of a person that names the admin behind it; it ends 15 minutes after it began
// whatever happens, has no refresh token and never counts as fresh; it ends at once when the admin's own sessions end,
// when they are disabled or lose the permission (auth/sessions.service looks at each request), or when the person ends
// it. What it may change stands on the access page.
import { and, eq, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found, requireId, requireReason } from '../../core/input.js';
import { makeKey, sha256 } from '../../core/secrets.js';
import { recordAudit } from '../audit/audit.service.js';
import { sessions, type UserRow, users } from '../auth/auth.table.js';
import { isSuspended } from '../auth/users.service.js';
import { addressUser } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';

const LIFE_MS = 15 * 60_000;
const SHORTEST_REASON = 3;
/** When a password was last proved in it: never, for whoever reads the row. */
const NEVER = new Date(0);

export interface Impersonation {
  accessToken: string;
  accessTokenExpiresAt: Date;
  user: UserRow;
}

interface Opened {
  sessionId: string;
  endsAt: Date;
  user: UserRow;
}

/**
 * Signs an admin in as a person for 15 minutes, and tells the person by mail.
 *
 * @throws BAD_USER_INPUT; NOT_FOUND, for who was deleted too; ACCOUNT_SUSPENDED, for nobody acts for whom is shut out;
 *   UNAUTHENTICATED when the admin's session ended meanwhile
 */
export async function impersonateUser(
  app: App,
  options: {
    userId: string;
    reason: string;
    readOnly: boolean;
    admin: { id: string; sessionId: string };
    actor: Actor;
  },
): Promise<Impersonation> {
  const { readOnly, admin, actor } = options;
  const userId = requireId(options.userId, 'userId');
  const reason = requireReason(options.reason, SHORTEST_REASON);
  const { sessionId, endsAt, user } = await transact(app, async (app) => {
    await holdOwnSession(app, admin.sessionId);
    const opened = await openImpersonation(app, { userId, reason, readOnly, adminId: admin.id });
    const { user } = opened;
    const target = { kind: 'session', id: opened.sessionId };
    const after = { readOnly, endsAt: opened.endsAt.toISOString() };
    await recordAudit(app, { actor, action: 'user.impersonated', userId, target, after, reason });
    const data = { username: user.username, when: app.now(), reason };
    await queueLetter(app, {
      kind: 'IMPERSONATED',
      ...addressUser(user),
      requestId: actor.requestId,
      data,
    });
    return opened;
  });
  const { token, expiresAt } = await app.tokens.sign({
    kind: 'user',
    subject: userId,
    sessionId,
    username: user.username,
    now: app.now(),
    expiresAt: endsAt,
    actorId: admin.id,
  });
  return { accessToken: token, accessTokenExpiresAt: expiresAt, user };
}

/** Whoever ends the admin's sessions waits for this, then ends the impersonation too; or came first, and this fails. */
async function holdOwnSession(app: App, sessionId: string): Promise<void> {
  const [own] = await app.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), isNull(sessions.revokedAt)))
    .for('share');
  if (!own) throw new AppError('UNAUTHENTICATED');
}

async function openImpersonation(
  app: App,
  options: { userId: string; reason: string; readOnly: boolean; adminId: string },
): Promise<Opened> {
  const { userId, reason, readOnly, adminId } = options;
  const [row] = await app.db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
    .for('share');
  const user = found(row);
  const now = app.now();
  if (isSuspended(user, now)) throw new AppError('ACCOUNT_SUSPENDED');
  const sessionId = newId();
  const endsAt = new Date(now.getTime() + LIFE_MS);
  await app.db.insert(sessions).values({
    id: sessionId,
    userId,
    method: 'IMPERSONATION',
    // Of a secret that is thrown away: no refresh token fits.
    refreshHash: sha256(makeKey('key')),
    rotatedAt: now,
    createdAt: now,
    lastUsedAt: now,
    authenticatedAt: NEVER,
    expiresAt: endsAt,
    endsAt,
    // Where operators sit and what they use is not the person's to know; the audit row has it.
    ip: null,
    userAgent: null,
    impersonatorId: adminId,
    impersonationReason: reason,
    readOnly,
  });
  return { sessionId, endsAt, user };
}
