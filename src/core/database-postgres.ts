import postgres from 'postgres';
import type { Config } from './config.js';
import type { Database, ObserveStatement, Sql } from './database.js';
import { answersWithin, createTransactionGuard, requireChannel } from './database-guard.js';
import type { Logger } from './logger.js';
import {
  type Client,
  clientOptions,
  Lane,
  POSTGRES_TIMINGS,
  type PostgresTimings,
  pooledOptions,
  preparedOptions,
} from './postgres-lane.js';
import { PostgresListener } from './postgres-listener.js';
import { createPool } from './postgres-pool.js';
import { Replica } from './postgres-replica.js';
import { waitForPooler, waitForServer } from './postgres-start.js';
import { writeParameter } from './postgres-types.js';

type PostgresConfig = Extract<Config['database'], { kind: 'postgres' }>;

interface Surroundings {
  readonly log: Logger;
  readonly timings?: PostgresTimings;
  readonly observe?: ObserveStatement | undefined;
}

const LISTENING_CONNECTIONS = 1;

interface Shares {
  readonly readers: number;
  readonly writers: number;
  readonly pool: number;
}

/** Few, because a few busy connections answer short statements faster than many (PERFORMANCE 1). */
function shareOut(connections: number): Shares {
  const readers = connections < 6 ? 1 : 2;
  const writers = connections < 8 ? 1 : 2;
  return { readers, writers, pool: Math.max(1, connections - readers - writers - LISTENING_CONNECTIONS) };
}

/** Without prepared statements nothing is sent behind a statement that is under way: the lanes need more connections. */
function shareOutPooled(connections: number): Shares {
  const each = Math.floor(connections / 4);
  return { readers: each, writers: each, pool: Math.max(1, connections - 2 * each - LISTENING_CONNECTIONS) };
}

/**
 * PostgreSQL through postgres.js. Drizzle changes the parsers of the client it is given (PERFORMANCE 5), so the prepared
 * lanes have their own: one for reading, and one for what commits, which readers must not wait for. Listening takes
 * one more connection, and all together stay within `connections`.
 *
 * With `directUrl` the other one leads to a pooler in transaction mode: what belongs to a session (LISTEN, migrations
 * with their limits) goes to the server itself, and nothing else does (docs/decisions/0017). Without it, a pooler in
 * session mode is no different from a server.
 */
export async function openPostgres(
  config: PostgresConfig,
  { log, timings = POSTGRES_TIMINGS, observe }: Surroundings,
): Promise<Database> {
  const direct = config.directUrl ?? config.url;
  const isPooled = config.directUrl !== undefined;
  await waitForServer(direct, { log, timings });
  if (isPooled) await waitForPooler(config.url, { log, timings });
  const guard = createTransactionGuard();
  const shares = isPooled ? shareOutPooled(config.connections) : shareOut(config.connections);
  const connecting = isPooled ? pooledOptions(timings) : clientOptions(timings);
  const pool = createPool(config.url, {
    name: 'transactions',
    size: shares.pool,
    connecting,
    timings,
    guard,
    observe,
  });
  const onLanes = isPooled ? connecting : preparedOptions(timings);
  const createLane = (name: 'readers' | 'writers') =>
    new Lane(() => postgres(config.url, { ...onLanes, max: shares[name] }), {
      name,
      timings,
      observe,
      others: 'drop',
    });
  const lanes = { readers: createLane('readers'), writers: createLane('writers') };
  const listener = new PostgresListener(direct, { timings, log });
  async function prepared<Row>(lane: Lane, text: string, params: readonly unknown[]): Promise<Row[]> {
    guard.requireOutside();
    return (await lane.prepared(text, params.map(writeParameter))) as unknown[] as Row[];
  }
  const sql: Sql = {
    query: (text, params) => prepared(lanes.readers, text, params),
    write: (text, params) => prepared(lanes.writers, text, params),
  };
  const replica = config.replicaUrl
    ? new Replica(config.replicaUrl, {
        connections: config.connections >> 1,
        timings,
        guard,
        log,
        primary: sql,
        observe,
      })
    : undefined;
  return {
    kind: 'postgres',
    db: pool.db,
    sql,
    listen: async (channel, onPayload, onLive) =>
      listener.subscribe({ channel: requireChannel(channel), onPayload, onLive }),
    requireOutside: () => guard.requireOutside(),
    load: () => pool.load(),
    isReady: () => answersWithin(timings.queue, () => sql.query('select 1', [])),
    alone: (work) => runAlone(direct, timings, work),
    ...(replica && { replica }),
    async close() {
      await replica?.close();
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
