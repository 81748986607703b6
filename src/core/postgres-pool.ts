import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import type { Db } from './database.js';
import { Gate, type TransactionGuard } from './database-guard.js';
import { type Client, clientOptions, Lane, type PostgresTimings } from './postgres-lane.js';

export interface Pool {
  readonly db: Db;
  close(): Promise<void>;
}

interface PoolOptions {
  readonly size: number;
  readonly timings: PostgresTimings;
  readonly guard: TransactionGuard;
}

/** How many may wait for a connection at once; more are refused without waiting. */
const LINE = 1_000;

/**
 * Drizzle on a pool where every caller has a connection to itself or waits in a bounded line for a bounded time:
 * postgres.js keeps an unbounded line, and sends statements after others on connections that are still busy.
 */
export function createPool(url: string, { size, timings, guard }: PoolOptions): Pool {
  const gate = new Gate({ permits: size, waitMs: timings.queue, line: LINE });
  let handling: Pick<Client['options'], 'parsers' | 'serializers'> | undefined;
  const lane = new Lane(() => {
    const client = postgres(url, { ...clientOptions(timings), max: size });
    // A client that replaces another one has not been through drizzle(): it takes over what drizzle() did to the first.
    Object.assign(client.options.parsers, handling?.parsers);
    Object.assign(client.options.serializers, handling?.serializers);
    return client;
  }, timings);
  const outer = {
    options: lane.client.options,
    unsafe: (...statement: StatementArguments) =>
      deferred((asValues) => {
        guard.requireOutside();
        return gate.run(() => send({ lane, client: lane.client }, statement, asValues));
      }),
    begin(work: (tx: InnerClient) => Promise<unknown>) {
      guard.requireOutside();
      return gate.run(() => begin(lane, (tx) => guard.runInside(() => work(tx))));
    },
  };
  const db = drizzle({ client: outer as unknown as Client });
  for (const moment of ['1082', '1114', '1184']) lane.client.options.serializers[Number(moment)] = writeMoment;
  handling = lane.client.options;
  return { db: db as unknown as Db, close: () => lane.close() };
}

/** drizzle() lets values pass as they are and formats those of columns itself; a Date in a raw `sql` is left over. */
const writeMoment = (value: unknown) => (value instanceof Date ? value.toISOString() : value);

type StatementArguments = [text: string, params?: unknown[], options?: postgres.UnsafeQueryOptions];

/** The parts of postgres.js that Drizzle uses within a transaction. */
interface InnerClient {
  unsafe(...statement: StatementArguments): Promise<unknown>;
  savepoint(work: (inner: InnerClient) => Promise<unknown>): Promise<unknown>;
}

async function begin(lane: Lane, work: (tx: InnerClient) => Promise<unknown>): Promise<unknown> {
  // Drizzle's own statements are watched one by one; BEGIN and COMMIT, which postgres.js sends, are watched here.
  let answered = lane.watch();
  try {
    return await lane.client.begin(async (tx) => {
      answered();
      try {
        return await work(innerClient(lane, tx));
      } finally {
        answered = lane.watch();
      }
    });
  } finally {
    answered();
  }
}

function innerClient(lane: Lane, tx: postgres.TransactionSql): InnerClient {
  return {
    unsafe: (...statement) => deferred((asValues) => send({ lane, client: tx }, statement, asValues)),
    savepoint: (work) => tx.savepoint((inner) => work(innerClient(lane, inner))),
  };
}

interface Sender {
  readonly lane: Lane;
  readonly client: Pick<Client, 'unsafe'>;
}

async function send({ lane, client }: Sender, [text, params, options]: StatementArguments, asValues: boolean) {
  const answered = lane.watch();
  try {
    const pending = client.unsafe(text, params as postgres.ParameterOrJSON<never>[], options);
    return await (asValues ? pending.values() : pending);
  } finally {
    answered();
  }
}

/**
 * A postgres.js statement is sent when it is first awaited, after Drizzle may have asked for rows as arrays by
 * `values()`. This one is sent in the microtask after its making, which is late enough for that.
 */
function deferred(run: (asValues: boolean) => Promise<unknown>): Promise<unknown> & { values(): Promise<unknown> } {
  let asValues = false;
  const answer = Promise.resolve().then(() => run(asValues));
  return Object.assign(answer, {
    values() {
      asValues = true;
      return answer;
    },
  });
}
