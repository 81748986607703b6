import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  foreignKey,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/** The largest balance: what a JSON number holds exactly (2^53 − 1). */
const LARGEST = sql.raw('9007199254740991');

export const TRANSACTION_KINDS = [
  'PURCHASE',
  'GRANT',
  'PLAN_GRANT',
  'USE',
  'CAPTURE',
  'REFUND',
  'ADJUSTMENT',
  'CLAWBACK',
  'EXPIRY',
] as const;

export const HOLD_STATUSES = ['ACTIVE', 'CAPTURED', 'RELEASED', 'EXPIRED'] as const;

const credits = (name: string) => bigint(name, { mode: 'number' }).notNull();

/**
 * One account a person, made on first need. A sum of what the rows below say, kept so that a movement need not
 * add them up. Written by `apply_credit_movements` and by hold expiry only; `ledgerHealth` proves it right.
 */
export const creditAccounts = pgTable(
  'credit_accounts',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id),
    balance: credits('balance').default(0),
    /** Set aside by live holds; still part of the balance. */
    held: credits('held').default(0),
    /** The version of the account's last transaction, and so how many it has. */
    version: credits('version').default(0),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [
    check('credit_accounts_balance', sql`${table.balance} between 0 and ${LARGEST}`),
    check('credit_accounts_held', sql`${table.held} between 0 and ${table.balance}`),
    check('credit_accounts_version', sql`${table.version} >= 0`),
  ],
);

/** Money set aside while a service works. Only its owner may capture or release it. */
export const creditHolds = pgTable(
  'credit_holds',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => creditAccounts.userId),
    ownerKind: text('owner_kind').notNull(),
    ownerId: uuid('owner_id'),
    amount: credits('amount'),
    /** Null until captured; the rest went back to the person. */
    capturedAmount: bigint('captured_amount', { mode: 'number' }),
    status: text('status', { enum: HOLD_STATUSES }).notNull().default('ACTIVE'),
    expiresAt: moment('expires_at').notNull(),
    description: text('description'),
    referenceType: text('reference_type'),
    referenceId: text('reference_id'),
    createdAt: createdAt(),
    /** When it was captured, released or found to be expired. */
    resolvedAt: moment('resolved_at'),
  },
  (table) => [
    unique('credit_holds_user_id').on(table.userId, table.id),
    index('credit_holds_live').on(table.userId, table.expiresAt).where(sql`${table.status} = 'ACTIVE'`),
    index('credit_holds_due').on(table.expiresAt).where(sql`${table.status} = 'ACTIVE'`),
    check('credit_holds_amount', sql`${table.amount} > 0`),
    check('credit_holds_status', sql`${table.status} in ('ACTIVE', 'CAPTURED', 'RELEASED', 'EXPIRED')`),
    check('credit_holds_resolved', sql`(${table.status} = 'ACTIVE') = (${table.resolvedAt} is null)`),
    check('credit_holds_captured', sql`(${table.status} = 'CAPTURED') = (${table.capturedAmount} is not null)`),
    check('credit_holds_captured_amount', sql`${table.capturedAmount} between 1 and ${table.amount}`),
  ],
);

/** The ledger itself: append-only (a trigger refuses UPDATE, DELETE and TRUNCATE), one gapless row of versions an account. */
export const creditTransactions = pgTable(
  'credit_transactions',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => creditAccounts.userId),
    /** 1, 2, 3 … in each account: a missing row shows. The order of the history. */
    version: credits('version'),
    kind: text('kind', { enum: TRANSACTION_KINDS }).notNull(),
    /** Positive in, negative out. */
    amount: credits('amount'),
    balanceAfter: credits('balance_after'),
    holdId: uuid('hold_id'),
    refundsTransactionId: uuid('refunds_transaction_id'),
    description: text('description'),
    referenceType: text('reference_type'),
    referenceId: text('reference_id'),
    metadata: jsonb('metadata').$type<Record<string, unknown>>(),
    actorKind: text('actor_kind').notNull(),
    actorId: uuid('actor_id'),
    requestId: text('request_id'),
    createdAt: createdAt(),
  },
  (table) => [
    unique('credit_transactions_version').on(table.userId, table.version),
    // What the two foreign keys below point at: a refund or a capture cannot name another person's row (C5).
    unique('credit_transactions_user_id').on(table.userId, table.id),
    foreignKey({
      name: 'credit_transactions_refund',
      columns: [table.userId, table.refundsTransactionId],
      foreignColumns: [table.userId, table.id],
    }),
    foreignKey({
      name: 'credit_transactions_hold',
      columns: [table.userId, table.holdId],
      foreignColumns: [creditHolds.userId, creditHolds.id],
    }),
    // For sums by day. Rows come in order of time, so that this costs a movement next to nothing.
    index('credit_transactions_time').using('brin', table.createdAt),
    // A hold is captured at most once, whatever the code above does.
    uniqueIndex('credit_transactions_one_capture').on(table.holdId).where(sql`${table.holdId} is not null`),
    index('credit_transactions_refunds')
      .on(table.refundsTransactionId)
      .where(sql`${table.refundsTransactionId} is not null`),
    check('credit_transactions_version_positive', sql`${table.version} >= 1`),
    check('credit_transactions_balance', sql`${table.balanceAfter} between 0 and ${LARGEST}`),
    check(
      'credit_transactions_sign',
      sql`case when ${table.kind} in ('PURCHASE', 'GRANT', 'PLAN_GRANT', 'REFUND') then ${table.amount} > 0 when ${table.kind} in ('USE', 'CAPTURE', 'CLAWBACK', 'EXPIRY') then ${table.amount} < 0 else ${table.kind} = 'ADJUSTMENT' and ${table.amount} <> 0 end`,
    ),
    check('credit_transactions_capture', sql`(${table.kind} = 'CAPTURE') = (${table.holdId} is not null)`),
    check(
      'credit_transactions_refund_of',
      sql`(${table.kind} = 'REFUND') = (${table.refundsTransactionId} is not null)`,
    ),
  ],
);

/**
 * What was asked under a key, and the first answer. Written in the transaction of its effect, and never for a
 * refusal: a spend refused for want of credits may be sent again with its key after a top-up.
 *
 * @public Only SQL writes it; this is what drizzle-kit makes the table from.
 */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Caller and operation: two services, or two operations, never meet in one key. */
    scope: text('scope').notNull(),
    key: text('key').notNull(),
    /** SHA-256 of the input as it was first sent. */
    fingerprint: text('fingerprint').notNull(),
    answer: jsonb('answer').notNull(),
    createdAt: createdAt(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.key] })],
);

export type CreditTransactionRow = typeof creditTransactions.$inferSelect;
export type CreditHoldRow = typeof creditHolds.$inferSelect;
export type TransactionKind = (typeof TRANSACTION_KINDS)[number];
