// Invariants: a movement, its key and its answer are written in one transaction or not at all; nobody is answered
// before commit; a key has one effect for ever; the balance never falls below what is held. What keeps them is the
// function apply_credit_movements (drizzle/0001_ledger.sql); this file carries movements to it and verdicts back.
import { sql } from 'drizzle-orm';
import { type Batcher, createBatcher } from '../../core/batch.js';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { type Database, hasState, isInTransaction, isUniqueViolation } from '../../core/database.js';
import { AppError, type ErrorCode } from '../../core/errors.js';
import { sha256 } from '../../core/secrets.js';
import { hasBus } from '../events/events.service.js';
import type { CreditHoldRow, CreditTransactionRow, TransactionKind } from './credits.table.js';

/** What a movement says about itself, for people and for other systems. */
export interface Particulars {
  description?: string | null | undefined;
  referenceType?: string | null | undefined;
  referenceId?: string | null | undefined;
  metadata?: Record<string, unknown> | null | undefined;
}

export type Change =
  | {
      operation: 'ADD';
      kind: Extract<TransactionKind, 'PURCHASE' | 'GRANT' | 'PLAN_GRANT' | 'ADJUSTMENT'>;
      userId: string;
      amount: number;
    }
  | {
      operation: 'USE';
      kind: Extract<TransactionKind, 'USE' | 'ADJUSTMENT' | 'CLAWBACK' | 'EXPIRY'>;
      userId: string;
      amount: number;
    }
  | { operation: 'HOLD'; userId: string; amount: number; ttlSeconds: number }
  | { operation: 'CAPTURE'; holdId: string; amount?: number | null | undefined }
  | { operation: 'RELEASE'; holdId: string }
  | { operation: 'REFUND'; transactionId: string; amount?: number | null | undefined };

/** Ids are UUIDs in lower case and amounts positive: the callers in this folder have checked them. */
export type Movement = Change &
  Particulars & {
    idempotencyKey: string;
    actor: Actor;
    /** The operation that the key belongs to, when it is one that moves credits either way. */
    keyedAs?: string;
  };

export interface AccountState {
  userId: string;
  balance: number;
  held: number;
  available: number;
}

export interface Moved {
  /** Absent for a hold and a release. */
  transaction: CreditTransactionRow | undefined;
  /** Absent for everything else. */
  hold: CreditHoldRow | undefined;
  account: AccountState;
  /** Nothing was done now: this is the first answer again. */
  replayed: boolean;
}

/**
 * Does one movement of credits, exactly once per actor, operation and idempotency key.
 *
 * Within `transact` it is part of that transaction, and the account stays locked until its end. Outside it commits by
 * itself, together with the movements that arrive at the same time.
 *
 * Suspended people and unverified ones cannot be spent from (C9), but credits can be added, refunded and taken back,
 * and a hold that was made before can be captured: its work is done.
 *
 * A refusal leaves the key unused, so what was refused for want of credits can be sent again with its key.
 *
 * @throws NOT_FOUND, ACCOUNT_SUSPENDED, EMAIL_NOT_VERIFIED, INSUFFICIENT_CREDITS (`needed`, `available`),
 * IDEMPOTENCY_CONFLICT, CONFLICT (`status` of the hold, or what is `refundable`), BAD_USER_INPUT, RETRY_LATER. When the
 * connection breaks the outcome is unknown: asking again with the same key answers it.
 */
export async function moveCredits(app: App, movement: Movement): Promise<Moved> {
  const now = app.now();
  const item = toItem(movement, now);
  const verdict = isInTransaction(app) ? await applyWithin(app, { item, now }) : await laneOf(app).add({ item, now });
  app.metrics.creditMovements.add(outcomeOf(movement, verdict));
  return toMoved(item, verdict);
}

/**
 * The same for many, in one statement and within the caller's transaction, for callers who know that none can be
 * refused: the first refusal is thrown, and takes the transaction with it. Events and idempotency are as ever.
 */
export async function moveCreditsTogether(app: App, movements: readonly Movement[]): Promise<void> {
  if (!isInTransaction(app)) throw new Error('Many movements are made in the transaction of what causes them');
  if (movements.length === 0) return;
  const now = app.now();
  const items = movements.map((movement) => toItem(movement, now));
  const verdicts = await applyOn(app.db, { items, now, patience: null, told: toldOf(app) });
  for (const [place, movement] of movements.entries()) {
    const verdict = verdicts[place];
    if (verdict === undefined) throw new Error('The ledger gave no verdict.');
    if (verdict.code !== null) throw refusalOf(verdict.code, verdict.answer);
    app.metrics.creditMovements.add(outcomeOf(movement, verdict));
  }
}

function outcomeOf(movement: Movement, verdict: Verdict) {
  if (verdict.code !== null) return 'REFUSED';
  if (verdict.replayed) return 'REPLAYED';
  return 'kind' in movement ? movement.kind : movement.operation;
}

/** As the database reads it; the names are those of the type credit_movement. */
interface Item {
  n: number;
  readonly operation: Change['operation'];
  readonly amount: number | null | undefined;
  readonly [name: string]: unknown;
}

interface Verdict {
  readonly code: ErrorCode | null;
  readonly replayed: boolean;
  readonly answer: Answer;
  /** As stored; null for a fresh ADD or USE, all of which is known here. */
  readonly transaction: Json | null;
  readonly hold: Json | null;
  /** When. */
  readonly at: string;
}

