import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import type { Db, ObserveStatement } from './database.js';
import { Gate, type TransactionGuard } from './database-guard.js';
import type { StatementLane } from './metrics.js';
import { type Client, type ClientOptions, Lane, type PostgresTimings } from './postgres-lane.js';
import { beginOn, deferred, type InnerClient, type StatementArguments, send } from './postgres-transaction.js';
import { writeParameter } from './postgres-types.js';

export interface Pool {
  readonly db: Db;
  load(): { size: number; free: number; waiting: number };
  close(): Promise<void>;
}

interface PoolOptions {
  readonly name: StatementLane;
  readonly size: number;
  /** Of each connection. */
  readonly connecting: ClientOptions;
  readonly timings: PostgresTimings;
  readonly guard: TransactionGuard;
  readonly observe: ObserveStatement | undefined;
}

/** How many may wait for a connection at once; more are refused without waiting. */
const LINE = 1_000;

/**
 * Drizzle on a pool where every caller has a connection to itself or waits in a bounded line for a bounded time:
 * postgres.js keeps an unbounded line, and sends statements after others on connections that are still busy.
 */
export function createPool(url: string, options: PoolOptions): Pool {
  const { size, connecting, timings, guard } = options;
  const gate = new Gate({ permits: size, waitMs: timings.queue, line: LINE });
  // Statements are kept parsed, never planned: a plan for any parameters cannot use an index that holds only some rows.
  // (What is not kept is planned for its own parameters anyway.)
  const kept = connecting.prepare === false ? {} : { plan_cache_mode: 'force_custom_plan' };
  const connection = { ...connecting.connection, ...kept };
  const create = () => adapt(postgres(url, { ...connecting, connection, max: size }));
  const lane = new Lane(create, { timings, others: 'finish', name: options.name, observe: options.observe });
  const outer = {
    // drizzle() sets how values are read and written here, on a stand-in: `adapt` does the same for each client.
    options: { parsers: {}, serializers: {} },
    unsafe: (...statement: StatementArguments) =>
      deferred((asValues) => {
        guard.requireOutside();
        return gate.run(() => lane.run((client) => send({ lane, client, via: client }, { statement, asValues })));
      }),
    begin(work: (tx: InnerClient) => Promise<unknown>) {
      guard.requireOutside();
      return gate.run(() => lane.run((client) => beginOn(lane, client, (tx) => guard.runInside(() => work(tx)))));
    },
  };
  return {
    db: drizzle({ client: outer as unknown as Client }) as unknown as Db,
    load: () => gate.load(),
    close: () => lane.close(),
  };
}

/** date, timestamp, timestamptz, and arrays of numeric, timestamp, date, timestamptz */
const AS_TEXT = [1082, 1114, 1184, 1231, 1115, 1182, 1185];

/**
 * As drizzle() does to the client it is given: times stay text, for columns read and write them themselves. Dates in a
 * raw `sql` are written as well, which drizzle() forgets.
 */
function adapt(client: Client): Client {
  const { parsers, serializers } = client.options;
  for (const type of AS_TEXT) {
    parsers[type] = (text: string) => text;
    serializers[type] = writeParameter;
  }
  return client;
}
