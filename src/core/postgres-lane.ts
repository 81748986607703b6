import { connect } from 'node:net';
import type postgres from 'postgres';
import { DatabaseBusyError } from './database-guard.js';
import { POSTGRES_TYPES } from './postgres-types.js';

/** All in milliseconds (SECURITY 2 and Q2–Q7). Tests shorten them. */
export interface PostgresTimings {
  readonly connect: number;
  readonly statement: number;
  readonly lock: number;
  readonly idleInTransaction: number;
  /** A statement unanswered for so long is on a dead connection: a server that lives would have ended it before. */
  readonly silence: number;
  /** How long a caller waits for a free connection. */
  readonly queue: number;
  /** After a failed connection, how long callers of the prepared lane are refused without another try. */
  readonly coolDown: number;
  /** How long a server that is down is waited for at the start. */
  readonly start: number;
  /** How often the listening connection is asked for a sign of life, and how long it may take. */
  readonly heartbeat: number;
}

export const POSTGRES_TIMINGS: PostgresTimings = {
  connect: 2_000,
  statement: 5_000,
  lock: 2_000,
  idleInTransaction: 10_000,
  silence: 8_000,
  queue: 2_000,
  coolDown: 200,
  start: 60_000,
  heartbeat: 500,
};

export type Client = postgres.Sql;

/** What postgres.js understands but does not declare. */
interface UndeclaredOptions {
  onnotify?: (channel: string, payload: string) => void;
  socket?: (target: { host: string[]; port: number[]; path: string | false }) => unknown;
}

export type ClientOptions = postgres.Options<Record<string, postgres.PostgresType>> & UndeclaredOptions;

/** The options that every connection of ours has; all limits are set on the server, for the session. */
export function clientOptions(timings: PostgresTimings): ClientOptions {
  return {
    types: POSTGRES_TYPES,
    fetch_types: false,
    connect_timeout: timings.connect / 1_000,
    // postgres.js would wait up to 20 seconds before it tries a lost connection again.
    backoff: () => 0.05 + Math.random() * 0.1,
    keep_alive: 5,
    socket: openSocket,
    onnotice: () => undefined,
    connection: {
      application_name: 'credence',
      TimeZone: 'UTC',
      statement_timeout: timings.statement,
      lock_timeout: timings.lock,
      idle_in_transaction_session_timeout: timings.idleInTransaction,
    },
  };
}

let nextHost = 0;

/**
 * Our own socket, because postgres.js waits for ever, connecting again and again, when a proxy whose server is gone
 * takes the connection and closes it. Several hosts are taken in turn.
 */
function openSocket({ host, port, path }: { host: string[]; port: number[]; path: string | false }) {
  const turn = nextHost++ % host.length;
  const target = { host: host[turn] ?? 'localhost', port: port[turn] ?? 5432 };
  const socket = connect(path ? { path } : { ...target, noDelay: true });
  socket.once('end', () => {
    if (socket.bytesRead > 0) return;
    socket.destroy(
      Object.assign(new Error('The server closed the connection at once.'), { code: 'ECONNRESET', syscall: 'connect' }),
    );
  });
  // postgres.js reads the host for the certificate's name from the socket.
  return Object.assign(socket, target);
}

/** Errors that say that a connection could not be made, as against one that was lost or a statement that failed. */
export function isConnectFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return (
    syscall === 'connect' ||
    syscall === 'getaddrinfo' ||
    (typeof code === 'string' && /^(?:CONNECT_TIMEOUT|08[0-9A-Z]{3}|28[0-9A-Z]{3}|3D000|53300|57P03)$/.test(code))
  );
}

/** More than this many statements in flight on the prepared lane means that the database has stopped answering. */
const MAX_IN_FLIGHT = 5_000;

interface Watch {
  readonly client: Client;
  readonly since: number;
}

/**
 * A postgres.js client that is thrown away and replaced when it stops answering (SECURITY Q7). Replacing ends
 * everything that waits on it with an error at once, also what it has not sent yet, so nothing runs behind the back of
 * a caller who was told that it failed.
 */
export class Lane {
  readonly #create: () => Client;
  readonly #timings: PostgresTimings;
  readonly #watched = new Set<Watch>();
  readonly #sweeper: NodeJS.Timeout;
  #client: Client;
  #sweptAt = performance.now();
  #refuseUntil = 0;
  #refusal: unknown;

  constructor(create: () => Client, timings: PostgresTimings) {
    this.#create = create;
    this.#timings = timings;
    this.#client = create();
    this.#sweeper = setInterval(() => this.#sweep(), timings.silence / 8).unref();
  }

  get client(): Client {
    return this.#client;
  }

  /** Marks that an answer is owed from now until the function returned is called. */
  watch(): () => void {
    const watch = { client: this.#client, since: performance.now() };
    this.#watched.add(watch);
    return () => {
      this.#watched.delete(watch);
    };
  }

  /** One prepared statement, pipelined with others on the same connection. */
  async prepared(text: string, params: unknown[]): Promise<postgres.RowList<postgres.Row[]>> {
    if (this.#watched.size >= MAX_IN_FLIGHT) throw new DatabaseBusyError();
    if (this.#refuseUntil > 0) this.#stayRefused();
    const client = this.#client;
    const answered = this.watch();
    try {
      return await client.unsafe(text, params as postgres.ParameterOrJSON<never>[], { prepare: true });
    } catch (error) {
      // Those in line behind it would each wait for a connection of their own to fail, one after the other.
      if (client === this.#client && isConnectFailure(error)) this.#refuse(error);
      throw error;
    } finally {
      answered();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#client.end({ timeout: 5 });
  }

  #refuse(error: unknown): void {
    this.#refusal = error;
    this.#refuseUntil = performance.now() + this.#timings.coolDown;
    this.#replace();
  }

  #stayRefused(): void {
    if (performance.now() < this.#refuseUntil) throw this.#refusal;
    this.#refuseUntil = 0;
    this.#refusal = undefined;
  }

  #replace(): void {
    const stuck = this.#client;
    this.#client = this.#create();
    void stuck.end({ timeout: 0 });
  }

  #sweep(): void {
    const now = performance.now();
    const late = now - this.#sweptAt > this.#timings.silence / 2;
    this.#sweptAt = now;
    // This process itself was stopped or too busy to read: give the answers that have arrived a chance first.
    if (late) return;
    for (const { client, since } of this.#watched) {
      if (now - since <= this.#timings.silence) return;
      if (client === this.#client) this.#replace();
    }
  }
}
