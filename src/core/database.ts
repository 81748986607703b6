import { is } from 'drizzle-orm';
import { type PgDatabase, type PgQueryResultHKT, PgTransaction } from 'drizzle-orm/pg-core';
import type { Config } from './config.js';
import type { App } from './context.js';
import type { Logger } from './logger.js';
import type { StatementLane } from './metrics.js';

/** Drizzle over either driver. */
export type Db = PgDatabase<PgQueryResultHKT, Record<string, never>>;

/**
 * The hot lane: prepared statements outside of transactions. Both drivers answer alike: bigint as number (columns are
 * bound to safe integers by CHECKs), timestamptz as Date, jsonb parsed, uuid as string. Arrays of text, uuid and
 * numbers are taken as parameters; JSON goes in as a string with `$1::text::jsonb`.
 */
export interface Sql {
  query<Row>(text: string, params: readonly unknown[]): Promise<Row[]>;
  /** The same for statements that write: on connections of their own, since a commit holds up whoever stands behind. */
  write<Row>(text: string, params: readonly unknown[]): Promise<Row[]>;
}

/**
 * Told of every statement when it is sent to these connections; what it answers is called when the statement has
 * ended. The text has no values in it; of `params` only their number may be told.
 */
export type ObserveStatement = (
  lane: StatementLane,
  statement: { text: string; params: readonly unknown[] | undefined },
) => (error?: unknown) => void;

export interface Database {
  readonly kind: 'pglite' | 'postgres';
  readonly db: Db;
  readonly sql: Sql;
  /** For `readLagging` alone. */
  readonly replica?: {
    /** Undefined while the replica is away or too far behind. */
    db(): Db | undefined;
    /** Not to be read from until it has shown that it answers. */
    distrust(): void;
  };
  /**
   * Hears NOTIFY on a channel (lower-case letters, digits and `_`). `onLive(false)` says that payloads may be missed
   * from now on, `onLive(true)` that they are heard from now on; what was missed between is never repeated.
   */
  listen(
    channel: string,
    onPayload: (payload: string) => void,
    onLive: (live: boolean) => void,
  ): Promise<() => Promise<void>>;
  /** Throws when called from within a transaction: for whatever must not hold one up, such as a request to another server. */
  requireOutside(): void;
  /** Connections for transactions, those of them that nobody uses at this moment, and how many callers wait for one. */
  load(): { size: number; free: number; waiting: number };
  /** Whether a trivial query is answered within two seconds. Never throws. */
  isReady(): Promise<boolean>;
  /**
   * One transaction, alone among all instances that call this on the same database, with time for slow statements:
   * for migrations. A text without parameters may hold several statements.
   */
  alone<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** PGlite only: the whole data directory as a tar file, taken between two statements. */
  dump?(): Promise<Blob>;
  close(): Promise<void>;
}

/** A sentence for the operator; the process should print it and end. Never holds a password. */
export class DatabaseRefusal extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DatabaseRefusal';
  }
}

/**
 * Opens the configured database and never another one: PostgreSQL that does not answer is waited for up to 60 seconds.
 * @throws DatabaseRefusal when it cannot be opened.
 */
export async function openDatabase(
  config: Config['database'],
  log: Logger,
  { observe }: { observe?: ObserveStatement } = {},
): Promise<Database> {
  // Each driver is loaded only when it is the one: PGlite brings megabytes of WebAssembly.
  if (config.kind === 'postgres')
    return (await import('./database-postgres.js')).openPostgres(config, { log, observe });
  return (await import('./database-pglite.js')).openPglite(config, observe);
}

const refuse = () =>
  Promise.reject(new Error('The prepared lane is not part of the transaction: use app.db inside transact.'));
const REFUSING_SQL: Sql = { query: refuse, write: refuse };

const MAX_RETRIES = 3;

/**
 * Runs `work` in one transaction and answers after its commit; any error rolls everything back. Called within a
 * transaction it is a savepoint. A serialization failure or deadlock is tried again up to three times (outermost
 * level only), so `work` must have no effect outside the database: no mail, no HTTP.
 */
export async function transact<T>(app: App, work: (app: App) => Promise<T>): Promise<T> {
  const attempt = () => app.db.transaction((tx) => work({ ...app, db: tx, sql: REFUSING_SQL }));
  if (isInTransaction(app)) return attempt();
  for (let retries = 0; ; retries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (retries >= MAX_RETRIES || !isCollision(error)) throw error;
      // Full jitter, so that the two that collided do not meet again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** retries));
    }
  }
}

interface DriverError {
  readonly code?: unknown;
  readonly syscall?: unknown;
  /** postgres.js */
  readonly constraint_name?: unknown;
  /** PGlite */
  readonly constraint?: unknown;
}

/** Drizzle wraps what the driver threw, so the truth is somewhere down the chain of causes. */
function findCause(error: unknown, fits: (cause: DriverError) => boolean): DriverError | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth += 1) {
    if (fits(cause as DriverError)) return cause as DriverError;
  }
  return undefined;
}

/** Whether a UNIQUE or primary key refused the row; with a name, that one only. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    findCause(
      error,
      (cause) =>
        cause.code === '23505' &&
        (constraint === undefined || cause.constraint_name === constraint || cause.constraint === constraint),
    ) !== undefined
  );
}

const isCollision = (error: unknown) => hasState(error, /^40(?:001|P01)$/);

/** Whether the database refused the statement with such an SQLSTATE: it had no effect. */
export function hasState(error: unknown, state: RegExp): boolean {
  return findCause(error, ({ code }) => typeof code === 'string' && state.test(code)) !== undefined;
}

/** Whether this `app` is the one that `transact` handed to its callback. */
export function isInTransaction(app: App): boolean {
  return is(app.db, PgTransaction);
}

/** SQLSTATE classes: 08 connection, 28 sign-in refused, 53 out of resources, 57 operator intervention, 58 system error. */
const UNAVAILABLE_STATE = /^(?:(?:08|28|53|57|58)[0-9A-Z]{3}|25P0[34]|3D000|40001|40P01|55P03)$/;

/** Our own gate; postgres.js; the operating system, on a connection that was open. */
const UNAVAILABLE_CODES =
  /^(?:DATABASE_BUSY|CONNECTION_(?:CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/;

/**
 * Whether the database, not the request, is at fault: gone, refusing, out of room, too busy or too slow. The caller
 * may try again; whether a write took effect is unknown.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  return (
    findCause(
      error,
      ({ code, syscall }) =>
        // Whatever keeps a connection from being made: refused, no route, no name, no file descriptors left.
        syscall === 'connect' ||
        syscall === 'getaddrinfo' ||
        (typeof code === 'string' && (UNAVAILABLE_CODES.test(code) || UNAVAILABLE_STATE.test(code))),
    ) !== undefined
  );
}
