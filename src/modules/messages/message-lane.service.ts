// Invariants: a call is written whole, with its verdicts and its key, or not at all, so that sending it again under its
// key neither loses nor doubles anything (V5); nothing is written about somebody who was deleted, however close the two
// come. Calls that arrive together share a statement, and so a commit.
import { sql } from 'drizzle-orm';
import { type Batcher, createBatcher } from '../../core/batch.js';
import type { App } from '../../core/context.js';
import { type Database, hasState } from '../../core/database.js';
import { AppError } from '../../core/errors.js';

export type RejectionCode = 'NOT_FOUND' | 'BAD_USER_INPUT';

export interface Rejection {
  /** Its place in the batch, from 0. */
  index: number;
  code: RejectionCode;
}

export interface SealedRow {
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

/** What a call asks to have written, whole or not at all. */
export interface LogCall {
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

export interface Lane {
  add(call: LogCall): Promise<Verdict>;
}

const lanes = new WeakMap<Database, Lane>();

/** The calls of this process that wait for the database write together. */
export function laneOf({ database, metrics }: App): Lane {
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
