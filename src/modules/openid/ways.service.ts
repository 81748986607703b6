// Ways to the provider and back. Invariants: a way belongs to the browser that began it, to one purpose, to one
// provider and, when it links, to one session; it is used once, by one conditional write, before anything is asked of
// the provider; it is worth nothing after ten minutes (O1, O3, O11, O12).
import { createHash, randomBytes } from 'node:crypto';
import { and, eq, gt, inArray, lt } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import type { Arrival, Departure, OpenId, ProviderIdentity } from '../../core/openid.js';
import { isKeyShaped, makeKey, sha256 } from '../../core/secrets.js';
import { type OauthStateRow, oauthStates } from '../auth/openid.table.js';
import type { SecondFactorChallenge } from '../auth/second-factor.service.js';

const MINUTE = 60_000;
export const WAY_MS = 10 * MINUTE;
const HANDOVER_MS = 2 * MINUTE;
const SEAL = 'oauth-state';
const AT_ONCE = 1_000;

/** What a person would like if an account is made for them. */
export interface Wishes {
  username: string | null;
  locale: string | null;
}

export type Purpose = { kind: 'SIGN_IN'; wishes: Wishes } | { kind: 'LINK'; userId: string; sessionId: string };

export interface Begun {
  authorizationUrl: string;
  state: string;
  expiresAt: Date;
}

/** A way that has come back and is used up. */
export interface Way {
  purpose: Purpose;
  departure: Departure;
  browserHash: string;
  /** Of the app that waits at its end and holds the secret; null: the browser's cookie does. */
  challenge: string | null;
  returnUrl: string | null;
}

/** What waits for the app: who came, or the question for the second factor. */
export type Handover = { identity: ProviderIdentity; wishes: Wishes } | { challenge: SecondFactorChallenge };

/** @throws GOOGLE_NOT_CONFIGURED */
export function requireGoogle(app: App): { openid: OpenId; issuer: string; returnUrls: string[]; doorUrl: string } {
  const { google, server } = app.config;
  if (!app.openid || !google) throw new AppError('GOOGLE_NOT_CONFIGURED');
  const { issuer, returnUrls } = google;
  return { openid: app.openid, issuer, returnUrls, doorUrl: `${server.publicUrl}/auth/google/callback` };
}

/** What is kept of a browser's secret, in the form of a PKCE challenge: apps can make both themselves (RFC 7636, 4.2). */
export function challengeOf(browserSecret: string): string {
  return createHash('sha256').update(browserSecret).digest('base64url');
}

interface Beginning {
  purpose: Purpose;
  browserHash: string;
  redirectUri: string;
  challenge?: string | undefined;
  returnUrl?: string | undefined;
}

/** @throws GOOGLE_NOT_CONFIGURED, UPSTREAM_FAILED */
export async function beginWay(app: App, beginning: Beginning): Promise<Begun> {
  const { purpose, browserHash, redirectUri, challenge, returnUrl } = beginning;
  const { openid, issuer } = requireGoogle(app);
  const token = () => randomBytes(32).toString('base64url');
  const departure = { redirectUri, state: makeKey('state'), nonce: token(), verifier: token() };
  const authorizationUrl = await openid.authorizationUrl(departure);
  const payload = { departure, wishes: purpose.kind === 'SIGN_IN' ? purpose.wishes : undefined };
  const { kind, ...linking } = purpose.kind === 'LINK' ? purpose : { kind: purpose.kind };
  const expiresAt = await keep(app, {
    ...{ purpose: kind, secret: departure.state, payload, lifeMs: WAY_MS },
    row: { ...linking, browserHash, issuer, redirectUri, challenge: challenge ?? null, returnUrl: returnUrl ?? null },
  });
  return { authorizationUrl, state: departure.state, expiresAt };
}

interface Kept {
  purpose: OauthStateRow['purpose'];
  /** The hash alone stays. */
  secret: string;
  payload: object;
  lifeMs: number;
  row: Pick<OauthStateRow, 'browserHash' | 'issuer' | 'redirectUri'> & Partial<OauthStateRow>;
}

async function keep(app: App, { purpose, secret, payload, lifeMs, row }: Kept): Promise<Date> {
  const id = newId();
  const now = app.now();
  const expiresAt = new Date(now.getTime() + lifeMs);
  const sealedPayload = app.secrets.encrypt(SEAL, JSON.stringify(payload), id);
  const times = { createdAt: now, expiresAt };
  await app.db.insert(oauthStates).values({ ...row, id, purpose, stateHash: sha256(secret), sealedPayload, ...times });
  return expiresAt;
}

interface Taking {
  secret: string;
  purposes: OauthStateRow['purpose'][];
  /** Of the browser that comes: one of them has to be the one that began. */
  browserSecrets: (string | undefined)[];
  sessionId?: string;
}

