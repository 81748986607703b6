// Invariants: a person comes in once, whatever is killed and run again: the place in the file moves in the transaction
// of its batch, and names and addresses are unique besides; the opening balance is a movement of the ledger like any
// other, in that same transaction; nothing of a record that stays outside is kept anywhere.
import { and, eq, inArray, or, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { recordAudits } from '../audit/audit.service.js';
import { users } from '../auth/auth.table.js';
import { keptAmong } from '../auth/email-tokens.service.js';
import { moveCreditsTogether } from '../credits/ledger.service.js';
import { emitEvents } from '../events/events.service.js';
import type { NewPerson, Rejection } from './import-input.js';
import { type UserImportRow, userImports } from './imports.table.js';

export interface ImportBatch {
  /** Of the whole file. */
  fingerprint: string;
  /** Records of the file before this batch, and with it. */
  from: number;
  to: number;
  lastLine: number;
  people: readonly { line: number; person: NewPerson }[];
  /** Records of the batch that were no people. */
  rejected: readonly Rejection[];
}

export interface ImportOptions {
  /** What becomes of the file when somebody with the address is there already. */
  onConflict: 'skip' | 'fail';
  /** Everything is done and then taken back. */
  dryRun: boolean;
  actor: Actor;
  /** Told what stays outside before the batch is committed; maybe more than once. */
  onRejected(rejections: readonly Rejection[]): void;
}

export interface BatchOutcome {
  imported: number;
  skipped: number;
  rejected: number;
}

/** How far the file has come in; made at the first call. `restart` begins at its head again. */
export async function beginImport(
  app: App,
  { fingerprint, restart }: { fingerprint: string; restart: boolean },
): Promise<UserImportRow> {
  const now = app.now();
  if (restart) await app.db.delete(userImports).where(eq(userImports.fingerprint, fingerprint));
  await app.db.insert(userImports).values({ fingerprint, startedAt: now, updatedAt: now }).onConflictDoNothing();
  const [row] = await app.db.select().from(userImports).where(eq(userImports.fingerprint, fingerprint));
  if (!row) throw new AppError('CONFLICT', { message: 'Another process began this import again at this moment.' });
  return row;
}

/** To be called once all records are dealt with. */
export async function finishImport(app: App, fingerprint: string): Promise<void> {
  await app.db.update(userImports).set({ finishedAt: app.now() }).where(eq(userImports.fingerprint, fingerprint));
}

/**
 * Takes the people of one batch in, in one transaction.
 *
 * @throws CONFLICT when another process is importing the same file; USER_ALREADY_EXISTS (`line`) with `fail`
 */
export async function importBatch(app: App, batch: ImportBatch, options: ImportOptions): Promise<BatchOutcome> {
  try {
    return await transact(app, async (app) => {
      const outcome = await takeIn(app, batch, options);
      if (options.dryRun) throw new DryRun(outcome);
      await advance(app, batch, outcome);
      return outcome;
    });
  } catch (error) {
    if (error instanceof DryRun) return error.outcome;
    throw error;
  }
}

class DryRun extends Error {
  constructor(readonly outcome: BatchOutcome) {
    super('Nothing of this is kept.');
  }
}

type Candidate = ImportBatch['people'][number] & { id: string };

async function takeIn(app: App, batch: ImportBatch, options: ImportOptions): Promise<BatchOutcome> {
  const candidates = batch.people.map((candidate) => ({ ...candidate, id: newId() }));
  const arrived = await insertPeople(app, candidates);
  const outside = candidates.filter(({ id }) => !arrived.has(id));
  const { rejections, skipped } = await judge(app, outside, options.onConflict);
  const kept = await sendAway(app, candidates, arrived);
  const people = candidates.filter(({ id }) => arrived.has(id));
  await record(app, people, options.actor);
  const rejected = [...batch.rejected, ...rejections, ...kept].sort((a, b) => a.line - b.line);
  options.onRejected(rejected);
  return { imported: people.length, skipped, rejected: rejected.length };
}

/** Answers the ids of those whose name and address were free: the unique indexes decide, not a look before. */
async function insertPeople(app: App, candidates: readonly Candidate[]): Promise<Set<string>> {
  if (candidates.length === 0) return new Set();
  const now = app.now();
  const rows = candidates.map(({ id, person }) => {
    const { emailVerified, credits: _, ...values } = person;
    const createdAt = person.createdAt ?? now;
    return { id, ...values, emailVerifiedAt: emailVerified ? createdAt : null, createdAt, updatedAt: now };
  });
  const inserted = await app.db.insert(users).values(rows).onConflictDoNothing().returning({ id: users.id });
  return new Set(inserted.map(({ id }) => id));
}

/** Why each of these did not come in: the address is there already, or only the name is, and somebody else has it. */
async function judge(app: App, outside: readonly Candidate[], onConflict: ImportOptions['onConflict']) {
  if (outside.length === 0) return { rejections: [], skipped: 0 };
  const keys = {
    emails: outside.map(({ person }) => person.emailKey),
    names: outside.map(({ person }) => person.usernameKey),
  };
  const taken = await app.db
    .select({ emailKey: users.emailKey })
    .from(users)
    .where(or(inArray(users.emailKey, keys.emails), inArray(users.usernameKey, keys.names)));
  const addresses = new Set(taken.map(({ emailKey }) => emailKey));
  const known = outside.filter(({ person }) => addresses.has(person.emailKey));
  const [first] = outside;
  if (onConflict === 'fail' && first) {
    const what = addresses.has(first.person.emailKey) ? 'address' : 'user name';
    throw new AppError('USER_ALREADY_EXISTS', {
      message: `Line ${first.line}: somebody has this ${what} already.`,
      extensions: { line: first.line },
    });
  }
  const rejections = outside
    .filter(({ person }) => !addresses.has(person.emailKey))
    .map(({ line }) => ({ line, code: 'USERNAME_TAKEN', reason: 'somebody with another address has this username' }));
  return { rejections, skipped: known.length };
}

/** Addresses that somebody may still take back stay theirs, as at `register`; asked once they are written. */
async function sendAway(app: App, candidates: readonly Candidate[], arrived: Set<string>): Promise<Rejection[]> {
  const kept = await keptAmong(app, [...arrived]);
  if (kept.length === 0) return [];
  await app.db.delete(users).where(inArray(users.id, kept));
  for (const id of kept) arrived.delete(id);
  return candidates
    .filter(({ id }) => kept.includes(id))
    .map(({ line }) => ({ line, code: 'EMAIL_KEPT', reason: 'somebody may still take this address back' }));
}

/** What comes with an account: a row in its history, word to other systems, the opening balance. */
async function record(app: App, people: readonly Candidate[], actor: Actor): Promise<void> {
  const entries = people.map(({ id, person }) => ({
    actor,
    action: 'user.imported' as const,
    userId: id,
    target: { kind: 'user', id },
    after: { emailVerified: person.emailVerified, hasPassword: person.passwordHash !== null },
  }));
  await recordAudits(app, entries);
  await emitEvents(
    app,
    people.map(({ id }) => ({ kind: 'user.registered', userId: id, data: { invited: false } })),
  );
  const granted = people.filter(({ person }) => person.credits > 0);
  await moveCreditsTogether(
    app,
    granted.map(({ id, person }) => ({
      operation: 'ADD',
      kind: 'GRANT',
      userId: id,
      amount: person.credits,
      idempotencyKey: `users-import:${id}`,
      description: 'Opening balance',
      actor,
    })),
  );
}

async function advance(app: App, batch: ImportBatch, outcome: BatchOutcome): Promise<void> {
  const { fingerprint, from, to, lastLine } = batch;
  const moved = await app.db
    .update(userImports)
    .set({
      records: to,
      lastLine,
      imported: sql`${userImports.imported} + ${outcome.imported}`,
      skipped: sql`${userImports.skipped} + ${outcome.skipped}`,
      rejected: sql`${userImports.rejected} + ${outcome.rejected}`,
      updatedAt: app.now(),
    })
    .where(and(eq(userImports.fingerprint, fingerprint), eq(userImports.records, from)))
    .returning({ records: userImports.records });
  if (moved.length === 0) throw new AppError('CONFLICT', { message: 'Another process is importing this file.' });
}
