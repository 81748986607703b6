// Guesses are counted before they are looked at, in the database, so that neither 500 at once nor a restart gets
// more than its share (P8). A block looks like a wrong password (P3); a known device has a budget of its own, so
// that strangers cannot keep the owner out (P5).
import { eq, like, or, type SQL, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { canonicalEmail, found } from '../../core/input.js';
import { networkKey } from '../../core/network.js';
import { runTogether } from '../../core/one-statement.js';
import type { TokenKind } from '../../core/tokens.js';
import { loginFailures } from './auth.table.js';
import { type NamedPerson, personNamed } from './users.service.js';

const FREE_ATTEMPTS = 5;
const LONGEST_DELAY_SECONDS = 900;
/** From here on only a reset by mail (or an unlock by staff) opens the account again. */
const HARD_STOP = 100;
const PER_NETWORK_A_MINUTE = 30;
const KNOWN_DEVICE_DAYS = 90;

/** Whether the account has had a session from this device lately; it then has a budget of its own. */
const isKnownDevice = (owner: string) => `
  exists (select from sessions
           where ${owner} = owner.id and ip = $5::text and user_agent is not distinct from $6::text and created_at > $7::timestamptz)`;

// Everybody sees the count at once, but the answer does not wait for the disk: what a crash of PostgreSQL itself takes
// back is the guesses of half a second, which are not worth that wait in every sign-in.
// The network's row is always locked before the account's, here and in `startOver`, so that nobody waits in a circle.
const count = (owner: { query: string; column: string; answers?: string }) => `
  with found as (${owner.query}),
  counter as (
    select base, base || case when ${isKnownDevice(owner.column)} then ':known:' || $8::text else '' end as key
      from (select found.id, coalesce($2::text || found.id, $4::text) as base
              from (select) as one left join found on true) as owner
  ),
  network as (
    insert into login_failures as f (key, failures, first_at, last_at) values ($1, 1, $3, $3)
    on conflict (key) do update set
      failures = case when f.first_at <= $3::timestamptz - interval '1 minute' then 1 else f.failures + 1 end,
      first_at = case when f.first_at <= $3::timestamptz - interval '1 minute' then $3::timestamptz else f.first_at end,
      last_at = $3::timestamptz
    returning failures, first_at
  ),
  account as (
    insert into login_failures as f (key, failures, first_at, last_at)
    select counter.key, 1, $3::timestamptz, $3::timestamptz
      from network, counter where network.failures <= ${PER_NETWORK_A_MINUTE}
    on conflict (key) do update set
      failures = f.failures + 1, last_at = $3::timestamptz,
      blocked_until = case
        when f.failures + 1 >= ${HARD_STOP} then timestamptz '9999-01-01 00:00:00+00'
        when f.failures + 1 >= ${FREE_ATTEMPTS}
          then $3::timestamptz + make_interval(secs => least(${LONGEST_DELAY_SECONDS}, power(2, f.failures + 1 - ${FREE_ATTEMPTS})))
        end
      where f.blocked_until is null or f.blocked_until <= $3::timestamptz
    returning failures
  )
  select network.failures as network_failures, network.first_at, account.failures as account_failures,
         counter.base, counter.key ${owner.answers ?? ''}, set_config('synchronous_commit', 'off', true)
    from network cross join counter left join account on true left join found on true`;

const knownOwner = (column: string) => count({ query: 'select $9::uuid as id', column });

const COUNT: Record<TokenKind, string> = {
  user: knownOwner('user_id'),
  admin: knownOwner('admin_id'),
  staff: knownOwner('staff_id'),
};

const COUNT_NAMED = count({ query: personNamed('$9', '$10'), column: 'user_id', answers: ', found.*' });

/**
 * What is being guessed. Each is counted by itself, by the same rule: whoever guesses at recovery phrases must not
 * lock the owner's sign-in, nor the other way round.
 */
export type Credential = 'password' | 'recovery phrase' | 'second factor';

const PREFIX: Record<Credential, string> = {
  password: 'account',
  'recovery phrase': 'recovery',
  'second factor': 'second-factor',
};
const keyOf = (accountId: string, credential: Credential) => `${PREFIX[credential]}:${accountId}`;

const GIVE_BACK_ACCOUNT = `
  update login_failures
     set failures = failures - 1, blocked_until = case when failures = $2 then null else blocked_until end
   where key = $1 and failures > 0`;

const GIVE_BACK_NETWORK = 'update login_failures set failures = failures - 1 where key = $1 and failures > 1';

export interface Attempt {
  /** False: answer as for a wrong password, whatever was sent. */
  allowed: boolean;
  /** Nobody looked at it, so it was no guess. */
  withdraw(): Promise<void>;
  /** The credential was right: the account's counter starts over, and the network gets its guess back. */
  succeeded(): Promise<void>;
  /** The same as part of a statement that does more: see `runTogether`. */
  startOver(): Record<string, SQL>;
}

interface CountedRow {
  network_failures: number;
  first_at: Date;
  /** Null when nobody may guess at the account now. */
  account_failures: number | null;
  /** The account's counter for strangers. */
  base: string;
  /** The one that counts this guess: a device that is known has its own. */
  key: string;
}

function blind(app: App, text: string): string {
  return app.secrets.mac('throttle', text);
}

interface Guess {
  typed: string;
  actor: Actor;
  credential?: Credential;
}

/**
 * Counts one guess against the account (or against what was typed, when there is none) and against the network it
 * comes from.
 *
 * @throws RATE_LIMITED when the network has had its guesses of this minute
 */
export async function beginAttempt(
  app: App,
  { account, ...guess }: Guess & { account: { kind: TokenKind; id: string } | undefined },
): Promise<Attempt> {
  const row = await countGuess<CountedRow>(app, {
    guess,
    statement: COUNT[account?.kind ?? 'user'],
    owner: [account?.id ?? null],
  });
  return attemptOf(app, { row, guess });
}

/**
 * The same for whom a username or an address names, together with the look for them.
 *
 * @throws RATE_LIMITED when the network has had its guesses of this minute
 */
export async function beginAttemptByName(
  app: App,
  { identifier, ...options }: Omit<Guess, 'typed'> & { identifier: string },
): Promise<{ user: NamedPerson | undefined; attempt: Attempt }> {
  const guess = { ...options, typed: identifier };
  const owner = [identifier.toLowerCase(), canonicalEmail(identifier)?.emailKey ?? null];
  const row = await countGuess<CountedRow & (NamedPerson | { id: null })>(app, {
    guess,
    statement: COUNT_NAMED,
    owner,
  });
  return { user: row.id === null ? undefined : row, attempt: attemptOf(app, { row, guess }) };
}

const networkOf = (app: App, { ip }: Actor) => `net:${blind(app, networkKey(ip ?? ''))}`;

async function countGuess<Row extends CountedRow>(
  app: App,
  options: { guess: Guess; statement: string; owner: unknown[] },
): Promise<Row> {
  const { actor, typed, credential = 'password' } = options.guess;
  const now = app.now();
  const params = [
    networkOf(app, actor),
    keyOf('', credential),
    now,
    `typed:${blind(app, `${credential} ${typed.normalize('NFKC').toLowerCase()}`)}`,
    actor.ip,
    actor.userAgent,
    new Date(now.getTime() - KNOWN_DEVICE_DAYS * 86_400_000),
    blind(app, `${actor.ip} ${actor.userAgent}`),
    ...options.owner,
  ];
  const row = found((await app.sql.write<Row>(options.statement, params))[0]);
  if (row.network_failures <= PER_NETWORK_A_MINUTE) return row;
  const retryAfterSeconds = Math.max(1, Math.ceil((row.first_at.getTime() + 60_000 - now.getTime()) / 1000));
  app.metrics.limiterRefusals.add('throttle');
  throw new AppError('RATE_LIMITED', { retryAfterSeconds });
}

function attemptOf(app: App, { row, guess }: { row: CountedRow; guess: Guess }): Attempt {
  const { account_failures: failures, base, key } = row;
  const network = networkOf(app, guess.actor);
  const startOver = () => ({
    network_counter: sql`
      update ${loginFailures} set failures = failures - 1 where key = ${network} and failures > 1 returning key`,
    account_counter: sql`
      delete from ${loginFailures}
       where key in (${base}, ${key}) and (select count(*) from network_counter) >= 0 returning key`,
  });
  return {
    allowed: failures !== null,
    startOver,
    async succeeded() {
      await runTogether(app, startOver(), sql`select from account_counter`);
    },
    async withdraw() {
      if (failures !== null) await app.sql.write(GIVE_BACK_ACCOUNT, [key, failures]);
      await app.sql.write(GIVE_BACK_NETWORK, [network]);
    },
  };
}

/**
 * Compares a guess with what is stored, or with a decoy of the same cost when there is nothing or the attempt is not
 * allowed. A guess that the machine is too busy to look at is given back: whoever floods the hashing queue must not
 * lock out those who come to it meanwhile with the right password.
 *
 * @throws RETRY_LATER
 */
export async function compareGuess(
  app: App,
  options: { attempt: Attempt; guess: string; stored: string | null | undefined },
): Promise<{ ok: boolean; needsRehash: boolean }> {
  const { attempt, guess, stored } = options;
  try {
    return await app.passwords.verify(guess, attempt.allowed ? stored : null);
  } catch (error) {
    await attempt.withdraw();
    throw error;
  }
}

/**
 * What a reset by mail opens again. It leaves guesses at the second factor counted, or a thief of the mailbox would get
 * new ones with every letter.
 */
const OPENED_BY_MAIL: readonly Credential[] = ['password', 'recovery phrase'];
export const EVERY_CREDENTIAL: readonly Credential[] = [...OPENED_BY_MAIL, 'second factor'];

/** Forgets what was guessed, and opens the account again. Operators may open more than a letter does. */
export async function clearFailures(
  app: App,
  accountId: string,
  credentials: readonly Credential[] = OPENED_BY_MAIL,
): Promise<void> {
  await app.db.delete(loginFailures).where(failuresOf(accountId, credentials));
}

/** What was counted against the account, from devices known and unknown. */
export function failuresOf(accountId: string, credentials = EVERY_CREDENTIAL): SQL | undefined {
  const keys = credentials.map((credential) => keyOf(accountId, credential));
  return or(...keys.flatMap((key) => [eq(loginFailures.key, key), like(loginFailures.key, `${key}:known:%`)]));
}