/** Takes the row, once; one of another browser, purpose, provider or session stays where it is. */
async function take(app: App, taking: Taking): Promise<{ row: OauthStateRow; payload: unknown }> {
  const { secret, purposes, browserSecrets, sessionId } = taking;
  const hashes = browserSecrets.filter((known) => known !== undefined).map(challengeOf);
  const { issuer } = requireGoogle(app);
  const isIt = and(
    eq(oauthStates.stateHash, sha256(secret)),
    inArray(oauthStates.purpose, purposes),
    // Never empty: an empty list is refused by the query builder.
    inArray(oauthStates.browserHash, ['', ...hashes]),
    eq(oauthStates.issuer, issuer),
    sessionId === undefined ? undefined : eq(oauthStates.sessionId, sessionId),
  );
  const [row] = await app.db
    .delete(oauthStates)
    .where(and(isIt, gt(oauthStates.expiresAt, app.now())))
    .returning();
  if (row) return { row, payload: JSON.parse(app.secrets.decrypt(SEAL, row.sealedPayload, row.id)) };
  const isLate = (await app.db.$count(oauthStates, isIt)) > 0;
  throw new AppError(isLate ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID', isLate ? {} : { message: NOT_YOURS });
}

const NOT_YOURS =
  'This sign-in was not begun here, or was finished already. Begin again, in the browser that ends it, and send its browserSecret.';

/**
 * Uses a way up, for whoever comes with its state from the browser that began it.
 *
 * @throws TOKEN_EXPIRED; TOKEN_INVALID for everything else
 */
export async function takeWay(
  app: App,
  options: {
    state: string;
    purposes: Purpose['kind'][];
    browserSecrets: (string | undefined)[];
    sessionId?: string;
  },
): Promise<Way> {
  const { state, ...taking } = options;
  if (!isKeyShaped(state, 'state')) throw new AppError('TOKEN_INVALID', { message: NOT_YOURS });
  const { row, payload } = await take(app, { secret: state, ...taking });
  const { departure, wishes } = payload as { departure: Departure; wishes?: Wishes };
  const { browserHash, challenge, returnUrl, userId, sessionId } = row;
  const purpose: Purpose =
    userId !== null && sessionId !== null
      ? { kind: 'LINK', userId, sessionId }
      : { kind: 'SIGN_IN', wishes: wishes ?? { username: null, locale: null } };
  return { purpose, departure, browserHash, challenge, returnUrl };
}

/** Who came back on a way that was taken. No transaction is open meanwhile. @throws TOKEN_INVALID, UPSTREAM_FAILED */
export async function identifyArrival(app: App, way: Way, arrival: Arrival): Promise<ProviderIdentity> {
  return requireGoogle(app).openid.identify(arrival, way.departure);
}

/** Leaves what came of the way for the app, under a one-time code that the same browser has to bring. */
export async function openHandover(app: App, options: { way: Way; handover: Handover }): Promise<string> {
  const { way, handover } = options;
  const code = makeKey('handover');
  const browserHash = way.challenge ?? way.browserHash;
  const { issuer } = requireGoogle(app);
  const row = { browserHash, issuer, redirectUri: way.departure.redirectUri };
  await keep(app, { purpose: 'HANDOVER', secret: code, payload: handover, lifeMs: HANDOVER_MS, row });
  return code;
}

export const isHandover = (code: string): boolean => isKeyShaped(code, 'handover');

/** @throws TOKEN_EXPIRED, TOKEN_INVALID */
export async function takeHandover(
  app: App,
  options: { code: string; browserSecrets: (string | undefined)[] },
): Promise<Handover> {
  const { code, browserSecrets } = options;
  const { payload } = await take(app, { secret: code, purposes: ['HANDOVER'], browserSecrets });
  const handover = payload as Handover;
  if (!('challenge' in handover)) return handover;
  // JSON knows no moments.
  return { challenge: { ...handover.challenge, expiresAt: new Date(handover.challenge.expiresAt) } };
}

/** Forgets ways nobody came back on, a thousand at a time. Answers how many. */
export async function deleteExpiredWays(app: App): Promise<number> {
  for (let deleted = 0; ; ) {
    const some = app.db
      .select({ id: oauthStates.id })
      .from(oauthStates)
      .where(lt(oauthStates.expiresAt, new Date(app.now().getTime() - WAY_MS)))
      .limit(AT_ONCE);
    const gone = await app.db
      .delete(oauthStates)
      .where(inArray(oauthStates.id, some))
      .returning({ id: oauthStates.id });
    deleted += gone.length;
    if (gone.length < AT_ONCE) return deleted;
  }
}
