// Invariants: a letter exists if and only if the transaction that caused it was committed; it ends SENT or DEAD; its
// links stand in the database only encrypted, and not at all once it is sent or given up. Sending is at least once:
// a sender killed after the mail server said yes and before `markSent` sends again, under the same key.
import { and, eq, is, lt, min, ne, type SQL, sql } from 'drizzle-orm';
import { PgTransaction } from 'drizzle-orm/pg-core';
import { type Batcher, createBatcher } from '../../core/batch.js';
import { newId, selectList } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { brandOf, type Letter, MailError } from '../../core/mail.js';
import { networkKey } from '../../core/network.js';
import { type NewRow, newRow } from '../../core/one-statement.js';
import type { Addressee } from './addressee.js';
import type { LetterData, LetterKind } from './letter-texts.js';
import { renderLetter } from './letters.js';
import { type OutboxEmailRow, outboxEmails } from './mail.table.js';

/** NOTIFY on this channel says that a letter was queued (a trigger does); it arrives with the commit. */
export const MAIL_CHANNEL = 'credence_mail';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** Letters that anyone can cause by typing in an address: limited, or we would be somebody's mail bomb. */
const STRANGER_KINDS: LetterKind[] = [
  ...(['WELCOME_VERIFY', 'VERIFY_EMAIL', 'ALREADY_REGISTERED', 'RESET_PASSWORD', 'EMAIL_CHANGE_CONFIRM'] as const),
];
const PER_ADDRESS_HOUR = 3;
const PER_ADDRESS_DAY = 10;
const PER_IP_HOUR = 20;

/** Longer than a send can take (20 seconds, see core/mailer), so that a living sender never loses its letter. */
export const LEASE = 60 * SECOND;
const GIVE_UP_AFTER = DAY;
const FIRST_PAUSE = 30 * SECOND;
const LONGEST_PAUSE = HOUR;
/** A server that wrongly says "for good" (grey lists do) gets two more chances. */
const PERMANENT_TRIES = 3;
const KEEP_DAYS = 30;

export interface LetterRequest<K extends LetterKind> extends Addressee {
  kind: K;
  /** Whoever asked, for the hourly limit. */
  ip?: string | null;
  /** The request that causes it, for whoever traces that. */
  requestId?: string | null;
  /** Queueing the same key again does nothing. */
  idempotencyKey?: string;
  /** A function is called only when the letter will be sent: a link made in it replaces earlier ones only then. */
  data: LetterData[K] | (() => Promise<LetterData[K]>);
}

/**
 * Queues a letter inside the caller's transaction. Answers false when a limit (3 an hour and 10 a day for an address,
 * 20 an hour for an IP; only letters that strangers can cause) or an earlier letter with this key forbids it: the
 * caller answers its own caller as if it had been sent.
 */
export async function queueLetter<K extends LetterKind>(app: App, request: LetterRequest<K>): Promise<boolean> {
  if (!is(app.db, PgTransaction)) throw new Error('A letter is queued in the transaction of what causes it');
  if (isLimited(request)) {
    const [row] = await app.db.select({ allowed: isAllowed(app, request) }).from(sql`(select) as one`);
    if (!row?.allowed) return false;
  }
  const data = typeof request.data === 'function' ? await request.data() : request.data;
  const queued = await app.db
    .insert(outboxEmails)
    .values(toRow(app, { ...request, data }))
    .onConflictDoNothing({ target: outboxEmails.idempotencyKey })
    .returning({ id: outboxEmails.id });
  return queued.length > 0;
}

/** The same as part of a statement (`runTogether`), with its data at hand: no letter where a limit forbids it. */
export function letterStatement<K extends LetterKind>(
  app: App,
  request: LetterRequest<K> & { data: LetterData[K] },
): NewRow {
  return newRow(outboxEmails, toRow(app, request), isLimited(request) ? isAllowed(app, request) : undefined);
}

