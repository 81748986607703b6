// A movement of credits: as callers ask for it, as the database reads it, and what they are told afterwards.
import { newId } from '../../core/columns.js';
import type { Actor } from '../../core/context.js';
import { AppError, type ErrorCode } from '../../core/errors.js';
import { sha256 } from '../../core/secrets.js';
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

/** As the database reads it; the names are those of the type credit_movement. */
export interface Item {
  n: number;
  readonly operation: Change['operation'];
  readonly amount: number | null | undefined;
  readonly [name: string]: unknown;
}

export interface Verdict {
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

export function toItem(movement: Movement, now: Date): Item {
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

/** @throws what the database refused it with */
export function toMoved(item: Item, verdict: Verdict): Moved {
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

export function refusalOf(code: ErrorCode, answer: object | null): AppError {
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
