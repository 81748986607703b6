// Guesses are counted before they are looked at, in the database, so that neither 500 at once nor a restart gets
// more than its share (P8). A block looks like a wrong password (P3); a known device has a budget of its own, so
// that strangers cannot keep the owner out (P5).
import { createHmac } from 'node:crypto';
import { eq, like, or, type SQL, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { networkKey } from '../../core/network.js';
import { runTogether } from '../../core/one-statement.js';
import type { TokenKind } from '../../core/tokens.js';
import { loginFailures } from './auth.table.js';

const FREE_ATTEMPTS = 5;
const LONGEST_DELAY_SECONDS = 900;
/** From here on only a reset by mail (or an unlock by staff) opens the account again. */
const HARD_STOP = 100;
const PER_NETWORK_A_MINUTE = 30;
const KNOWN_DEVICE_DAYS = 90;

/** Since when the account has a session from this device; it then has a budget of its own. */
const isKnownDevice = (owner: string) => `
  exists (select from sessions
           where ${owner} = $5::uuid and ip = $6::text and user_agent is not distinct from $7::text and created_at > $8::timestamptz)`;

// Everybody sees the count at once, but the answer does not wait for the disk: what a crash of PostgreSQL itself takes
// back is the guesses of half a second, which are not worth that wait in every sign-in.
// The network's row is always locked before the account's, here and in `startOver`, so that nobody waits in a circle.
const count = (isKnown: string) => `
  with network as (
    insert into login_failures as f (key, failures, first_at, last_at) values ($1, 1, $3, $3)
    on conflict (key) do update set
      failures = case when f.first_at <= $3::timestamptz - interval '1 minute' then 1 else f.failures + 1 end,
      first_at = case when f.first_at <= $3::timestamptz - interval '1 minute' then $3::timestamptz else f.first_at end,
      last_at = $3::timestamptz
    returning failures, first_at
  ),
  account as (
    insert into login_failures as f (key, failures, first_at, last_at)
    select case when ${isKnown} then $4::text else $2::text end, 1, $3::timestamptz, $3::timestamptz
      from network where network.failures <= ${PER_NETWORK_A_MINUTE}
    on conflict (key) do update set
      failures = f.failures + 1, last_at = $3::timestamptz,
      blocked_until = case
        when f.failures + 1 >= ${HARD_STOP} then timestamptz '9999-01-01 00:00:00+00'
        when f.failures + 1 >= ${FREE_ATTEMPTS}
          then $3::timestamptz + make_interval(secs => least(${LONGEST_DELAY_SECONDS}, power(2, f.failures + 1 - ${FREE_ATTEMPTS})))
        end
      where f.blocked_until is null or f.blocked_until <= $3::timestamptz
    returning failures, key
  )
  select network.failures as network_failures, network.first_at, account.failures, account.key,
         set_config('synchronous_commit', 'off', true)
    from network left join account on true`;

const COUNT: Record<TokenKind, string> = {
  user: count(isKnownDevice('user_id')),
  admin: count(isKnownDevice('admin_id')),
  staff: count(isKnownDevice('staff_id')),
};

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
  /** Of the account; null when nobody may guess at it now. */
  failures: number | null;
  /** The counter that counted it. */
  key: string | null;
}

function blind(app: App, text: string): string {
  return createHmac('sha256', app.secrets.derive('throttle')).update(text).digest('base64url');
}

/**
 * Counts one guess against the account (or against what was typed, when there is none) and against the network it
 * comes from.
 *
 * @throws RATE_LIMITED when the network has had its guesses of this minute
 */
export async function beginAttempt(
  app: App,
  options: {
    account: { kind: TokenKind; id: string } | undefined;
    typed: string;
    actor: Actor;
    credential?: Credential;
  },
): Promise<Attempt> {
  const { account, actor, typed, credential = 'password' } = options;
  const now = app.now();
  const network = `net:${blind(app, networkKey(actor.ip ?? ''))}`;
  const base = account
    ? keyOf(account.id, credential)
    : `typed:${blind(app, `${credential} ${typed.normalize('NFKC').toLowerCase()}`)}`;
  const known = `${base}:known:${blind(app, `${actor.ip} ${actor.userAgent}`)}`;
  const since = new Date(now.getTime() - KNOWN_DEVICE_DAYS * 86_400_000);
  const device = [account?.id ?? null, actor.ip, actor.userAgent, since];
  const params = [network, base, now, known, ...device];
  const counted = found((await app.sql.write<CountedRow>(COUNT[account?.kind ?? 'user'], params))[0]);
  if (counted.network_failures > PER_NETWORK_A_MINUTE) {
    const retryAfterSeconds = Math.max(1, Math.ceil((counted.first_at.getTime() + 60_000 - now.getTime()) / 1000));
    app.metrics.limiterRefusals.add('throttle');
    throw new AppError('RATE_LIMITED', { retryAfterSeconds });
  }
  const { failures, key } = counted;
  const startOver = () => ({
    network_counter: sql`
      update ${loginFailures} set failures = failures - 1 where key = ${network} and failures > 1 returning key`,
    account_counter: sql`
      delete from ${loginFailures}
       where key in (${base}, ${key ?? base}) and (select count(*) from network_counter) >= 0 returning key`,
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
