import type { Actor, App } from '../../core/context.js';
import type { UserRow } from '../auth/auth.table.js';
import { addressUser } from '../mail/addressee.js';
import type { LetterKind } from '../mail/letter-texts.js';
import { queueLetter } from '../mail/outbox.service.js';

export type LinkLetter = Extract<LetterKind, `PROVIDER_${string}`>;

/** What people call the provider. */
function nameOf(issuer: string): string {
  const { hostname } = new URL(issuer);
  return hostname === 'accounts.google.com' ? 'Google' : hostname;
}

/** Tells the account's owner, at the account's address, inside the caller's transaction. */
export async function writeLinkLetter(
  app: App,
  options: { kind: LinkLetter; user: UserRow; issuer: string; actor: Actor },
): Promise<void> {
  const { kind, user, issuer, actor } = options;
  const data = { username: user.username, provider: nameOf(issuer), when: app.now(), ip: actor.ip };
  await queueLetter(app, { kind, ...addressUser(user), requestId: actor.requestId, data });
}
