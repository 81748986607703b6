// Linking an identity at the provider with an account whose owner is signed in, and unlinking it. Invariants: what is
// linked is linked by the session that began it; linking changes neither address nor whether it counts as verified;
// nobody is left without a way in (O8, O9).
import { and, eq, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import type { ProviderIdentity } from '../../core/openid.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { voidChallenges } from '../auth/credentials.service.js';
import { type LinkedAccountRow, linkedAccounts } from '../auth/openid.table.js';
import { endSessions } from '../auth/session-ends.service.js';
import { findSession } from '../auth/sessions.service.js';
import { type BegunByApp, browserSecretOf, requireRedirectUri } from './google-sign-in.service.js';
import { link } from './identities.service.js';
import { writeLinkLetter } from './link-letters.service.js';
import { beginWay, challengeOf, identifyArrival, type Purpose, takeWay } from './ways.service.js';

/** The session that links. */
interface Caller {
  userId: string;
  sessionId: string;
  actor: Actor;
}

/** Begins linking. @throws GOOGLE_NOT_CONFIGURED, BAD_USER_INPUT, UPSTREAM_FAILED */
export async function startGoogleLink(
  app: App,
  options: Caller & { redirectUri?: string | null | undefined; browserSecret: string | undefined },
): Promise<BegunByApp> {
  const { userId, sessionId } = options;
  const redirectUri = requireRedirectUri(app, options.redirectUri);
  const browserSecret = browserSecretOf(options.browserSecret);
  const purpose = { kind: 'LINK', userId, sessionId } as const;
  const begun = await beginWay(app, { purpose, browserHash: challengeOf(browserSecret), redirectUri });
  return { ...begun, browserSecret };
}

/**
 * Links the identity that the provider's code stands for with the caller's account. Doing it again changes nothing.
 *
 * @throws TOKEN_INVALID for a state that this session and browser did not begin, and for a code that is not the
 *   provider's; TOKEN_EXPIRED; CONFLICT (`reason`: LINKED_ELSEWHERE); UPSTREAM_FAILED, GOOGLE_NOT_CONFIGURED
 */
export async function linkGoogle(
  app: App,
  options: Caller & {
    code: string;
    state: string;
    issuer?: string | null | undefined;
    browserSecrets: (string | undefined)[];
  },
): Promise<LinkedAccountRow> {
  const { code, state, issuer, browserSecrets, sessionId, userId, actor } = options;
  const way = await takeWay(app, { state, purposes: ['LINK'], browserSecrets, sessionId });
  const identity = await identifyArrival(app, way, { code, issuer: issuer ?? undefined });
  return linkIdentity(app, { userId, identity, actor });
}

/**
 * What `linkGoogle` does, for the callback door, which sees no access token: the session that began it must still be
 * there. @throws UNAUTHENTICATED, CONFLICT
 */
export async function linkAtDoor(
  app: App,
  options: { purpose: Extract<Purpose, { kind: 'LINK' }>; identity: ProviderIdentity; actor: Actor },
): Promise<void> {
  const { purpose, identity } = options;
  const session = await findSession(app, purpose.sessionId);
  const isLive = session && !session.revokedAt && !session.suspended && session.expiresAt > app.now();
  if (!isLive || session.accountId !== purpose.userId) throw new AppError('UNAUTHENTICATED');
  const actor = { ...options.actor, kind: 'USER', id: purpose.userId } as const;
  await linkIdentity(app, { userId: purpose.userId, identity, actor });
}

async function lockPerson(app: App, userId: string): Promise<UserRow> {
  const [user] = await app.db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
    .for('update');
  return found(user);
}

async function linkIdentity(
  app: App,
  options: { userId: string; identity: ProviderIdentity; actor: Actor },
): Promise<LinkedAccountRow> {
  const { userId, identity, actor } = options;
  const { issuer, subject } = identity;
  try {
    return await transact(app, async (app) => {
      const user = await lockPerson(app, userId);
      const isIdentity = and(eq(linkedAccounts.issuer, issuer), eq(linkedAccounts.subject, subject));
      const [before] = await app.db.select().from(linkedAccounts).where(isIdentity);
      if (before && before.userId !== userId) throw linkedElsewhere();
      return before ?? link(app, { user, identity, actor, letter: 'PROVIDER_LINKED', lastUsedAt: null });
    });
  } catch (error) {
    throw isUniqueViolation(error, 'linked_accounts_identity') ? linkedElsewhere() : error;
  }
}

function linkedElsewhere(): AppError {
  const message = 'That account at the provider is linked with another account here.';
  return new AppError('CONFLICT', { message, extensions: { reason: 'LINKED_ELSEWHERE' } });
}

/**
 * Takes a linked identity away, and ends the caller's other sessions, which may have been opened with it. Answers how
 * many ended.
 *
 * @param options.id which one; may be left out when there is one only
 * @throws NOT_FOUND, BAD_USER_INPUT; CONFLICT (`reason`: LAST_WAY_IN) when nothing else signs the person in
 */
export async function unlinkGoogle(
  app: App,
  options: Caller & { id?: string | null | undefined },
): Promise<{ user: UserRow; endedSessions: number }> {
  const { userId, sessionId, actor } = options;
  const id = options.id == null ? undefined : requireId(options.id);
  return transact(app, async (app) => {
    const user = await lockPerson(app, userId);
    const all = await app.db.select().from(linkedAccounts).where(eq(linkedAccounts.userId, userId));
    if (id === undefined && all.length > 1) throw badInput({ id: 'is required: there are several' });
    const linked = found(all.find((row) => id === undefined || row.id === id));
    if (user.passwordHash === null && all.length === 1) throw lastWayIn();
    await app.db.delete(linkedAccounts).where(eq(linkedAccounts.id, linked.id));
    const account = { kind: 'user', id: userId } as const;
    await voidChallenges(app, account);
    const endedSessions = await endSessions(app, { account, reason: 'GOOGLE_UNLINKED', except: sessionId });
    const target = { kind: 'linked_account', id: linked.id };
    await recordAudit(app, { actor, action: 'user.google_unlinked', userId, target, after: { endedSessions } });
    await writeLinkLetter(app, { kind: 'PROVIDER_UNLINKED', user, issuer: linked.issuer, actor });
    return { user, endedSessions };
  });
}

function lastWayIn(): AppError {
  const message = 'Nothing else signs you in: set a password first (ask for a letter with requestPasswordReset).';
  return new AppError('CONFLICT', { message, extensions: { reason: 'LAST_WAY_IN' } });
}