const isLimited = ({ kind }: { kind: LetterKind }) => STRANGER_KINDS.includes(kind);

function toRow<K extends LetterKind>(
  app: App,
  request: LetterRequest<K> & { data: LetterData[K] },
): typeof outboxEmails.$inferInsert {
  const { kind, to, locale, timeZone, userId = null, data } = request;
  const id = newId();
  const body = JSON.stringify({ data, timeZone } satisfies SealedLetter);
  return {
    id,
    idempotencyKey: request.idempotencyKey ?? id,
    kind,
    recipient: to,
    locale,
    userId,
    ipHash: ipHashOf(app, request),
    requestId: request.requestId ?? null,
    sealedBody: app.secrets.encrypt('mail', body, id),
    nextAttemptAt: app.now(),
    createdAt: app.now(),
  };
}

/** What the template needs besides the row. */
interface SealedLetter {
  data: LetterData[LetterKind];
  timeZone: string;
}

/** Tells one IPv4 address or IPv6 /64 from another without keeping it. Only of letters that are limited. */
function ipHashOf(app: App, request: { kind: LetterKind; ip?: string | null }): string | null {
  if (!request.ip || !isLimited(request)) return null;
  return app.secrets.mac('letter-ip', networkKey(request.ip));
}

/**
 * Whether address and IP have letters left. Holds a lock on both until the transaction ends, so that parallel requests
 * queue up and each sees the letters of those before it (without it, fifty at once all count zero).
 */
function isAllowed(app: App, request: { kind: LetterKind; to: string; ip?: string | null }): SQL<boolean> {
  const [address, kinds] = [request.to.toLowerCase(), `{${STRANGER_KINDS.join(',')}}`];
  return sql`is_letter_allowed(${address}::text, ${ipHashOf(app, request)}::text, ${app.now().toISOString()}::timestamptz,
    ${kinds}::text[], ${PER_ADDRESS_HOUR}::int, ${PER_ADDRESS_DAY}::int, ${PER_IP_HOUR}::int)`;
}

// `any(array(…))` runs the query once; `in (…)` may run it again for each row and take more than it was asked for.
const CLAIM = `
  update outbox_emails set attempts = attempts + 1, next_attempt_at = $2::timestamptz
   where id = any(array(select id from outbox_emails where status = 'QUEUED' and next_attempt_at <= $1::timestamptz
                         order by next_attempt_at limit $3::int for update skip locked))
  returning ${selectList(outboxEmails)}`;

/**
 * Takes up to `max` letters that are due, the longest waiting first, for 60 seconds. Other senders skip them
 * meanwhile; if this one dies, they are due again after that.
 */
export async function claimLetters(app: App, { max }: { max: number }): Promise<OutboxEmailRow[]> {
  const now = app.now();
  return app.sql.write<OutboxEmailRow>(CLAIM, [now, new Date(now.getTime() + LEASE), max]);
}

/** The letter of a claimed row. Throws when it cannot be opened (another encryption key) or written. */
export function openLetter(app: App, row: OutboxEmailRow): Letter {
  if (row.sealedBody === null) throw new Error('A letter that was sent has no body');
  const kind = row.kind as LetterKind;
  const { data, timeZone } = JSON.parse(app.secrets.decrypt('mail', row.sealedBody, row.id)) as SealedLetter;
  const { from } = app.config.mail;
  const rendered = renderLetter(kind, data, { locale: row.locale, timeZone, brand: brandOf(from) });
  const { recipient: to, idempotencyKey } = row;
  return { ...rendered, to, from, idempotencyKey, isRepeat: row.attempts > 1 };
}

const MARK_SENT = `
  update outbox_emails set status = 'SENT', sealed_body = null, sent_at = $2::timestamptz, last_error = null
   where id = any($1::uuid[]) and status = 'QUEUED'`;

const marking = new WeakMap<App['database'], Batcher<string, true>>();

