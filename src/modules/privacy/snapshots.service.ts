// What a person was, for the way back: everything of their row but its id, and what proves that it is them.
import { and, eq, getTableColumns } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { App } from '../../core/context.js';
import { DELETED_DOMAIN } from '../../core/input.js';
import {
  backupCodes,
  emailTokens,
  recoveryPhrases,
  secondFactorChallenges,
  totpFactors,
  type UserRow,
  users,
} from '../auth/auth.table.js';
import { linkedAccounts, oauthStates } from '../auth/openid.table.js';
import { type DataKey, openWith, resealWith, sealWith } from '../data-keys/data-keys.service.js';
import { deletedUsers } from './privacy.table.js';

/** The columns of a user's row that are about the person. A new column does not compile until it is said here. */
type Personal = Omit<UserRow, 'id' | 'createdAt' | 'updatedAt' | 'deletedAt'>;

/** What is left of them in the row of somebody who was deleted. */
export function blankPerson(id: string): Personal {
  const [username, email] = [`deleted-${id}`, `${id}@${DELETED_DOMAIN}`];
  return {
    username,
    usernameKey: username,
    email,
    emailKey: email,
    emailVerifiedAt: null,
    passwordHash: null,
    displayName: null,
    locale: 'en',
    timeZone: 'UTC',
    avatarUrl: null,
    planCode: 'free',
    conversationsPerDay: null,
    messagesPerDay: null,
    status: 'DELETED',
    suspendedAt: null,
    suspendedUntil: null,
    suspensionReason: null,
    lastLoginAt: null,
  };
}

/** Tables of secrets that go with the person and come back with them. */
const PROOFS = { recoveryPhrases, totpFactors, backupCodes, linkedAccounts } as const;
type Proofs = { -readonly [Name in keyof typeof PROOFS]: Record<string, unknown>[] };
const PROOF_NAMES = Object.keys(PROOFS) as (keyof Proofs)[];

export interface Snapshot {
  person: Personal;
  proofs: Proofs;
}

const ABOUT = 'deleted_user';

/** The person's rows as they are now, sealed with their own key. Inside the transaction that locks the person. */
export async function takeSnapshot(app: App, options: { user: UserRow; key: DataKey }): Promise<string> {
  const { id, createdAt, updatedAt, deletedAt, ...person } = options.user;
  const proofs: Proofs = { recoveryPhrases: [], totpFactors: [], backupCodes: [], linkedAccounts: [] };
  for (const name of PROOF_NAMES) {
    proofs[name] = await app.db.select().from(PROOFS[name]).where(eq(PROOFS[name].userId, id));
  }
  return sealWith(options.key, { plain: JSON.stringify({ person, proofs } satisfies Snapshot), about: ABOUT });
}

/** Takes away what proves that somebody is the person, and the links that letters to them hold. */
export async function removeProofs(app: App, userId: string): Promise<void> {
  const others = [secondFactorChallenges, emailTokens, oauthStates];
  for (const table of [...Object.values(PROOFS), ...others]) await app.db.delete(table).where(eq(table.userId, userId));
}

/** Seals what is kept of somebody who was deleted under the newest of their keys. Answers how many rows were written. */
export async function resealSnapshot(
  app: App,
  { userId, keys }: { userId: string; keys: readonly DataKey[] },
): Promise<number> {
  const ofPerson = eq(deletedUsers.userId, userId);
  const [row] = await app.db.select({ sealed: deletedUsers.sealedSnapshot }).from(deletedUsers).where(ofPerson);
  const before = row?.sealed ?? undefined;
  const sealed = before === undefined ? undefined : resealWith(keys, { sealed: before, about: ABOUT });
  if (before === undefined || sealed === undefined) return 0;
  // Erased or brought back since: nothing is written.
  const unchanged = and(ofPerson, eq(deletedUsers.sealedSnapshot, before));
  const written = await app.db
    .update(deletedUsers)
    .set({ sealedSnapshot: sealed })
    .where(unchanged)
    .returning({ userId: deletedUsers.userId });
  return written.length;
}

/** Undefined when the key is gone. */
export function openSnapshot(keys: readonly DataKey[], sealed: string): Snapshot | undefined {
  const text = openWith(keys, { sealed, about: ABOUT });
  if (text === undefined) return undefined;
  const { person, proofs } = JSON.parse(text) as Snapshot;
  return { person: revived(users, { ...person }) as unknown as Personal, proofs };
}

/**
 * Puts back what `removeProofs` took, as the snapshot has it. Who signed up anew with their identity at a provider keeps
 * it there: it belongs to one account.
 */
export async function restoreProofs(app: App, proofs: Partial<Proofs>): Promise<void> {
  for (const name of PROOF_NAMES) {
    // A snapshot may be older than the table.
    const rows = (proofs[name] ?? []).map((row) => revived(PROOFS[name], row));
    if (rows.length === 0) continue;
    await app.db
      .insert(PROOFS[name])
      .values(rows as never)
      .onConflictDoNothing();
  }
}

/** JSON knows no moments: columns that hold them get them back. Columns that are no more are left out. */
function revived(table: PgTable, row: Record<string, unknown>): Record<string, unknown> {
  const columns = Object.entries(getTableColumns(table)).filter(([name]) => name in row);
  return Object.fromEntries(
    columns.map(([name, { dataType }]) => {
      const value = row[name];
      return [name, dataType === 'date' && typeof value === 'string' ? new Date(value) : value];
    }),
  );
}
