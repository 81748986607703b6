import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { PGlite, type PGliteOptions, type QueryOptions, type Transaction } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { drizzle } from 'drizzle-orm/pglite';
import type { Config } from './config.js';
import { type DataDirectoryLock, lockDataDirectory } from './data-directory-lock.js';
import { type Database, DatabaseRefusal, type Db, type ObserveStatement, type Sql } from './database.js';
import {
  answersWithin,
  createTransactionGuard,
  Gate,
  requireChannel,
  type TransactionGuard,
} from './database-guard.js';

type PgliteConfig = Extract<Config['database'], { kind: 'pglite' }>;

/** One connection serves everybody, so the line is the whole server's; longer than PostgreSQL's two seconds. */
const WAIT = { permits: 1, waitMs: 5_000, line: 5_000 };

/**
 * PostgreSQL embedded in this process. Survives a crash of the process, not of the machine: nothing is fsynced. There
 * is one connection, `statement_timeout` does nothing, and a slow statement holds up the event loop.
 */
export async function openPglite(config: PgliteConfig, observe?: ObserveStatement): Promise<Database> {
  if (config.directory === undefined) return wrap(await start(config.loadFrom), { lock: undefined, observe });
  const directory = resolve(config.directory);
  await mkdir(dirname(directory), { recursive: true });
  const lock = await lockDataDirectory(directory);
  try {
    return wrap(await openDirectory(directory, config), { lock, observe });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * A marker stands beside the directory while the database is being made. After a crash in that time the remains hold
 * nothing that was ever acknowledged and are made anew; without the marker nothing is ever deleted or made over.
 */
async function openDirectory(directory: string, { loadFrom, fill }: PgliteConfig): Promise<PGlite> {
  const marker = `${directory}.creating`;
  if (existsSync(marker)) await rm(directory, { recursive: true, force: true });
  const isNew = !existsSync(directory) || (await readdir(directory)).length === 0;
  // PGlite makes a new database wherever it finds no PG_VERSION: next to the files of a damaged one, too.
  if (!isNew && !existsSync(join(directory, 'PG_VERSION'))) throw damaged(directory, 'PG_VERSION is missing');
  if (isNew) {
    await writeFile(marker, '');
    // Its files are readable and writable for everybody; the directory is what keeps everybody out.
    await mkdir(directory, { mode: 0o700, recursive: true });
  }
  try {
    const isFilled = isNew && (await fill?.(directory)) === true;
    if (isFilled && !existsSync(join(directory, 'PG_VERSION'))) throw new Error('what was put there is no database');
    const client = await start(isNew && !isFilled ? loadFrom : undefined, directory);
    if (isNew) await rm(marker);
    return client;
  } catch (error) {
    throw isNew
      ? new DatabaseRefusal(`No database could be made in ${directory}: ${reasonOf(error)}.`, { cause: error })
      : damaged(directory, reasonOf(error), error);
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');

function damaged(directory: string, reason: string, cause?: unknown): DatabaseRefusal {
  return new DatabaseRefusal(
    `The database in ${directory} cannot be opened and may be damaged (${reason}). ` +
      'No other database was made in its place. Put a backup in its place, or move the directory away to start with an empty database.',
    { cause },
  );
}

async function start(loadFrom: Blob | undefined, directory?: string): Promise<PGlite> {
  // What PostgreSQL says when it gives up; PGlite's own error only says that it did.
  let complaint: string | undefined;
  const options: PGliteOptions = {
    extensions: { pg_trgm },
    onStderr(line) {
      complaint ??= /(?:PANIC|FATAL): +(.+)/.exec(line)?.[1];
      return true;
    },
  };
  if (directory !== undefined) options.dataDir = directory;
  if (loadFrom !== undefined) options.loadDataDir = loadFrom;
  try {
    const client = await PGlite.create(options);
    await client.exec("set timezone = 'UTC'");
    return client;
  } catch (error) {
    throw complaint === undefined ? error : new Error(complaint, { cause: error });
  }
}

interface Surroundings {
  readonly lock: DataDirectoryLock | undefined;
  readonly observe: ObserveStatement | undefined;
}

function wrap(client: PGlite, { lock, observe }: Surroundings): Database {
  const guard = createTransactionGuard();
  const gate = new Gate(WAIT);
  const outer = outerClient(client, { guard, gate, observe });
  const query: Sql['query'] = async <Row>(text: string, params: readonly unknown[]) =>
    (await outer.query<Row>(text, [...params])).rows;
  const sql: Sql = { query, write: query };
  return {
    kind: 'pglite',
    // Drizzle calls `query` and `transaction` of its client, nothing else.
    db: drizzle({ client: outer as PGlite }) as unknown as Db,
    sql,
    async listen(channel, onPayload, onLive) {
      const unlisten = await client.listen(requireChannel(channel), onPayload);
      onLive(true);
      return () => unlisten();
    },
    requireOutside: () => guard.requireOutside(),
    load: () => gate.load(),
    isReady: () => answersWithin(2_000, () => sql.query('select 1', [])),
    // The lock on the directory already keeps every other process out.
    alone: (work) => outer.transaction((tx) => work(sessionOf(tx))),
    dump: () => gate.run(() => client.dumpDataDir('gzip')),
    async close() {
      // After whoever is in line; a transaction that takes too long is cut off.
      if (!client.closed) await gate.run(() => client.close()).catch(() => client.close());
      await lock?.release();
    },
  };
}

/** What PGlite offers outside of transactions, behind the gate and refusing to be used within one. */
function outerClient(
  client: PGlite,
  { guard, gate, observe }: { guard: TransactionGuard; gate: Gate; observe: ObserveStatement | undefined },
): Pick<PGlite, 'query' | 'transaction'> {
  const run = observedQuery(client, observe);
  return {
    async query<Row>(text: string, params?: unknown[], options?: QueryOptions) {
      guard.requireOutside();
      return gate.run(() => run<Row>(text, params, options));
    },
    async transaction<T>(work: (tx: Transaction) => Promise<T>) {
      guard.requireOutside();
      return gate.run(() =>
        client.transaction((tx) => {
          const observed: Transaction = Object.create(tx, { query: { value: observedQuery(tx, observe) } });
          return guard.runInside(() => work(observed));
        }),
      );
    },
  };
}

function observedQuery(client: Pick<Transaction, 'query'>, observe: ObserveStatement | undefined) {
  return async <Row>(text: string, params?: unknown[], options?: QueryOptions) => {
    const ended = observe?.('embedded', { text, params });
    let failure: unknown;
    try {
      return await client.query<Row>(text, params, options);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      ended?.(failure);
    }
  };
}

function sessionOf(tx: Transaction): Sql {
  const query: Sql['query'] = async <Row>(text: string, params: readonly unknown[]) => {
    if (params.length > 0) return (await tx.query<Row>(text, [...params])).rows;
    const results = await tx.exec(text);
    return (results.at(-1)?.rows ?? []) as Row[];
  };
  return { query, write: query };
}
