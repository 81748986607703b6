import { connect } from 'node:net';
import type postgres from 'postgres';
import type { ObserveStatement } from './database.js';
import { DatabaseBusyError } from './database-guard.js';
import type { StatementLane } from './metrics.js';
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
  /** After a failed connection, how long callers are refused without another try. */
  readonly coolDown: number;
  /** How long a server that is down is waited for at the start. */
  readonly start: number;
  /** How often the listening connection is asked for a sign of life, and how long it may take. */
  readonly heartbeat: number;
  /** How long closing waits for what still runs. */
  readonly close: number;
  /** How often a replica is looked at, and how far behind it may be to be read from. */
  readonly replicaCheck: number;
  readonly replicaLag: number;
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
  close: 5_000,
  replicaCheck: 1_000,
  replicaLag: 10_000,
};

export type Client = postgres.Sql;

/** What postgres.js understands but does not declare. */
interface UndeclaredOptions {
  onnotify?: (channel: string, payload: string) => void;
  socket?: (target: { host: string[]; port: number[]; path: string | false }) => unknown;
}

export type ClientOptions = postgres.Options<Record<string, postgres.PostgresType>> & UndeclaredOptions;

/** The options that every connection to a server has; all limits are set there, for the session. */
export function clientOptions(timings: PostgresTimings): ClientOptions {
  return {
    ...commonOptions(timings),
    connection: {
      ...NAMES,
      statement_timeout: timings.statement,
      lock_timeout: timings.lock,
      idle_in_transaction_session_timeout: timings.idleInTransaction,
      // Every statement here is short, whatever its plan is said to cost: the ledger's functions forbid sequential
      // scans, which makes one of a table of ten rows cost enough to be compiled, for 100 milliseconds.
      jit: 'off',
    },
  };
}

/**
 * The same for prepared statements. The server keeps a statement's plan, and one made while a table was nearly empty
 * reads all of it, until statistics are next taken, however large it grows meanwhile. All these statements have indexes.
 */
export function preparedOptions(timings: PostgresTimings): ClientOptions {
  const options = clientOptions(timings);
  return { ...options, connection: { ...options.connection, enable_seqscan: 'off' } };
}

/**
 * The same to a pooler that hands out a connection a transaction. It refuses settings of a session, which the pooler
 * has to give its connections itself (see `postgres-pooler.ts`), and what is prepared on one connection is not known on
 * the next (pgbouncer before 1.21, and any with `max_prepared_statements = 0`).
 */
export function pooledOptions(timings: PostgresTimings): ClientOptions {
  return { ...commonOptions(timings), prepare: false, connection: NAMES };
}

/** pgbouncer carries these two from one connection to the next. */
const NAMES = { application_name: 'credence', TimeZone: 'UTC' };

