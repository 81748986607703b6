// Signing in at the provider, for single-page apps (two mutations around the app's own page) and by way of the doors
// (`/auth/google/login`, `/auth/google/callback`). Either way the browser that begins holds a secret that has to come
// back with it: in the app's hands, or in a cookie (docs/decisions, "Who a sign-in at a provider belongs to").
import type { Actor, App } from '../../core/context.js';
import { badInput } from '../../core/errors.js';
import { requireUsername } from '../../core/input.js';
import { isKeyShaped, makeKey } from '../../core/secrets.js';
import { requireLocale } from '../accounts/profile.service.js';
import type { SecondFactorChallenge } from '../auth/second-factor.service.js';
import type { SignedIn } from '../auth/sign-in.service.js';
import { enterAs } from './identities.service.js';
import {
  type Begun,
  beginWay,
  challengeOf,
  identifyArrival,
  isHandover,
  requireGoogle,
  takeHandover,
  takeWay,
} from './ways.service.js';

/** The secret of the browser: the one it has, so that two tabs do not put each other out, or a new one. */
export function browserSecretOf(kept: string | undefined): string {
  return kept !== undefined && isKeyShaped(kept, 'browser') ? kept : makeKey('browser');
}

export interface BegunByApp extends Begun {
  browserSecret: string;
}

/** The page of an app that a sign-in may end at, or the callback door. @throws BAD_USER_INPUT, GOOGLE_NOT_CONFIGURED */
export function requireRedirectUri(app: App, asked: string | null | undefined): string {
  const { returnUrls, doorUrl } = requireGoogle(app);
  if (asked == null) return returnUrls[0] ?? doorUrl;
  if (asked === doorUrl || returnUrls.includes(asked)) return asked;
  throw badInput({ redirectUri: 'must be one of GOOGLE_RETURN_URLS, or this server’s /auth/google/callback' });
}

/**
 * Begins a sign-in: the app sends the browser to the address, and keeps the secret for the way back.
 *
 * @throws GOOGLE_NOT_CONFIGURED, BAD_USER_INPUT, UPSTREAM_FAILED
 */
export async function startGoogleSignIn(
  app: App,
  options: {
    redirectUri?: string | null | undefined;
    username?: string | null | undefined;
    locale?: string | null | undefined;
    browserSecret: string | undefined;
  },
): Promise<BegunByApp> {
  const { username, locale } = options;
  const redirectUri = requireRedirectUri(app, options.redirectUri);
  const wishes = {
    username: username == null ? null : requireUsername(username).username,
    locale: locale == null ? null : requireLocale(locale),
  };
  const browserSecret = browserSecretOf(options.browserSecret);
  const browserHash = challengeOf(browserSecret);
  // Should it end at the door, then the app has the secret of the handover, too.
  const way = { purpose: { kind: 'SIGN_IN', wishes } as const, browserHash, redirectUri, challenge: browserHash };
  return { ...(await beginWay(app, way)), browserSecret };
}

export type Completed = SignedIn | { challenge: SecondFactorChallenge };

interface Completion {
  /** The provider's code, or the one-time code of the callback door. */
  code: string;
  state?: string | null | undefined;
  issuer?: string | null | undefined;
  /** What the app kept, and what the browser's cookie says. */
  browserSecrets: (string | undefined)[];
  actor: Actor;
}

/**
 * Ends a sign-in: with the provider's code and the `state` it came with, or with the one-time code of the callback door.
 *
 * @throws TOKEN_INVALID for a state, a code or a one-time code that is not of this browser, was used, or is not what the
 *   provider gave; TOKEN_EXPIRED; UPSTREAM_FAILED; EMAIL_NOT_VERIFIED, ACCOUNT_SUSPENDED, USER_ALREADY_EXISTS as
 *   `enterAs` has them; BAD_USER_INPUT, GOOGLE_NOT_CONFIGURED
 */
export async function completeGoogleSignIn(app: App, options: Completion): Promise<Completed> {
  const { code, browserSecrets, actor } = options;
  requireGoogle(app);
  if (isHandover(code)) {
    const handover = await takeHandover(app, { code, browserSecrets });
    return 'challenge' in handover ? handover : enterAs(app, { ...handover, actor });
  }
  if (options.state == null) throw badInput({ state: 'is required beside the provider’s code' });
  const way = await takeWay(app, { state: options.state, purposes: ['SIGN_IN'], browserSecrets });
  const identity = await identifyArrival(app, way, { code, issuer: options.issuer ?? undefined });
  const wishes = way.purpose.kind === 'SIGN_IN' ? way.purpose.wishes : { username: null, locale: null };
  return enterAs(app, { identity, wishes, actor });
}
