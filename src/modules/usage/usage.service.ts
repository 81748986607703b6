// Invariants: a day's counter never passes the limit that stood when it was raised; nothing is ever reset, because
// the date where the person is stands in the counter's key. Whoever moves to another time zone (or back) meets the
// counters of those dates again, so no date's limit can be used twice (C10).
import type { Actor, App } from '../../core/context.js';
import { isUniqueViolation } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { createLookup } from '../../core/lookups.js';
import { sha256 } from '../../core/secrets.js';

export interface LimitState {
  /** Null: no limit. */
  limit: number | null;
  used: number;
  remaining: number | null;
  resetsAt: Date;
}

export interface Consumed extends LimitState {
  allowed: boolean;
  /** Nothing was counted now: this is the first answer again. */
  replayed: boolean;
}

/**
 * The person's date at the moment $1, and when it ends. A midnight that the clocks skip is the moment of the skip.
 * Where they go back over it (America/Havana in autumn) it comes twice, PostgreSQL means the second, and the date
 * turns at the first.
 */
const DAYS = `
  select d.*, case when ((d.midnight - interval '1 hour') at time zone d.time_zone)::date > d.day
              then d.midnight - interval '1 hour' else d.midnight end as resets_at
    from (select u.id, u.time_zone,
                 coalesce(u.conversations_per_day, p.conversations_per_day) as "limit",
                 coalesce(u.messages_per_day, p.messages_per_day) as message_limit,
                 (u.status = 'SUSPENDED' and (u.suspended_until > $1::timestamptz) is not false) as suspended,
                 ($1::timestamptz at time zone u.time_zone)::date as day,
                 (($1::timestamptz at time zone u.time_zone)::date + 1)::timestamp at time zone u.time_zone as midnight
            from users u join plans p on p.code = u.plan_code
           where u.id = any($2::uuid[]) and u.deleted_at is null) d`;

const READ = `
  select d.id, d."limit", d.message_limit, d.resets_at, coalesce(c.used, 0) as used, coalesce(m.used, 0) as messages_used
    from (${DAYS}) d
    left join usage_counters c on c.user_id = d.id and c.kind = 'CONVERSATIONS' and c.day = d.day
    left join usage_counters m on m.user_id = d.id and m.kind = 'MESSAGES' and m.day = d.day`;

// One statement, so that of any number of callers at once exactly as many are allowed as the limit has left: each
// waits for the row, and compares what the one before it left there. A key (see idempotencyKeys in the credits'
// tables) is written only with its effect; two calls with one key that meet end in a unique violation for the second,
// which takes its count back with it.
const TAKE = `
  with person as (${DAYS}),
  known as (select fingerprint, answer from idempotency_keys where scope = $3::text and key = $4::text),
  taken as (
    insert into usage_counters as c (user_id, kind, day, used)
    select id, 'CONVERSATIONS', day, 1 from person
     where not suspended and ("limit" is null or "limit" > 0) and not exists (select from known)
        on conflict (user_id, kind, day) do update set used = c.used + 1
     where (select "limit" from person) is null or c.used < (select "limit" from person)
    returning c.used
  ),
  kept as (
    insert into idempotency_keys (scope, key, fingerprint, answer, created_at)
    select $3::text, $4::text, $5::text,
           jsonb_build_object('limit', person."limit", 'used', taken.used, 'resets_at', person.resets_at), $1::timestamptz
      from person, taken where $4::text is not null
  )
  select person."limit", person.suspended, person.resets_at, taken.used, known.fingerprint, known.answer,
         (select c.used from usage_counters c
           where c.user_id = person.id and c.kind = 'CONVERSATIONS' and c.day = person.day) as used_before
    from person left join taken on true left join known on true`;

interface ReadRow {
  id: string;
  limit: number | null;
  message_limit: number | null;
  resets_at: Date;
  used: number;
  messages_used: number;
}

export interface UsageState {
  conversations: LimitState;
  messages: LimitState;
}

interface TakeRow {
  limit: number | null;
  suspended: boolean;
  resets_at: Date;
  /** Null: not taken. */
  used: number | null;
  used_before: number | null;
  /** Of the first call with this key. */
  fingerprint: string | null;
  answer: { limit: number | null; used: number; resets_at: string } | null;
}

function toState(row: { limit: number | null; used: number; resets_at: Date }): LimitState {
  const { limit, used, resets_at: resetsAt } = row;
  // A plan may have been made smaller during the day, and messages are logged beyond their limit: a log records.
  return { limit, used, remaining: limit === null ? null : Math.max(0, limit - used), resetsAt };
}

const lookups = new WeakMap<App, (userId: string) => Promise<ReadRow | undefined>>();

/** What the person has used of today's limits; look-ups of one turn share one query. @throws NOT_FOUND */
export async function getUsage(app: App, userId: string): Promise<UsageState> {
  let lookup = lookups.get(app);
  if (!lookup) {
    lookup = createLookup(async (ids) => {
      const rows = await app.sql.query<ReadRow>(READ, [app.now(), ids]);
      return new Map(rows.map((row) => [row.id, row]));
    });
    lookups.set(app, lookup);
  }
  const row = found(await lookup(requireId(userId, 'userId')));
  const { message_limit: limit, messages_used: used, resets_at } = row;
  return { conversations: toState(row), messages: toState({ limit, used, resets_at }) };
}

/**
 * Takes one conversation from today's limit of the person, if there is one left. With a key, a call that is sent
 * again counts once; a refusal leaves the key unused.
 *
 * @throws NOT_FOUND, ACCOUNT_SUSPENDED, IDEMPOTENCY_CONFLICT, BAD_USER_INPUT
 */
export async function consumeConversation(
  app: App,
  options: { userId: string; idempotencyKey?: string | null | undefined; actor: Actor },
): Promise<Consumed> {
  const { actor } = options;
  const userId = requireId(options.userId, 'userId');
  const key = options.idempotencyKey ?? null;
  if (key !== null && (key.length < 1 || key.length > 255)) {
    throw badInput({ idempotencyKey: 'must have 1 to 255 characters' });
  }
  const scope = `${actor.kind}:${actor.id ?? ''}:CONSUME_CONVERSATION`;
  const fingerprint = sha256(userId);
  const params = [app.now(), [userId], scope, key, fingerprint];
  const [row] = await onceMore(() => app.sql.write<TakeRow>(TAKE, params));
  return toConsumed(found(row), fingerprint);
}

/** A twin with the same key came first and is committed: the second try finds its answer. */
async function onceMore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    return work();
  }
}

function toConsumed(row: TakeRow, fingerprint: string): Consumed {
  const { limit, suspended, resets_at, used, used_before, answer } = row;
  if (answer) {
    if (row.fingerprint !== fingerprint) throw new AppError('IDEMPOTENCY_CONFLICT');
    return { allowed: true, ...toState({ ...answer, resets_at: new Date(answer.resets_at) }), replayed: true };
  }
  if (suspended) throw new AppError('ACCOUNT_SUSPENDED');
  if (used !== null) return { allowed: true, ...toState({ limit, used, resets_at }), replayed: false };
  // Others may have raised the counter since this statement began: refused means that the limit is reached.
  const reached = Math.max(used_before ?? 0, limit ?? 0);
  return { allowed: false, ...toState({ limit, used: reached, resets_at }), replayed: false };
}