/** The mail server took it. Also right when the lease ran out meanwhile: sent is sent. Letters of one moment share a commit. */
export async function markSent(app: App, { id }: { id: string }): Promise<void> {
  let batcher = marking.get(app.database);
  if (!batcher) {
    const { database, now } = app;
    const mark = async (ids: string[]) => {
      await database.sql.write(MARK_SENT, [ids, now()]);
      return ids.map(() => true as const);
    };
    batcher = createBatcher(mark, { maxBatch: 100, maxWaiting: 10_000 });
    marking.set(database, batcher);
  }
  await batcher.add(id);
}

/**
 * It was not taken: due again after a pause that doubles from 30 seconds to an hour (or as long as the mail server
 * asked for, an hour at most), for 24 hours, then DEAD; refused for good, DEAD after the third time. Does nothing when
 * another sender has taken the letter since.
 */
export async function markFailed(
  app: App,
  options: { row: OutboxEmailRow; error: unknown },
): Promise<'retry' | 'dead'> {
  const { row, error } = options;
  const now = app.now().getTime();
  const { permanent: isPermanent = false, retryAfterSeconds = 0 } = error instanceof MailError ? error : {};
  const wanted = Math.max(FIRST_PAUSE * 2 ** (row.attempts - 1), retryAfterSeconds * SECOND);
  // Scattered, so that letters refused together do not come back together; never before the time that was asked for.
  const pause = Math.min(LONGEST_PAUSE, wanted) * ((retryAfterSeconds > 0 ? 1 : 0.75) + Math.random() / 4);
  const isOver =
    now + pause > row.createdAt.getTime() + GIVE_UP_AFTER || (isPermanent && row.attempts >= PERMANENT_TRIES);
  await app.db
    .update(outboxEmails)
    .set({
      lastError: error instanceof MailError ? error.code : 'EINTERNAL',
      ...(isOver ? { status: 'DEAD', sealedBody: null } : { nextAttemptAt: new Date(now + pause) }),
    })
    .where(
      and(
        eq(outboxEmails.id, row.id),
        eq(outboxEmails.status, 'QUEUED'),
        // The number of the attempt is the fence: a sender that woke up late must not undo another's work.
        eq(outboxEmails.attempts, row.attempts),
      ),
    );
  return isOver ? 'dead' : 'retry';
}

/** Seconds since the oldest waiting letter was queued; 0 when none waits. For the gauge and the health page. */
export async function outboxAgeSeconds(app: App): Promise<number> {
  const [row] = await app.db
    .select({ oldest: min(outboxEmails.createdAt) })
    .from(outboxEmails)
    .where(eq(outboxEmails.status, 'QUEUED'));
  return row?.oldest ? Math.max(0, (app.now().getTime() - row.oldest.getTime()) / SECOND) : 0;
}

export interface OutboxState {
  queued: number;
  /** Given up, and not forgotten yet. */
  dead: number;
  oldestSeconds: number;
}

/** How the outbox stands. Both counts have an index of their own, which holds nothing else. */
export async function readOutboxState(app: App): Promise<OutboxState> {
  const [queued, dead, oldestSeconds] = await Promise.all([
    app.db.$count(outboxEmails, eq(outboxEmails.status, 'QUEUED')),
    app.db.$count(outboxEmails, eq(outboxEmails.status, 'DEAD')),
    outboxAgeSeconds(app),
  ]);
  return { queued, dead, oldestSeconds };
}

/** Forgets letters that were sent or given up, 30 days after they were queued. Answers how many. */
export async function deleteOldLetters(app: App): Promise<number> {
  const before = new Date(app.now().getTime() - KEEP_DAYS * DAY);
  const deleted = await app.db
    .delete(outboxEmails)
    .where(and(ne(outboxEmails.status, 'QUEUED'), lt(outboxEmails.createdAt, before)))
    .returning({ id: outboxEmails.id });
  return deleted.length;
}
