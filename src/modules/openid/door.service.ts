// The callback door's part of a sign-in: what comes of a browser that is back from the provider. Tokens never stand in
// an address: the app gets a one-time code that only the browser which began can redeem, or a cookie (T21).
import type { Actor, App } from '../../core/context.js';
import { AppError, badInput, type ErrorCode } from '../../core/errors.js';
import type { Issued } from '../auth/sessions.service.js';
import { browserSecretOf } from './google-sign-in.service.js';
import { enterAs } from './identities.service.js';
import { linkAtDoor } from './linking.service.js';
import {
  beginWay,
  challengeOf,
  identifyArrival,
  openHandover,
  requireGoogle,
  takeWay,
  type Way,
} from './ways.service.js';

/** RFC 7636: what an app that holds the secret itself sends instead of it. */
const CHALLENGE = /^[\w-]{43}$/;

/**
 * Begins at the door: answers where to send the browser, and the secret for its cookie.
 *
 * @param options.returnUrl a page of an app, as the operator listed it; the first if left out
 * @param options.challenge of a secret that the app keeps, who then redeems the one-time code with it
 * @throws GOOGLE_NOT_CONFIGURED, BAD_USER_INPUT, UPSTREAM_FAILED
 */
export async function beginAtDoor(
  app: App,
  options: { returnUrl: string | undefined; challenge: string | undefined; browserSecret: string | undefined },
): Promise<{ authorizationUrl: string; browserSecret: string }> {
  const { returnUrl, challenge } = options;
  const { returnUrls, doorUrl } = requireGoogle(app);
  if (returnUrl !== undefined && !returnUrls.includes(returnUrl))
    throw badInput({ target: 'must be one of GOOGLE_RETURN_URLS' });
  if (challenge !== undefined && !CHALLENGE.test(challenge))
    throw badInput({ challenge: 'must be the SHA-256 of the app’s secret, as base64url' });
  const browserSecret = browserSecretOf(options.browserSecret);
  const { authorizationUrl } = await beginWay(app, {
    purpose: { kind: 'SIGN_IN', wishes: { username: null, locale: null } },
    browserHash: challengeOf(browserSecret),
    redirectUri: doorUrl,
    ...{ challenge, returnUrl },
  });
  return { authorizationUrl, browserSecret };
}

/** What came of it. */
export type Outcome =
  | { kind: 'LINKED' }
  /** Cookie mode: the refresh token goes into the cookie. */
  | { kind: 'SIGNED_IN'; issued: Issued }
  | { kind: 'HANDOVER'; code: string }
  | { kind: 'REFUSED'; error: unknown };

export interface Ending {
  outcome: Outcome;
  /** The app's page; undefined: our own. */
  returnUrl: string | undefined;
}

interface Return {
  state: string;
  /** The provider's, or why there is none. */
  code: string | undefined;
  error: string | undefined;
  issuer: string | undefined;
  browserSecret: string | undefined;
  actor: Actor;
}

/**
 * Ends at the door. What goes wrong after the state was found good is the outcome, so that the app hears of it.
 *
 * @throws TOKEN_INVALID, TOKEN_EXPIRED for a state that is not this browser's, was used or is too old; GOOGLE_NOT_CONFIGURED
 */
export async function endAtDoor(app: App, options: Return): Promise<Ending> {
  const { state, browserSecret } = options;
  const { returnUrls } = requireGoogle(app);
  const way = await takeWay(app, { state, purposes: ['SIGN_IN', 'LINK'], browserSecrets: [browserSecret] });
  const returnUrl = way.returnUrl ?? returnUrls[0];
  try {
    return {
      outcome: await finish(app, { ...options, way, returnUrl }),
      returnUrl: appThatCanEnd(app, { way, returnUrl }),
    };
  } catch (error) {
    return { outcome: { kind: 'REFUSED', error }, returnUrl };
  }
}

/** The provider's "the person said no" and its like (RFC 6749, 4.1.2.1), in our codes. */
function refusalOf(error: string | undefined): AppError {
  const code: ErrorCode =
    error === 'temporarily_unavailable' || error === 'server_error' ? 'UPSTREAM_FAILED' : 'FORBIDDEN';
  return new AppError(code, { message: 'The provider did not confirm who you are.' });
}

async function finish(app: App, options: Return & { way: Way; returnUrl: string | undefined }): Promise<Outcome> {
  const { way, code, issuer, actor } = options;
  if (code === undefined) throw refusalOf(options.error);
  const identity = await identifyArrival(app, way, { code, issuer });
  if (way.purpose.kind === 'LINK') {
    await linkAtDoor(app, { purpose: way.purpose, identity, actor });
    return { kind: 'LINKED' };
  }
  const { wishes } = way.purpose;
  if (!app.config.tokens.refreshCookie)
    return { kind: 'HANDOVER', code: await openHandover(app, { way, handover: { identity, wishes } }) };
  const entered = await enterAs(app, { identity, wishes, actor });
  if ('issued' in entered) return { kind: 'SIGNED_IN', issued: entered.issued };
  return { kind: 'HANDOVER', code: await openHandover(app, { way, handover: { challenge: entered.challenge } }) };
}

/**
 * A one-time code is redeemed with the browser's secret: by an app that holds it, or one whose requests carry our
 * cookie. To any other it would be of no use, so the person sees it on our page instead.
 */
function appThatCanEnd(app: App, options: { way: Way; returnUrl: string | undefined }): string | undefined {
  const { way, returnUrl } = options;
  if (returnUrl === undefined) return undefined;
  const { tokens, server } = app.config;
  const carriesCookie = tokens.refreshCookie || new URL(returnUrl).origin === new URL(server.publicUrl).origin;
  return way.purpose.kind === 'LINK' || way.challenge !== null || carriesCookie ? returnUrl : undefined;
}
