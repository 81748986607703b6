import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { closeApp, createApp } from '../app.js';
import { buildConfig, type Config, readEnvironment } from '../core/config.js';
import { type Actor, type App, SYSTEM_ACTOR } from '../core/context.js';
import { type Database, DatabaseRefusal, openDatabase } from '../core/database.js';
import { createLogger, type Logger } from '../core/logger.js';
import { countPendingMigrations } from '../core/migrations.js';

export function readConfig(): Config {
  return buildConfig(readEnvironment());
}

/** Standard output is for the outcome alone, and people want warnings at most. */
export function commandLog({ log }: Config): Logger {
  const level = ['debug', 'trace', 'silent'].includes(log.level) ? log.level : 'warn';
  return createLogger({ level, pretty: false }, { destination: process.stderr });
}

/** The configured database for as long as `work` takes. @throws DatabaseRefusal */
export async function withDatabase<T>(work: (database: Database, log: Logger) => Promise<T>): Promise<T> {
  const config = readConfig();
  const log = commandLog(config);
  const database = await openDatabase(config.database, log);
  try {
    return await work(database, log);
  } finally {
    await database.close();
  }
}

/**
 * Everything a service needs, on a database that is there and up to date, for as long as `work` takes. Lines go to
 * standard error, and Redis is not asked: no command counts requests.
 *
 * @throws DatabaseRefusal when there is no database yet, another process holds it, or it is older than this build
 */
export async function withApp<T>(work: (app: App) => Promise<T>): Promise<T> {
  const config = readConfig();
  requireExisting(config);
  const app = await openApp(config);
  try {
    return await work(app);
  } finally {
    await closeApp(app);
  }
}

/** The database comes first: where there is none, no encryption key is left behind for it. */
async function openApp(config: Config): Promise<App> {
  const parts = quietParts(config);
  const database = await openDatabase(config.database, parts.log);
  try {
    await requireMigrated(database);
    return await createApp({ ...config, redisUrl: undefined, tracing: undefined }, { ...parts, database });
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Lines on standard error alone, and none in the store or at receivers, which belong to servers. */
export function quietParts(config: Config): Pick<App, 'log' | 'logSinks'> {
  return { log: commandLog(config), logSinks: { store: undefined, all: [], close: async () => undefined } };
}

/** A wrong DATA_DIR must not leave an empty database and a key of its own behind. */
export function requireExisting({ database }: Config): void {
  if (database.kind !== 'pglite' || database.directory === undefined || existsSync(database.directory)) return;
  throw new DatabaseRefusal(
    `There is no database in ${database.directory} yet. Is DATA_DIR right? "credence serve" and "credence migrate up" make one.`,
  );
}

async function requireMigrated(database: Database): Promise<void> {
  const pending = await countPendingMigrations(database);
  if (pending > 0) {
    throw new DatabaseRefusal(
      `This database lacks ${pending} migration${pending === 1 ? '' : 's'} of this build: run "credence migrate up" first.`,
    );
  }
}

/** Who stands in audit rows for what the command line does: the system, by the hand of somebody on this machine. */
export function operator(): Actor {
  let name = 'unknown';
  try {
    name = userInfo().username;
  } catch {
    // A container may run under a number that has no name.
  }
  return { ...SYSTEM_ACTOR, userAgent: `credence command line, ${name}@${hostname()}`, requestId: randomUUID() };
}