/** What is kept under the key. */
interface Answer {
  readonly balance: number;
  readonly held: number;
  /** What of the hold changes later, as it was then. */
  readonly hold: Json | null;
  readonly transaction: string | null;
  readonly version: number | null;
}

type Json = Record<string, unknown>;

function toItem(movement: Movement, now: Date): Item {
  const { operation, actor, idempotencyKey, description, referenceType, referenceId, metadata } = movement;
  const kind = 'kind' in movement ? movement.kind : undefined;
  const userId = 'userId' in movement ? movement.userId : undefined;
  const holdId = 'holdId' in movement ? movement.holdId : undefined;
  const amount = 'amount' in movement ? movement.amount : undefined;
  const ttlSeconds = 'ttlSeconds' in movement ? movement.ttlSeconds : undefined;
  const refunded = 'transactionId' in movement ? movement.transactionId : undefined;
  const subject = [kind, userId, holdId, refunded, amount, ttlSeconds, description, referenceType, referenceId];
  return {
    n: 1,
    // Who and what for: two services, or two operations, never meet in one key.
    scope: `${actor.kind}:${actor.id ?? ''}:${movement.keyedAs ?? operation}`,
    key: idempotencyKey,
    fingerprint: sha256(
      JSON.stringify([
        ...(movement.keyedAs ? [operation] : []),
        ...subject,
        metadata == null ? null : sorted(metadata),
      ]),
    ),
    operation,
    id: newId(),
    user_id: userId,
    kind,
    amount,
    hold_id: holdId,
    refunds_transaction_id: refunded,
    expires_at: ttlSeconds === undefined ? undefined : new Date(now.getTime() + ttlSeconds * 1000),
    description,
    reference_type: referenceType,
    reference_id: referenceId,
    metadata,
    actor_kind: actor.kind,
    actor_id: actor.id,
    request_id: actor.requestId,
  };
}

/** The same JSON whatever the order of its names: a retry need not write them as it did before. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted((value as Json)[name])]));
}

async function applyWithin(app: App, { item, now }: Waiting): Promise<Verdict> {
  try {
    const [verdict] = await applyOn(app.db, { items: [item], now, patience: null, told: toldOf(app) });
    if (verdict === undefined) throw new Error('The ledger gave no verdict.');
    return verdict;
  } catch (error) {
    // Taken while this waited, for another account: one with the same would have been seen.
    if (isUniqueViolation(error, 'idempotency_keys_scope_key_pk')) throw new AppError('IDEMPOTENCY_CONFLICT');
    throw error;
  }
}

interface Waiting {
  readonly item: Item;
  readonly now: Date;
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

function toMoved(item: Item, verdict: Verdict): Moved {
  const { answer, replayed } = verdict;
  if (verdict.code !== null) throw refusalOf(verdict.code, answer);
  const json = verdict.transaction ?? (answer.transaction === null ? null : freshTransaction(item, verdict));
  const transaction = json ? toTransaction(json) : undefined;
  // A hold goes on after the first answer was given: the answer remembers how it was then.
  const hold = verdict.hold ? toHold({ ...verdict.hold, ...answer.hold }) : undefined;
  const userId = (transaction ?? hold)?.userId ?? '';
  const account = { userId, balance: answer.balance, held: answer.held, available: answer.balance - answer.held };
  return { transaction, hold, account, replayed };
}

function freshTransaction(item: Item, { answer, at }: Verdict): Json {
  const amount = item.operation === 'ADD' ? item.amount : -Number(item.amount);
  return { ...item, amount, version: answer.version, balance_after: answer.balance, created_at: at };
}

function refusalOf(code: ErrorCode, answer: object | null): AppError {
  const { fields, ...extensions } = (answer ?? {}) as Json;
  if (fields) return new AppError(code, { fields: fields as Record<string, string> });
  return new AppError(code, { extensions });
}

const dateOf = (value: unknown) => new Date(String(value));

function toTransaction(json: Json): CreditTransactionRow {
  return {
    id: json.id,
    userId: json.user_id,
    version: json.version,
    kind: json.kind,
    amount: json.amount,
    balanceAfter: json.balance_after,
    holdId: json.hold_id ?? null,
    refundsTransactionId: json.refunds_transaction_id ?? null,
    description: json.description ?? null,
    referenceType: json.reference_type ?? null,
    referenceId: json.reference_id ?? null,
    metadata: json.metadata ?? null,
    actorKind: json.actor_kind,
    actorId: json.actor_id ?? null,
    requestId: json.request_id ?? null,
    createdAt: dateOf(json.created_at),
  } as CreditTransactionRow;
}

function toHold(json: Json): CreditHoldRow {
  return {
    id: json.id,
    userId: json.user_id,
    ownerKind: json.owner_kind,
    ownerId: json.owner_id ?? null,
    amount: json.amount,
    capturedAmount: json.captured_amount ?? null,
    status: json.status,
    expiresAt: dateOf(json.expires_at),
    description: json.description ?? null,
    referenceType: json.reference_type ?? null,
    referenceId: json.reference_id ?? null,
    createdAt: dateOf(json.created_at),
    resolvedAt: json.resolved_at ? dateOf(json.resolved_at) : null,
  } as CreditHoldRow;
}
