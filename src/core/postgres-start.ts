import postgres from 'postgres';
import { DatabaseRefusal, isDatabaseUnavailable } from './database.js';
import type { Logger } from './logger.js';
import { type ClientOptions, clientOptions, type PostgresTimings, pooledOptions } from './postgres-lane.js';

interface Waiting {
  readonly log: Logger;
  readonly timings: PostgresTimings;
}

/** Waits for a server that is down, as long as `timings.start`. @throws DatabaseRefusal when it refuses or stays away */
export function waitForServer(url: string, waiting: Waiting): Promise<void> {
  const trial = { url, options: clientOptions(waiting.timings) };
  return waitFor({ ...trial, isWorthWaiting: (error) => isTemporary(error) && !/^08P/.test(codeOf(error)) }, waiting);
}

/**
 * The same for a pooler, whose server has answered already. It says everything with 08P01: that its server is away, and
 * that it does not know the role.
 *
 * @throws DatabaseRefusal also when its connections lack the limits that ours to the server itself have
 */
export async function waitForPooler(url: string, waiting: Waiting): Promise<void> {
  const options = pooledOptions(waiting.timings);
  await waitFor({ url, options, isWorthWaiting: isTemporary }, waiting);
  await requireLimits(url, waiting.timings);
}

interface Trial {
  readonly url: string;
  readonly options: ClientOptions;
  readonly isWorthWaiting: (error: unknown) => boolean;
}

async function waitFor(trial: Trial, { log, timings }: Waiting): Promise<void> {
  const target = nameOf(trial.url);
  const deadline = performance.now() + timings.start;
  for (let tries = 0; ; tries += 1) {
    const problem = await tryOnce(trial, timings);
    if (problem === undefined) return;
    if (!trial.isWorthWaiting(problem))
      throw new DatabaseRefusal(`PostgreSQL at ${target} refused: ${reasonOf(problem)}.`);
    const pause = Math.min(100 * 2 ** tries, 2_000) * (0.75 + Math.random() / 2);
    if (performance.now() + pause > deadline) {
      throw new DatabaseRefusal(
        `PostgreSQL at ${target} did not answer for ${Math.round(timings.start / 1_000)} seconds: ${reasonOf(problem)}. ` +
          'Is it running, and does DATABASE_URL lead to it?',
      );
    }
    // The first try, and then about every ten seconds.
    if (tries % 5 === 0) log.warn({ target, reason: codeOf(problem) }, 'waiting for PostgreSQL');
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function tryOnce({ url, options }: Trial, timings: PostgresTimings): Promise<unknown> {
  const client = postgres(url, { ...options, max: 1 });
  // A server that takes the connection and says nothing would be waited for without end.
  const giveUp = setTimeout(() => void client.end({ timeout: 0 }), timings.connect + timings.statement);
  try {
    await client.unsafe('select 1');
    return undefined;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(giveUp);
    await client.end({ timeout: 0 });
  }
}

/** Not a wrong password or role (28) or a database that does not exist (3D): they stay so. A refused setting is 08P. */
function isTemporary(error: unknown): boolean {
  return isDatabaseUnavailable(error) && !/^(?:28|3D)/.test(codeOf(error));
}

/** In milliseconds on the server's side, as everything in `pg_settings` that is a time. */
const LIMITS = {
  statement_timeout: 'statement',
  lock_timeout: 'lock',
  idle_in_transaction_session_timeout: 'idleInTransaction',
} as const satisfies Record<string, keyof PostgresTimings>;

/**
 * Our limits stand in no request to a pooler, so whoever runs it has to give them. Without them one slow statement
 * would hold a connection of everybody's for ever.
 */
async function requireLimits(url: string, timings: PostgresTimings): Promise<void> {
  const client = postgres(url, { ...pooledOptions(timings), max: 1 });
  try {
    const rows = await client.unsafe<{ name: string; setting: string }[]>(
      `select name, setting from pg_settings where name in ('jit', '${Object.keys(LIMITS).join("', '")}')`,
    );
    const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
    const wanted = Object.entries(LIMITS).map(([name, timing]) => ({ name, most: timings[timing] }));
    const lacking = wanted.filter(({ name, most }) => {
      const value = Number(settings.get(name) ?? 0);
      return value <= 0 || value > most;
    });
    if (lacking.length === 0 && settings.get('jit') === 'off') return;
    const query = [...wanted.map(({ name, most }) => `set ${name} = ${most}`), 'set jit = off'].join('; ');
    const names = [...lacking.map(({ name }) => name), ...(settings.get('jit') === 'off' ? [] : ['jit'])];
    throw new DatabaseRefusal(
      `The connections of the pooler at ${nameOf(url)} are without limits of ours (${names.join(', ')}). ` +
        `In pgbouncer.ini give the database: connect_query='${query}'; with another pooler, set them for the role.`,
    );
  } finally {
    await client.end({ timeout: timings.close / 1_000 });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Never the URL: it holds the password. */
function reasonOf(error: unknown): string {
  return (error instanceof Error && error.message) || codeOf(error) || 'no reason given';
}

/** host:port/database of a URL, without who signs in. */
export function nameOf(url: string): string {
  if (!URL.canParse(url))
    throw new DatabaseRefusal('DATABASE_URL is not a URL like postgres://user:password@host:5432/name.');
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
