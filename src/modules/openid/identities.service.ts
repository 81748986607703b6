// Which account an identity at a provider belongs to. Invariants: the identity is (issuer, subject), never the address;
// one identity opens one account; an account whose mailbox nobody had proven is emptied of everything it could be opened
// with before the owner of the mailbox gets it; an address that the provider does not vouch for opens and makes nothing
// (O5–O8, and the five ways to hijack an account before it is made: Sudhodanan and Paverd, 2022).
import { and, eq, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { canonicalEmail, found, requireUsername } from '../../core/input.js';
import type { ProviderIdentity } from '../../core/openid.js';
import { readableLine, readableLocale } from '../accounts/profile.service.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { actingAs } from '../auth/credentials.service.js';
import { dropCredentials } from '../auth/dropped-credentials.service.js';
import { isKeptForUndo } from '../auth/email-tokens.service.js';
import { type LinkedAccountRow, linkedAccounts } from '../auth/openid.table.js';
import { admit } from '../auth/second-factor.service.js';
import type { SignedIn } from '../auth/sign-in.service.js';
import { isSuspended } from '../auth/users.service.js';
import { emitEvents } from '../events/events.service.js';
import { isKnownDevice } from './known-device.service.js';
import { type LinkLetter, writeLinkLetter } from './link-letters.service.js';
import { suggestUsername } from './usernames.js';
import type { Wishes } from './ways.service.js';

const MOST_TRIES = 5;

interface Entry {
  identity: ProviderIdentity;
  wishes: Wishes;
  actor: Actor;
}

/** An entry at work: somebody else may have been quicker with the name, the address or the identity itself. */
interface Attempt extends Entry {
  number: number;
}

/**
 * Signs in whoever the provider says this is, and makes their account if there is none. Suspension and the second factor
 * count as for a password.
 *
 * @throws EMAIL_NOT_VERIFIED when the identity is new here and the provider does not vouch for its address, or when the
 *   account's own is not proven where addresses are confirmed first;
 *   ACCOUNT_SUSPENDED; USER_ALREADY_EXISTS when the address is kept for somebody who may take it back
 */
export async function enterAs(app: App, entry: Entry): Promise<SignedIn> {
  for (let number = 1; ; number += 1) {
    try {
      return await transact(app, (app) => enter(app, { ...entry, number }));
    } catch (error) {
      // Two first sign-ins at once: the other one made the account or the link, and this one finds it.
      if (!isUniqueViolation(error) || number === MOST_TRIES) throw error;
    }
  }
}

async function enter(app: App, attempt: Attempt): Promise<SignedIn> {
  const { identity, actor } = attempt;
  const linked = await enterLinked(app, attempt);
  const isKnown = linked && (await isKnownDevice(app, { userId: linked.id, actor }));
  const user = linked ?? (await enterByAddress(app, attempt)) ?? (await signUp(app, attempt));
  const admission = await admit(app, { account: { kind: 'user', id: user.id }, actor, method: 'GOOGLE' });
  if (linked && !isKnown && 'issued' in admission)
    await writeLinkLetter(app, { kind: 'PROVIDER_SIGN_IN', user, issuer: identity.issuer, actor });
  return { ...admission, user: { ...user, lastLoginAt: app.now() } };
}

const isIdentity = ({ issuer, subject }: ProviderIdentity) =>
  and(eq(linkedAccounts.issuer, issuer), eq(linkedAccounts.subject, subject));

async function findLinked(app: App, identity: ProviderIdentity): Promise<LinkedAccountRow | undefined> {
  const [linked] = await app.db.select().from(linkedAccounts).where(isIdentity(identity));
  return linked;
}

async function lockPerson(app: App, condition: ReturnType<typeof eq>): Promise<UserRow | undefined> {
  const [user] = await app.db
    .select()
    .from(users)
    .where(and(condition, isNull(users.deletedAt)))
    .for('update');
  return user;
}

function requireActive(app: App, user: UserRow): void {
  if (isSuspended(user, app.now())) throw new AppError('ACCOUNT_SUSPENDED');
}

/** The account the identity is linked with. */
async function enterLinked(app: App, { identity }: Attempt): Promise<UserRow | undefined> {
  const linked = await findLinked(app, identity);
  const user = linked && (await lockPerson(app, eq(users.id, linked.userId)));
  if (!user) return undefined;
  // Under the lock: it may have been unlinked since.
  const used = await app.db
    .update(linkedAccounts)
    .set({ lastUsedAt: app.now(), email: shownAddress(identity) })
    .where(and(isIdentity(identity), eq(linkedAccounts.userId, user.id)))
    .returning({ id: linkedAccounts.id });
  if (used.length === 0) return undefined;
  requireActive(app, user);
  // Where addresses are confirmed first nobody comes in before, by whatever way.
  if (app.config.registration.confirmFirst && !user.emailVerifiedAt) throw new AppError('EMAIL_NOT_VERIFIED');
  return user;
}

const shownAddress = ({ email }: ProviderIdentity) => (email === null ? null : (canonicalEmail(email)?.email ?? null));

/** The address, if the provider vouches for it. @throws EMAIL_NOT_VERIFIED */
function requireProvenAddress({ email, emailVerified }: ProviderIdentity): { email: string; emailKey: string } {
  const address = email === null ? undefined : canonicalEmail(email);
  if (address && emailVerified) return address;
  throw new AppError('EMAIL_NOT_VERIFIED', {
    message: 'The provider has not verified your address. Sign in another way, and link the provider in your settings.',
    extensions: { reason: 'PROVIDER_ADDRESS_NOT_VERIFIED' },
  });
}

/** The account that has the address: linked from now on, after whoever made it unproven has lost it. */
async function enterByAddress(app: App, { identity, actor }: Attempt): Promise<UserRow | undefined> {
  const { emailKey } = requireProvenAddress(identity);
  const user = await lockPerson(app, eq(users.emailKey, emailKey));
  if (!user) return undefined;
  requireActive(app, user);
  if (user.emailVerifiedAt) {
    await link(app, { user, identity, actor, letter: 'PROVIDER_LINKED', lastUsedAt: app.now() });
    return user;
  }
  await dropCredentials(app, { userId: user.id, reason: 'ADDRESS_PROVEN_BY_PROVIDER' });
  const [proven] = await app.db
    .update(users)
    .set({ emailVerifiedAt: app.now(), updatedAt: app.now() })
    .where(eq(users.id, user.id))
    .returning();
  await emitEvents(app, [{ kind: 'user.verified', userId: user.id }]);
  await link(app, { user, identity, actor, letter: 'PROVIDER_TOOK_OVER', lastUsedAt: app.now() });
  return found(proven);
}

/** A new account: verified, since the provider vouches for the mailbox, and without a password. */
async function signUp(app: App, { identity, wishes, actor, number }: Attempt): Promise<UserRow> {
  const address = requireProvenAddress(identity);
  const username = suggestUsername({ wished: wishes.username, identity, attempt: number });
  const now = app.now();
  const [inserted] = await app.db
    .insert(users)
    .values({
      ...{ id: newId(), ...requireUsername(username), ...address, emailVerifiedAt: now },
      displayName: readableLine(identity.name),
      locale: readableLocale(wishes.locale ?? identity.locale) ?? 'en',
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  const user = found(inserted);
  // After the insert: the unique index let us pass, so whoever left the address has committed and is seen.
  if (await isKeptForUndo(app, { emailKey: user.emailKey, userId: user.id })) throw new AppError('USER_ALREADY_EXISTS');
  const registered = { actor: actingAs({ kind: 'user', id: user.id }, actor), target: { kind: 'user', id: user.id } };
  await recordAudit(app, { ...registered, action: 'user.registered', userId: user.id, after: { method: 'GOOGLE' } });
  await emitEvents(app, [
    { kind: 'user.registered', userId: user.id, data: { invited: false } },
    { kind: 'user.verified', userId: user.id },
  ]);
  await link(app, { user, identity, actor, letter: 'PROVIDER_WELCOME', lastUsedAt: now });
  return user;
}

/**
 * Links the identity with the account, and tells its owner. Inside the transaction that has the person's row locked; a
 * unique index refuses an identity that is linked already.
 */
export async function link(
  app: App,
  options: {
    user: UserRow;
    identity: ProviderIdentity;
    actor: Actor;
    letter: LinkLetter;
    /** null: it was linked in the settings, and nobody signed in with it so far. */
    lastUsedAt: Date | null;
  },
): Promise<LinkedAccountRow> {
  const { user, identity, letter, lastUsedAt } = options;
  const { issuer, subject } = identity;
  const actor = actingAs({ kind: 'user', id: user.id }, options.actor);
  const row = { id: newId(), userId: user.id, issuer, subject, email: shownAddress(identity), createdAt: app.now() };
  const [inserted] = await app.db
    .insert(linkedAccounts)
    .values({ ...row, lastUsedAt })
    .returning();
  const linked = found(inserted);
  const target = { kind: 'linked_account', id: linked.id };
  const after = { credentialsDropped: letter === 'PROVIDER_TOOK_OVER' };
  await recordAudit(app, { actor, action: 'user.google_linked', userId: user.id, target, after });
  await writeLinkLetter(app, { kind: letter, user, issuer, actor });
  return linked;
}
