// Invariants: an entry that was accepted is committed, content sealed with the person's own key (V4); a call is written
// whole, with its verdicts and its key, or not at all, so that sending it again under its key neither loses nor doubles
// anything (V5); an entry that cannot be written never costs its neighbours; nothing is written about somebody who was
// deleted, however close the two come. Calls that arrive together share a statement, and so a commit.
import { sql } from 'drizzle-orm';
import { type Batcher, createBatcher } from '../../core/batch.js';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { type Database, hasState } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { isUuid } from '../../core/input.js';
import { sha256 } from '../../core/secrets.js';
import { findSealingKeys, sealWith } from '../data-keys/data-keys.service.js';

export interface LoggedMessage {
  role: string;
  content: string;
}

/** One exchange with a model, as a service reports it. */
export interface MessageEntry {
  userId: string;
  conversationId?: string | null | undefined;
  model: string;
  messages: LoggedMessage[];
  inputTokens: number;
  outputTokens: number;
  /** Now, when absent. */
  occurredAt?: Date | null | undefined;
}

export type RejectionCode = 'NOT_FOUND' | 'BAD_USER_INPUT';

export interface Rejection {
  /** Its place in the batch, from 0. */
  index: number;
  code: RejectionCode;
}

export interface LoggedBatch {
  accepted: number;
  rejected: Rejection[];
  /** Nothing was written now: this is the first answer again. */
  replayed: boolean;
}

const MOST_ENTRIES = 1_000;
const MOST_MESSAGES = 1_000;
const LONGEST_NAME = 255;
/** Clocks differ. */
const FUTURE_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

/**
 * Logs up to 1,000 exchanges and answers after they are committed. A log records: it refuses nothing because of a limit
 * or a suspension, it only counts.
 *
 * @returns how many were written, and which were not and why: NOT_FOUND for who is unknown or was deleted
 * @throws BAD_USER_INPUT, IDEMPOTENCY_CONFLICT, RETRY_LATER
 */
export async function logMessages(
  app: App,
  options: { batch: MessageEntry[]; idempotencyKey?: string | null | undefined; actor: Actor },
): Promise<LoggedBatch> {
  const { batch, actor } = options;
  if (batch.length < 1 || batch.length > MOST_ENTRIES)
    throw badInput({ batch: `must have 1 to ${MOST_ENTRIES} entries` });
  const key = options.idempotencyKey ?? null;
  if (key !== null && (key.length < 1 || key.length > 255)) {
    throw badInput({ idempotencyKey: 'must have 1 to 255 characters' });
  }
  const now = app.now();
  const { rows, rejected } = await sealEntries(app, { batch, actor, now });
  const verdict = await laneOf(app).add({
    scope: `${actor.kind}:${actor.id ?? ''}:LOG_MESSAGES`,
    key,
    fingerprint: key === null ? '' : sha256(JSON.stringify(batch)),
    rows,
    rejected,
    now,
  });
  if (verdict.isConflict) throw new AppError('IDEMPOTENCY_CONFLICT');
  const { accepted, replayed } = verdict;
  return { accepted, rejected: verdict.rejected.sort((a, b) => a.index - b.index), replayed };
}

interface SealedRow {
  readonly index: number;
  readonly id: string;
  readonly user_id: string;
  readonly service_id: string | null;
  readonly conversation_id: string | null | undefined;
  readonly model: string;
  readonly sealed_content: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly message_count: number;
  readonly occurred_at: Date;
}

async function sealEntries(
  app: App,
  options: { batch: MessageEntry[]; actor: Actor; now: Date },
): Promise<{ rows: SealedRow[]; rejected: Rejection[] }> {
  const { batch, actor, now } = options;
  const oldest = now.getTime() - app.config.messages.retentionDays * DAY_MS;
  const fits = batch.map((entry) => isUuid(entry.userId) && isEntry(entry, { now: now.getTime(), oldest }));
  const people = new Set(batch.filter((_, index) => fits[index]).map(({ userId }) => userId.toLowerCase()));
  const keys = await findSealingKeys(app, [...people]);
  const rows: SealedRow[] = [];
  const rejected: Rejection[] = [];
  for (const [index, entry] of batch.entries()) {
    const key = keys.get(entry.userId.toLowerCase());
    if (!fits[index] || !key) {
      rejected.push({ index, code: fits[index] ? 'NOT_FOUND' : 'BAD_USER_INPUT' });
      continue;
    }
    const id = newId();
    const plain = JSON.stringify(entry.messages.map(({ role, content }) => ({ role, content })));
    rows.push({
      index,
      id,
      user_id: key.userId,
      service_id: actor.id,
      conversation_id: entry.conversationId,
      model: entry.model,
      sealed_content: sealWith(key, { plain, about: aboutEntry(id) }),
      input_tokens: entry.inputTokens,
      output_tokens: entry.outputTokens,
      message_count: entry.messages.length,
      occurred_at: entry.occurredAt ?? now,
    });
  }
  return { rows, rejected };
}

/** What ties a sealed text to its row. */
export const aboutEntry = (id: string) => `message_log:${id}`;

