import type { Context } from '../../core/context.js';
import type { LinkedAccountRow } from '../auth/openid.table.js';
import type { BegunByApp } from './google-sign-in.service.js';
import type { GoogleRedirect, LinkedAccount } from './openid.types.js';

/** The subject stays here: it is the provider's name for the person, and of no use to anybody else. */
export function toLinkedAccount(row: LinkedAccountRow): LinkedAccount {
  const { id, issuer, email, createdAt, lastUsedAt } = row;
  return { id, issuer, email, createdAt, lastUsedAt };
}

/** The secret goes to the app and into the browser's cookie, for the case that the way ends at the callback door. */
export function toGoogleRedirect(context: Context, begun: BegunByApp): GoogleRedirect {
  context.browserCookie.write(begun.browserSecret);
  const { authorizationUrl, browserSecret, state, expiresAt } = begun;
  return { authorizationUrl, browserSecret, state, expiresAt };
}

/** The secrets that this request knows. */
export function browserSecretsOf(context: Context, given: string | null | undefined): (string | undefined)[] {
  return [given ?? undefined, context.browserCookie.read()];
}