function commonOptions(timings: PostgresTimings): ClientOptions {
  return {
    types: POSTGRES_TYPES,
    fetch_types: false,
    connect_timeout: timings.connect / 1_000,
    // postgres.js would wait up to 20 seconds before it tries a lost connection again.
    backoff: () => 0.05 + Math.random() * 0.1,
    keep_alive: 5,
    socket: openSocket,
    onnotice: () => undefined,
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

/** Whether a connection could not be made, as against one that was lost or a statement that failed. */
function isConnectFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  return typeof code === 'string' && /^(?:CONNECT_TIMEOUT|08[0-9A-Z]{3}|28[0-9A-Z]{3}|3D000|57P03)$/.test(code);
}

/** Whether the connection is gone: what postgres.js and the operating system say, never the server. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(?:CONNECTION_(?:CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|E[A-Z]+)$/.test(code);
}

/** More than this many statements in flight on the prepared lane means that the database has stopped answering. */
const MAX_IN_FLIGHT = 5_000;

interface LaneOptions {
  readonly name: StatementLane;
  readonly observe: ObserveStatement | undefined;
  readonly timings: PostgresTimings;
  /**
   * What becomes of the other statements of a client that fails to connect. `drop` ends them at once: in a pipeline
   * those in line would each wait for a failure of their own. `finish` leaves them on their own connections.
   */
  readonly others: 'drop' | 'finish';
}

interface Watch {
  readonly client: Client;
  readonly since: number;
}

/**
 * A postgres.js client that is replaced as soon as it loses a connection, fails to make one, or stops answering
 * (SECURITY Q1, Q2, Q7). It would reconnect by itself, but not reliably: a connection that closes between a statement
 * and its sending never sends anything again. And statements that wait in a client that is thrown away are ended, so
 * nothing runs behind the back of a caller who was told that it failed.
 */
export class Lane {
  readonly #create: () => Client;
  readonly #options: LaneOptions;
  readonly #watched = new Set<Watch>();
  readonly #sweeper: NodeJS.Timeout;
  #client: Client;
  #sweptAt = performance.now();
  #refuseUntil = 0;
  #refusal: unknown;

  constructor(create: () => Client, options: LaneOptions) {
    this.#create = create;
    this.#options = options;
    this.#client = create();
    this.#sweeper = setInterval(() => this.#sweep(), options.timings.silence / 8).unref();
  }

  /** Runs `work` on the present client, and judges the client by how it fails. */
  async run<T>(work: (client: Client) => Promise<T>): Promise<T> {
    if (this.#refuseUntil > 0) this.#stayRefused();
    const client = this.#client;
    try {
      return await work(client);
    } catch (error) {
      if (client === this.#client) this.#judge(error);
      throw error;
    }
  }

  /** Marks that this client owes an answer from now until the function returned is called. */
  watch(client: Client): () => void {
    const watch = { client, since: performance.now() };
    this.#watched.add(watch);
    return () => {
      this.#watched.delete(watch);
    };
  }

  /** Tells the observer of a statement that is about to be sent, and answers what to call when it has ended. */
  observe(text: string, params: readonly unknown[] | undefined): ((error?: unknown) => void) | undefined {
    return this.#options.observe?.(this.#options.name, { text, params });
  }

  /** One prepared statement, pipelined with others on the same connection. */
  prepared(text: string, params: unknown[]): Promise<postgres.RowList<postgres.Row[]>> {
    if (this.#watched.size >= MAX_IN_FLIGHT) return Promise.reject(new DatabaseBusyError());
    return this.run(async (client) => {
      const answered = this.watch(client);
      const ended = this.observe(text, params);
      let failure: unknown;
      try {
        return await client.unsafe(text, params as postgres.ParameterOrJSON<never>[], { prepare: true });
      } catch (error) {
        failure = error;
        throw error;
      } finally {
        answered();
        ended?.(failure);
      }
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#client.end({ timeout: this.#options.timings.close / 1_000 });
  }

  #judge(error: unknown): void {
    const { timings, others } = this.#options;
    if (isConnectFailure(error)) {
      this.#refusal = error;
      this.#refuseUntil = performance.now() + timings.coolDown;
      this.#replace(others === 'drop' ? 0 : timings.silence);
    } else if (isConnectionLoss(error)) {
      this.#replace(timings.silence);
    }
  }

  #stayRefused(): void {
    if (performance.now() < this.#refuseUntil) throw this.#refusal;
    this.#refuseUntil = 0;
    this.#refusal = undefined;
  }

  /** The old client takes nothing new, and what it still has to do must be done in `grace` milliseconds. */
  #replace(grace: number): void {
    const old = this.#client;
    this.#client = this.#create();
    void old.end({ timeout: grace / 1_000 });
  }

  #sweep(): void {
    const { silence } = this.#options.timings;
    const now = performance.now();
    const late = now - this.#sweptAt > silence / 2;
    this.#sweptAt = now;
    // This process itself was stopped or too busy to read: give the answers that have arrived a chance first.
    if (late) return;
    for (const { client, since } of this.#watched) {
      if (now - since <= silence) return;
      if (client === this.#client) this.#replace(0);
    }
  }
}