function isEntry(entry: MessageEntry, { now, oldest }: { now: number; oldest: number }): boolean {
  const { model, conversationId, messages, inputTokens, outputTokens } = entry;
  const time = entry.occurredAt?.getTime() ?? now;
  return (
    isName(model) &&
    (conversationId == null || isName(conversationId)) &&
    messages.length >= 1 &&
    messages.length <= MOST_MESSAGES &&
    messages.every(({ role }) => isName(role)) &&
    inputTokens >= 0 &&
    outputTokens >= 0 &&
    time <= now + FUTURE_MS &&
    time > oldest
  );
}

const isName = (text: string) => text.length >= 1 && text.length <= LONGEST_NAME;

interface LogCall {
  readonly scope: string;
  readonly key: string | null;
  readonly fingerprint: string;
  readonly rows: SealedRow[];
  readonly rejected: Rejection[];
  readonly now: Date;
}

interface Verdict {
  readonly accepted: number;
  readonly rejected: Rejection[];
  readonly replayed: boolean;
  readonly isConflict: boolean;
}

/** Sealed text that may wait for the database: beyond it callers are told to come again. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
/** Far below what five seconds, the longest that a statement may take, are enough for. */
const ROWS_AT_ONCE = 4_000;

interface Lane {
  add(call: LogCall): Promise<Verdict>;
}

const lanes = new WeakMap<Database, Lane>();

function laneOf({ database, metrics }: App): Lane {
  let lane = lanes.get(database);
  if (lane === undefined) {
    const batcher: Batcher<LogCall, Verdict> = createBatcher(
      async (calls) => {
        metrics.batchSizes.add('messages', calls.length);
        return writeTogether(database, calls);
      },
      { maxBatch: 200, maxWaiting: 10_000 },
    );
    lane = withLimit(batcher);
    lanes.set(database, lane);
  }
  return lane;
}

function withLimit(batcher: Batcher<LogCall, Verdict>): Lane {
  let waiting = 0;
  return {
    async add(call) {
      const bytes = call.rows.reduce((sum, row) => sum + row.sealed_content.length, 0);
      if (waiting + bytes > MOST_WAITING_BYTES) throw new AppError('RETRY_LATER', { retryAfterSeconds: 1 });
      waiting += bytes;
      try {
        return await batcher.add(call);
      } finally {
        waiting -= bytes;
      }
    },
  };
}

/** In as few statements as the calls' sizes allow; two calls with one key never in the same. */
async function writeTogether(database: Database, calls: LogCall[]): Promise<(Verdict | Error)[]> {
  const answers: (Verdict | Error)[] = [];
  for (const part of parted(calls)) answers.push(...(await writePart(database, part)));
  return answers;
}

function parted(calls: LogCall[]): LogCall[][] {
  const parts: LogCall[][] = [];
  let part: LogCall[] = [];
  let keys = new Set<string>();
  let rows = 0;
  for (const call of calls) {
    const key = call.key === null ? undefined : `${call.scope}:${call.key}`;
    const isFull = rows + call.rows.length > ROWS_AT_ONCE || (key !== undefined && keys.has(key));
    if (isFull && part.length > 0) {
      parts.push(part);
      part = [];
      keys = new Set();
      rows = 0;
    }
    part.push(call);
    rows += call.rows.length;
    if (key !== undefined) keys.add(key);
  }
  parts.push(part);
  return parts;
}

/** A key taken meanwhile, a deadlock over one, a serialization failure: nothing was written. */
const CONTENTION = /^(?:23505|40P01|40001)$/;
const TRIES = 3;

async function writePart(database: Database, calls: LogCall[]): Promise<(Verdict | Error)[]> {
  try {
    return await write(database, calls);
  } catch (error) {
    // Another instance took one of the keys at this very moment: one by one, and the twin then finds the answer.
    if (!hasState(error, CONTENTION)) return calls.map(() => asError(error));
    return Promise.all(calls.map((call) => writeAlone(database, call)));
  }
}

