// Invariants: nobody is answered before commit; movements that arrive together share a statement, and so a commit; one
// that the database cannot take, or whose account stays locked, costs the others nothing but time.
import { sql } from 'drizzle-orm';
import { type Batcher, createBatcher } from '../../core/batch.js';
import type { App } from '../../core/context.js';
import { type Database, hasState, isInTransaction } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { hasBus } from '../events/events.service.js';
import type { Item, Verdict } from './ledger-rows.js';

export interface Waiting {
  readonly item: Item;
  readonly now: Date;
}

/** In the transaction of the caller, which holds the accounts from then on. The verdicts are in the movements' order. */
export async function applyWithin(app: App, { items, now }: { items: Item[]; now: Date }): Promise<Verdict[]> {
  if (!isInTransaction(app)) throw new Error('Movements are made together in the transaction of what causes them');
  const verdicts = await applyOn(app.db, { items, now, patience: null, told: toldOf(app) });
  if (verdicts.length !== items.length) throw new Error('The ledger gave no verdict.');
  return verdicts;
}

/** Commits by itself, with the movements of this process that arrive at the same time. */
export async function applyWithOthers(app: App, waiting: Waiting): Promise<Verdict> {
  return laneOf(app).add(waiting);
}

const lanes = new WeakMap<Database, Batcher<Waiting, Verdict>>();

function laneOf(app: App): Batcher<Waiting, Verdict> {
  const { database, metrics } = app;
  let lane = lanes.get(database);
  if (lane === undefined) {
    const told = toldOf(app);
    const send = (batch: Waiting[]) => {
      metrics.batchSizes.add('credits', batch.length);
      return applyTogether(database, { batch, told });
    };
    lane = createBatcher(send, { maxBatch: 200, maxWaiting: 10_000 });
    lanes.set(database, lane);
  }
  return lane;
}

/** What the database needs to know to write events beside the movements (docs/decisions/0011). */
interface Told {
  /** A balance that falls to it or below is `credits.low`. */
  readonly lowAt: number;
  /** A topic or queue takes every event. Whether an endpoint does, the database sees for itself. */
  readonly hasBus: boolean;
}

const toldOf = (app: App): Told => ({ lowAt: app.config.credits.lowAt, hasBus: hasBus(app) });

interface Call {
  readonly items: Item[];
  readonly now: Date;
  /** How many milliseconds to wait for an account that another has locked; null leaves it to the connection's own limit. */
  readonly patience: number | null;
  readonly told: Told;
}

interface Batch {
  readonly batch: readonly Waiting[];
  readonly told: Told;
}

const LOCKED = /^55P03$/;
/** Serialization failure, deadlock, a key taken meanwhile: another try sees what was in the way. */
const COLLISION = /^(?:40001|40P01|23505)$/;
/** Bad data, a broken constraint: an item that should not have come this far. */
const UNFIT = /^2[23](?!505)/;
const TRIES = 3;
/** Long beside the commit of another instance, short beside what the other callers of the lane should wait. */
const PATIENCE_MS = 500;

/**
 * First without waiting for locks, because whoever else writes stands in line behind this lane; then on a connection of
 * the pool. One item that the database cannot take, or whose account stays locked, fails the whole call: it is found
 * by applying one by one.
 */
async function applyTogether(database: Database, { batch, told }: Batch): Promise<(Verdict | Error)[]> {
  const items = batch.map(({ item }) => item);
  const now = batch.at(-1)?.now ?? new Date(0);
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      if (tries === 0) return await applyOnLane(database, { items, now, patience: 0, told });
      return await applyOn(database.db, { items, now, patience: PATIENCE_MS, told });
    } catch (error) {
      if (hasState(error, UNFIT) || (hasState(error, LOCKED) && tries > 0)) break;
      if (!hasState(error, LOCKED) && !hasState(error, COLLISION)) throw error;
    }
  }
  return applyOneByOne(database, { batch, told });
}

/** So long a batch is taken apart. Behind a lock on a whole table each of its movements would wait, one after the other. */
const APART_MS = 2_000;

async function applyOneByOne(database: Database, { batch, told }: Batch): Promise<(Verdict | Error)[]> {
  const verdicts: (Verdict | Error)[] = [];
  const until = performance.now() + APART_MS;
  for (const { item, now } of batch) {
    if (performance.now() > until) {
      verdicts.push(new AppError('RETRY_LATER', { retryAfterSeconds: 1 }));
      continue;
    }
    try {
      verdicts.push(...(await applyOnLane(database, { items: [item], now, patience: 0, told })));
    } catch (error) {
      const isBusy = hasState(error, LOCKED) || hasState(error, COLLISION);
      if (isBusy) verdicts.push(new AppError('RETRY_LATER', { retryAfterSeconds: 1 }));
      else verdicts.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return verdicts;
}

const APPLY =
  'select apply_credit_movements($1::text::jsonb, $2::timestamptz, $3::int, $4::bigint, $5::boolean)::text as verdicts';

async function applyOnLane(database: Database, { items, now, patience, told }: Call): Promise<Verdict[]> {
  const params = [numbered(items), now, patience, told.lowAt, told.hasBus];
  return verdictsOf(await database.sql.write<{ verdicts: string }>(APPLY, params));
}

async function applyOn(db: App['db'], { items, now, patience, told }: Call): Promise<Verdict[]> {
  const call = sql`apply_credit_movements(${numbered(items)}::text::jsonb, ${now.toISOString()}::timestamptz, ${patience}::int, ${told.lowAt}::bigint, ${told.hasBus}::boolean)`;
  return verdictsOf(await db.select({ verdicts: sql<string>`verdicts::text` }).from(sql`${call} as verdicts`));
}

function numbered(items: Item[]): string {
  items.forEach((item, index) => {
    item.n = index + 1;
  });
  return JSON.stringify(items);
}

function verdictsOf(rows: { verdicts: string }[]): Verdict[] {
  return JSON.parse(rows[0]?.verdicts ?? '[]');
}
