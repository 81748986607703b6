// Invariants: at most one live token per account and purpose (for undo links: per account and address); a token is
// used once, by one conditional write; the database holds only hashes.
import { and, eq, gt, gte, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { isKeyShaped, type KeyKind, makeKey, sha256 } from '../../core/secrets.js';
import { type EmailTokenPurpose, emailTokens, users } from './auth.table.js';
import { type Owner, ownerColumn, ownerOfRow, toOwnerColumns } from './owner.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const PURPOSES: Record<EmailTokenPurpose, { kind: KeyKind; lifeMs: number }> = {
  VERIFY_EMAIL: { kind: 'verify', lifeMs: 24 * HOUR },
  RESET_PASSWORD: { kind: 'reset', lifeMs: 30 * MINUTE },
  CHANGE_EMAIL: { kind: 'change', lifeMs: 30 * MINUTE },
  UNDO_EMAIL_CHANGE: { kind: 'undo', lifeMs: 72 * HOUR },
  INVITATION: { kind: 'invite', lifeMs: 72 * HOUR },
};

/** What a token stands for. */
export interface EmailToken {
  owner: Owner;
  /** The address it was made for. */
  email: string;
  createdAt: Date;
}

const ownedBy = (owner: Owner) => eq(ownerColumn<AnyPgColumn>(emailTokens, owner.kind), owner.id);
const unspent = and(isNull(emailTokens.usedAt), isNull(emailTokens.voidedAt));

/** A new token; the one before it loses its force. Inside the caller's transaction. */
export async function createEmailToken(
  app: App,
  options: { purpose: EmailTokenPurpose; owner: Owner; email: string },
): Promise<string> {
  const { purpose, owner, email } = options;
  // Two requests at once would each void what they see and leave two live tokens.
  await app.db.execute(sql`select pg_advisory_xact_lock(hashtext('email-token'), hashtext(${owner.id}))`);
  // A second change of address must not take away the way back to the first one: a thief would just ask twice.
  await voidEmailTokens(app, { owner, purpose, ...(purpose === 'UNDO_EMAIL_CHANGE' && { email }) });
  const { token, row } = newEmailToken(app, options);
  await app.db.insert(emailTokens).values(row);
  return token;
}

/** A token and the row that makes it good, for an account so new that it has none to be voided. */
export function newEmailToken(
  app: App,
  options: { purpose: EmailTokenPurpose; owner: Owner; email: string },
): { token: string; row: typeof emailTokens.$inferInsert } {
  const { purpose, owner, email } = options;
  const { kind, lifeMs } = PURPOSES[purpose];
  const token = makeKey(kind);
  const createdAt = app.now();
  const expiresAt = new Date(createdAt.getTime() + lifeMs);
  return {
    token,
    row: { id: newId(), purpose, tokenHash: sha256(token), ...toOwnerColumns(owner), email, createdAt, expiresAt },
  };
}

/**
 * Takes the force of the account's live tokens: of one purpose, or of all but undo links. Those outlive a change of
 * password, for whoever took the account over would change it first.
 */
export async function voidEmailTokens(
  app: App,
  options: { owner: Owner; purpose?: EmailTokenPurpose; email?: string; since?: Date },
): Promise<void> {
  const { owner, purpose, email, since } = options;
  await app.db
    .update(emailTokens)
    .set({ voidedAt: app.now() })
    .where(
      and(
        ownedBy(owner),
        unspent,
        purpose ? eq(emailTokens.purpose, purpose) : ne(emailTokens.purpose, 'UNDO_EMAIL_CHANGE'),
        email ? eq(emailTokens.email, email) : undefined,
        since ? gte(emailTokens.createdAt, since) : undefined,
      ),
    );
}

function requireShape(token: string, purpose: EmailTokenPurpose): void {
  if (!isKeyShaped(token, PURPOSES[purpose].kind)) throw new AppError('TOKEN_INVALID');
}

const unspentToken = (token: string, purpose: EmailTokenPurpose) =>
  and(eq(emailTokens.tokenHash, sha256(token)), eq(emailTokens.purpose, purpose), unspent);

function toEmailToken(row: typeof emailTokens.$inferSelect): EmailToken {
  return { owner: ownerOfRow(row), email: row.email, createdAt: row.createdAt };
}

/**
 * Whose token it is, without using it up: so that a password the policy refuses does not cost the token, and one
 * that is not a token does not cost a hash.
 *
 * @throws TOKEN_EXPIRED past its time, TOKEN_INVALID for everything else
 */
export async function getEmailToken(
  app: App,
  options: { token: string; purpose: EmailTokenPurpose },
): Promise<EmailToken> {
  const { token, purpose } = options;
  requireShape(token, purpose);
  const [row] = await app.db.select().from(emailTokens).where(unspentToken(token, purpose));
  if (!row) throw new AppError('TOKEN_INVALID');
  if (row.expiresAt <= app.now()) throw new AppError('TOKEN_EXPIRED');
  return toEmailToken(row);
}

/**
 * Uses a token up; of any number of callers at once, one succeeds. Inside the transaction of what it permits.
 *
 * @throws TOKEN_EXPIRED past its time, TOKEN_INVALID for everything else
 */
export async function consumeEmailToken(
  app: App,
  options: { token: string; purpose: EmailTokenPurpose },
): Promise<EmailToken> {
  const { token, purpose } = options;
  requireShape(token, purpose);
  const [row] = await app.db
    .update(emailTokens)
    .set({ usedAt: app.now() })
    .where(and(unspentToken(token, purpose), gt(emailTokens.expiresAt, app.now())))
    .returning();
  if (row) return toEmailToken(row);
  const [late] = await app.db.select({ id: emailTokens.id }).from(emailTokens).where(unspentToken(token, purpose));
  throw new AppError(late ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID');
}

interface Arrival {
  emailKey: string;
  userId: string;
}

/**
 * Whether the address is kept for somebody who may still take it back: as long as an undo link is live, nobody else
 * gets the address that it leads to, or a thief would register it and the undo would fail. Asked after the address was
 * written, in the same statement or transaction: the unique index let it pass, so whoever left the address has
 * committed, and is seen.
 */
export async function isKeptForUndo(app: App, arrival: Arrival): Promise<boolean> {
  const [row] = await app.db.select({ kept: addressIsKept(app, arrival) }).from(sql`(select) as one`);
  return row?.kept === true;
}

/** The same as part of a statement. */
export function addressIsKept(app: App, { emailKey, userId }: Arrival): SQL<boolean> {
  return sql`is_address_kept(${emailKey}::text, ${userId}::uuid, ${app.now().toISOString()}::timestamptz)`;
}

/** Those of these people, just written, whose address is kept for somebody else. */
export async function keptAmong(app: App, userIds: readonly string[]): Promise<string[]> {
  if (userIds.length === 0) return [];
  const isKept = sql`is_address_kept(${users.emailKey}, ${users.id}, ${app.now().toISOString()}::timestamptz)`;
  const rows = await app.db
    .select({ id: users.id })
    .from(users)
    .where(and(inArray(users.id, [...userIds]), isKept));
  return rows.map(({ id }) => id);
}