async function writeAlone(database: Database, call: LogCall): Promise<Verdict | Error> {
  for (let tries = 1; ; tries += 1) {
    try {
      const [verdict] = await write(database, [call]);
      return verdict ?? new Error('The log gave no verdict.');
    } catch (error) {
      if (tries === TRIES || !hasState(error, CONTENTION)) return asError(error);
    }
  }
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** PostgreSQL's form of an array, which costs both sides less than JSON. Texts of others have to be `quoted`. */
const columnOf = (values: readonly (string | number | null)[]) =>
  `{${values.map((value) => value ?? 'null').join(',')}}`;

const quoted = (text: string | null | undefined) =>
  text == null ? null : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

// One statement, and so one commit. The people are locked, in one order, against being deleted before it: who was
// deleted first is looked at again and found gone. The day is the one where the person is, at the time it happened.
function writing(calls: readonly LogCall[]) {
  const heads = calls.map(({ scope, key, fingerprint, rejected }, n) => ({ n, scope, key, fingerprint, rejected }));
  const rows = calls.flatMap((call) => call.rows);
  const people = [...new Set(rows.map((row) => row.user_id))];
  const now = sql`${calls.at(-1)?.now.toISOString()}::timestamptz`;
  return sql`
  with calls as materialized (
    select * from jsonb_to_recordset(${JSON.stringify(heads)}::text::jsonb)
      as c (n int, scope text, key text, fingerprint text, rejected jsonb)
  ),
  known as materialized (
    select c.n, k.fingerprint, k.answer from calls c join idempotency_keys k on k.scope = c.scope and k.key = c.key
  ),
  people as materialized (
    select u.id, u.time_zone from users u
     where u.id in (select value::uuid from jsonb_array_elements_text(${JSON.stringify(people)}::text::jsonb))
       and u.deleted_at is null
     order by u.id for key share
  ),
  entries as materialized (
    select e.*, p.time_zone
      from unnest(${columnOf(calls.flatMap((call, n) => call.rows.map(() => n)))}::text::int[],
                  ${columnOf(rows.map((row) => row.index))}::text::int[],
                  ${columnOf(rows.map((row) => row.id))}::text::uuid[],
                  ${columnOf(rows.map((row) => row.user_id))}::text::uuid[],
                  ${columnOf(rows.map((row) => row.service_id))}::text::uuid[],
                  ${columnOf(rows.map((row) => quoted(row.conversation_id)))}::text::text[],
                  ${columnOf(rows.map((row) => quoted(row.model)))}::text::text[],
                  ${columnOf(rows.map((row) => row.sealed_content))}::text::text[],
                  ${columnOf(rows.map((row) => row.input_tokens))}::text::int[],
                  ${columnOf(rows.map((row) => row.output_tokens))}::text::int[],
                  ${columnOf(rows.map((row) => row.message_count))}::text::int[],
                  ${columnOf(rows.map((row) => row.occurred_at.toISOString()))}::text::timestamptz[])
        as e (n, "index", id, user_id, service_id, conversation_id, model, sealed_content, input_tokens, output_tokens,
              message_count, occurred_at)
      left join people p on p.id = e.user_id
     where not exists (select from known where known.n = e.n)
  ),
  written as (
    insert into message_logs (id, user_id, service_id, conversation_id, model, sealed_content, input_tokens,
                              output_tokens, message_count, occurred_at, created_at)
    select id, user_id, service_id, conversation_id, model, sealed_content, input_tokens,
           output_tokens, message_count, occurred_at, ${now}
      from entries where time_zone is not null
  ),
  counted as (
    insert into usage_counters as c (user_id, kind, day, used)
    select user_id, 'MESSAGES', (occurred_at at time zone time_zone)::date, sum(message_count)
      from entries where time_zone is not null
     group by 1, 3 order by 1, 3
        on conflict (user_id, kind, day) do update set used = c.used + excluded.used
  ),
  verdicts as materialized (
    select c.n, count(e.time_zone) as accepted,
           c.rejected || coalesce(jsonb_agg(jsonb_build_object('index', e."index", 'code', 'NOT_FOUND'))
                                    filter (where e.id is not null and e.time_zone is null), '[]') as rejected
      from calls c left join entries e on e.n = c.n
     where not exists (select from known where known.n = c.n)
     group by c.n, c.rejected
  ),
  kept as (
    insert into idempotency_keys (scope, key, fingerprint, answer, created_at)
    select c.scope, c.key, c.fingerprint, jsonb_build_object('accepted', v.accepted, 'rejected', v.rejected), ${now}
      from calls c join verdicts v on v.n = c.n
     where c.key is not null
     order by 1, 2
  )
  select json_agg(json_build_object('accepted', v.accepted, 'rejected', v.rejected, 'fingerprint', k.fingerprint,
                                    'answer', k.answer) order by c.n)::text as verdicts
    from calls c left join verdicts v on v.n = c.n left join known k on k.n = c.n`;
}

interface VerdictRow {
  accepted: number | null;
  rejected: Rejection[] | null;
  /** Of the first call with this key. */
  fingerprint: string | null;
  answer: { accepted: number; rejected: Rejection[] } | null;
}

/**
 * Not on the prepared lane: session look-ups would stand in line behind thousands of rows, and behind the lock of
 * somebody who is leaving.
 */
async function write(database: Database, calls: readonly LogCall[]): Promise<Verdict[]> {
  // The drivers wrap rows differently, and read types differently: one text in one row is the same in both.
  const result = (await database.db.execute(writing(calls))) as readonly Json[] | { readonly rows: readonly Json[] };
  const [row] = 'rows' in result ? result.rows : result;
  const found = JSON.parse(String(row?.verdicts)) as VerdictRow[];
  return found.map(({ accepted, rejected, fingerprint, answer }, n) => ({
    accepted: accepted ?? answer?.accepted ?? 0,
    rejected: rejected ?? answer?.rejected ?? [],
    replayed: answer !== null,
    isConflict: answer !== null && fingerprint !== calls[n]?.fingerprint,
  }));
}

type Json = Record<string, unknown>;
