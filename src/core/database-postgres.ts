import postgres from 'postgres';
import type { Config } from './config.js';
import { type Database, DatabaseRefusal, isDatabaseUnavailable, type ObserveStatement, type Sql } from './database.js';
import { answersWithin, createTransactionGuard, requireChannel } from './database-guard.js';
import type { Logger } from './logger.js';
import { type Client, clientOptions, Lane, POSTGRES_TIMINGS, type PostgresTimings } from './postgres-lane.js';
import { PostgresListener } from './postgres-listener.js';
import { createPool } from './postgres-pool.js';
import { writeParameter } from './postgres-types.js';

type PostgresConfig = Extract<Config['database'], { kind: 'postgres' }>;

interface Surroundings {
  readonly log: Logger;
  readonly timings?: PostgresTimings;
  readonly observe?: ObserveStatement | undefined;
}

const LISTENING_CONNECTIONS = 1;

/** Few, because a few busy connections answer short statements faster than many (PERFORMANCE 1). */
function shareOut(connections: number): { readers: number; writers: number; pool: number } {
  const readers = connections < 6 ? 1 : 2;
  const writers = connections < 8 ? 1 : 2;
  return { readers, writers, pool: Math.max(1, connections - readers - writers - LISTENING_CONNECTIONS) };
}

/**
 * PostgreSQL through postgres.js. Drizzle changes the parsers of the client it is given (PERFORMANCE 5), so the prepared
 * lanes have their own: one for reading, and one for what commits, which readers must not wait for. Listening takes
 * one more connection, and all together stay within `connections`.
 *
 * Behind pgbouncer: session mode. Transaction mode refuses the session's limits at connecting (unless they are in
 * `ignore_startup_parameters`, and then they do not hold), and does not deliver notifications.
 */
export async function openPostgres(
  config: PostgresConfig,
  { log, timings = POSTGRES_TIMINGS, observe }: Surroundings,
): Promise<Database> {
  await waitForServer(config.url, { log, timings });
  const guard = createTransactionGuard();
  const shares = shareOut(config.connections);
  const pool = createPool(config.url, { size: shares.pool, timings, guard, observe });
  const createLane = (name: 'readers' | 'writers') =>
    new Lane(() => postgres(config.url, { ...clientOptions(timings), max: shares[name] }), {
      name,
      timings,
      observe,
      others: 'drop',
    });
  const lanes = { readers: createLane('readers'), writers: createLane('writers') };
  const listener = new PostgresListener(config.url, { timings, log });
  async function prepared<Row>(lane: Lane, text: string, params: readonly unknown[]): Promise<Row[]> {
    guard.requireOutside();
    return (await lane.prepared(text, params.map(writeParameter))) as unknown[] as Row[];
  }
  const sql: Sql = {
    query: (text, params) => prepared(lanes.readers, text, params),
    write: (text, params) => prepared(lanes.writers, text, params),
  };
  return {
    kind: 'postgres',
    db: pool.db,
    sql,
    listen: async (channel, onPayload, onLive) =>
      listener.subscribe({ channel: requireChannel(channel), onPayload, onLive }),
    requireOutside: () => guard.requireOutside(),
    load: () => pool.load(),
    isReady: () => answersWithin(timings.queue, () => sql.query('select 1', [])),
    alone: (work) => runAlone(config.url, timings, work),
    async close() {
      await Promise.all([listener.close(), lanes.readers.close(), lanes.writers.close(), pool.close()]);
    },
  };
}

/**
 * One transaction on a connection of its own. The advisory lock lives and ends with the transaction, so a process that
 * dies in it leaves nothing behind, and it holds behind pgbouncer too.
 */
async function runAlone<T>(url: string, timings: PostgresTimings, work: (sql: Sql) => Promise<T>): Promise<T> {
  // At the start of many instances at once the server may take longer to answer than a caller would wait.
  const client = postgres(url, { ...clientOptions(timings), max: 1, connect_timeout: timings.silence / 1_000 });
  try {
    const result = await client.begin(async (tx) => {
      await tx.unsafe(`set local statement_timeout = 0; set local lock_timeout = ${timings.start}`);
      await tx.unsafe('select pg_advisory_xact_lock($1)', [ALONE_LOCK]);
      // From here on a table that is in use is waited for; its users' statements end after five seconds.
      await tx.unsafe(`set local lock_timeout = ${2 * timings.statement}`);
      const query: Sql['query'] = (text, params) => queryOn(tx, text, params);
      return { value: await work({ query, write: query }) };
    });
    return (result as { value: T }).value;
  } finally {
    await client.end({ timeout: timings.close / 1_000 });
  }
}

/** Any number, the same in every version of Credence: "cred" in ASCII. */
const ALONE_LOCK = 0x63726564;

function queryOn<Row>(client: { unsafe: Client['unsafe'] }, text: string, params: readonly unknown[]): Promise<Row[]> {
  const written = params.map(writeParameter) as postgres.ParameterOrJSON<never>[];
  return client.unsafe(text, written) as Promise<unknown> as Promise<Row[]>;
}

async function waitForServer(url: string, { log, timings }: { log: Logger; timings: PostgresTimings }): Promise<void> {
  const target = nameOf(url);
  const deadline = performance.now() + timings.start;
  for (let tries = 0; ; tries += 1) {
    const problem = await tryServer(url, timings);
    if (problem === undefined) return;
    if (!isWorthWaiting(problem)) throw new DatabaseRefusal(`PostgreSQL at ${target} refused: ${reasonOf(problem)}.`);
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

async function tryServer(url: string, timings: PostgresTimings): Promise<unknown> {
  const client = postgres(url, { ...clientOptions(timings), max: 1 });
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

/** Not a wrong password or role (28), a database that does not exist (3D) or a refused setting (08P): they stay so. */
function isWorthWaiting(error: unknown): boolean {
  return isDatabaseUnavailable(error) && !/^(?:28|3D|08P)/.test(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Never the URL: it holds the password. */
function reasonOf(error: unknown): string {
  return (error instanceof Error && error.message) || codeOf(error) || 'no reason given';
}

/** host:port/database of a URL, without who signs in. */
function nameOf(url: string): string {
  if (!URL.canParse(url))
    throw new DatabaseRefusal('DATABASE_URL is not a URL like postgres://user:password@host:5432/name.');
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
