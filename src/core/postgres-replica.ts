import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import type { Db, ObserveStatement, Sql } from './database.js';
import type { TransactionGuard } from './database-guard.js';
import type { Logger } from './logger.js';
import { clientOptions, Lane, type PostgresTimings } from './postgres-lane.js';
import { createPool, type Pool } from './postgres-pool.js';

interface ReplicaOptions {
  readonly connections: number;
  readonly timings: PostgresTimings;
  readonly guard: TransactionGuard;
  readonly log: Logger;
  readonly primary: Sql;
  readonly observe: ObserveStatement | undefined;
}

/** How far the primary had written its log at a moment of ours. */
interface Mark {
  readonly at: number;
  readonly position: number;
}

const PRIMARY_POSITION = `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as position`;
const REPLICA_POSITION = `
  select case when pg_is_in_recovery() then pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint end as position`;

/**
 * A streaming replica, watched for how far it is behind. Its age is measured by this process's monotonic clock alone:
 * the replica is as fresh as the latest moment whose position in the primary's log it has replayed. The time of its last
 * transaction would not do: on a quiet primary that is old, however current the replica. A server that is no replica (any
 * more) never counts as fresh.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #pool: Pool;
  readonly #lane: Lane;
  readonly #closing = new AbortController();
  readonly #watching: Promise<void>;
  #marks: Mark[] = [];
  #freshAt = Number.NEGATIVE_INFINITY;
  #wasFresh: boolean | undefined;

  constructor(url: string, options: ReplicaOptions) {
    const { connections, timings, guard, observe } = options;
    const name = 'replica';
    const connecting = clientOptions(timings);
    this.#options = options;
    this.#pool = createPool(url, {
      name,
      size: Math.max(1, connections - 1),
      connecting,
      timings,
      guard,
      observe,
    });
    this.#lane = new Lane(() => postgres(url, { ...connecting, max: 1 }), { name, timings, observe, others: 'drop' });
    this.#watching = this.#watch();
  }

  /** Undefined while it is away or further behind than `timings.replicaLag`. */
  db(): Db | undefined {
    return performance.now() - this.#freshAt <= this.#options.timings.replicaLag ? this.#pool.db : undefined;
  }

  /** Not to be read from until it has answered the next look. */
  distrust(): void {
    this.#freshAt = Number.NEGATIVE_INFINITY;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
    await Promise.all([this.#lane.close(), this.#pool.close()]);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const problem = await this.#look().catch((error: unknown) => error);
      if (!signal.aborted) this.#say(problem);
      await pause(this.#options.timings.replicaCheck, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const at = performance.now();
    const [primary] = await this.#options.primary.query<{ position: number }>(PRIMARY_POSITION, []);
    if (primary) this.#marks.push({ at, position: primary.position });
    const [replica] = (await this.#lane.prepared(REPLICA_POSITION, [])) as unknown as { position: number | null }[];
    const replayed = replica?.position ?? Number.NEGATIVE_INFINITY;
    const newest = this.#marks.findLast(({ position }) => position <= replayed);
    if (newest === undefined) return;
    this.#freshAt = newest.at;
    this.#marks = this.#marks.slice(this.#marks.indexOf(newest));
  }

  /** Once for each change. Marks that are too old to make it fresh are forgotten. */
  #say(problem: unknown): void {
    const isFresh = this.db() !== undefined;
    const { log, timings } = this.#options;
    this.#marks = this.#marks.filter(({ at }) => performance.now() - at <= timings.replicaLag);
    if (isFresh === this.#wasFresh) return;
    this.#wasFresh = isFresh;
    if (isFresh) log.info('the replica is current: lists and statistics are read from it');
    else log.warn({ err: problem }, 'the replica is away or too far behind: the primary is read instead');
  }
}
