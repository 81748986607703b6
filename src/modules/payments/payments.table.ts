import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  pgSequence,
  pgTable,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';
import { plans, prices, products } from '../catalog/catalog.table.js';

export const CUSTOMER_STATUSES = ['OPEN', 'CLOSING', 'CLOSED', 'ERASING', 'ERASED'] as const;
export const ORDER_KINDS = ['CHECKOUT', 'SUBSCRIPTION', 'CHANGE'] as const;
export const ORDER_STATUSES = ['OPEN', 'COMPLETED', 'EXPIRED'] as const;
export const SUBSCRIPTION_STATUSES = [
  'INCOMPLETE',
  'INCOMPLETE_EXPIRED',
  'TRIALING',
  'ACTIVE',
  'PAST_DUE',
  'CANCELED',
  'UNPAID',
  'PAUSED',
] as const;
export const PAYMENT_STATUSES = ['PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED'] as const;
export const EVENT_STATUSES = ['PENDING', 'DONE', 'IGNORED', 'DEAD'] as const;

const owner = () =>
  uuid('user_id')
    .notNull()
    .references(() => users.id);
const amountMinor = () => bigint('amount_minor', { mode: 'number' }).notNull();
const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0);
const list = (values: readonly string[]) => sql.raw(values.map((value) => `'${value}'`).join(', '));

/**
 * Numbers drawn before Stripe is asked for something. What was read under a higher number is at least as new, whatever
 * the clocks of the instances say: a row takes over only what was read under a higher number than its own.
 *
 * @public Only SQL draws from it; this is what drizzle-kit makes it from.
 */
export const stripeReads = pgSequence('stripe_reads');
const readNumber = (name = 'read_number') => count(name);

/** The person's customer at Stripe, one for good. Nothing that a client sends is ever taken for one (I6). */
export const billingCustomers = pgTable(
  'billing_customers',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id),
    /** Null once the person was erased and the customer deleted. */
    stripeCustomerId: text('stripe_customer_id'),
    /**
     * CLOSING and ERASING are work that a job has still to do at Stripe, because the person has left. ERASED with an id:
     * somebody deleted the customer at Stripe, and the next sale makes another.
     */
    status: text('status', { enum: CUSTOMER_STATUSES }).notNull().default('OPEN'),
    attempts: integer('attempts').notNull().default(0),
    nextAttemptAt: moment('next_attempt_at'),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex('billing_customers_stripe_id').on(table.stripeCustomerId),
    index('billing_customers_due').on(table.nextAttemptAt).where(sql`${table.status} in ('CLOSING', 'ERASING')`),
    check('billing_customers_status', sql`${table.status} in (${list(CUSTOMER_STATUSES)})`),
    check(
      'billing_customers_work',
      sql`(${table.status} in ('CLOSING', 'ERASING')) = (${table.nextAttemptAt} is not null)`,
    ),
  ],
);

/**
 * What somebody set out to buy, written before Stripe hears of it: who pays for what comes from here and never from
 * what an event says (S9). Its id makes Stripe's idempotency key, and the caller's own key finds it again.
 */
export const billingOrders = pgTable(
  'billing_orders',
  {
    id: id(),
    userId: owner(),
    /** Caller and operation, as in idempotency_keys. */
    scope: text('scope').notNull(),
    idempotencyKey: text('idempotency_key').notNull(),
    /** SHA-256 of the input as it was first sent. */
    fingerprint: text('fingerprint').notNull(),
    kind: text('kind', { enum: ORDER_KINDS }).notNull(),
    priceId: uuid('price_id')
      .notNull()
      .references(() => prices.id),
    quantity: integer('quantity').notNull(),
    /** For one of the price, on the day of the order. */
    amountMinor: amountMinor(),
    /** That the whole order brings when it is paid; those of a subscription come with its invoices. */
    credits: count('credits'),
    status: text('status', { enum: ORDER_STATUSES }).notNull().default('OPEN'),
    /** The checkout session or subscription; null until Stripe has answered. */
    stripeId: text('stripe_id'),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [
    unique('billing_orders_key').on(table.scope, table.idempotencyKey),
    index('billing_orders_stripe_id').on(table.stripeId),
    index('billing_orders_user').on(table.userId, table.createdAt),
    // Two at once would make two subscriptions, or change one twice: the second has to wait.
    uniqueIndex('billing_orders_one_open')
      .on(table.userId)
      .where(sql`${table.kind} <> 'CHECKOUT' and ${table.status} = 'OPEN'`),
    check('billing_orders_kind', sql`${table.kind} in (${list(ORDER_KINDS)})`),
    check('billing_orders_status', sql`${table.status} in (${list(ORDER_STATUSES)})`),
    check('billing_orders_quantity', sql`${table.quantity} between 1 and 1000`),
    check('billing_orders_amount', sql`${table.amountMinor} >= 0 and ${table.credits} >= 0`),
  ],
);

/** Each subscription as Stripe last told it. */
export const subscriptions = pgTable(
  'subscriptions',
  {
    id: id(),
    userId: owner(),
    stripeSubscriptionId: text('stripe_subscription_id').notNull(),
    /** Null for a price that was made at Stripe by hand. */
    priceId: uuid('price_id').references(() => prices.id),
    productId: uuid('product_id').references(() => products.id),
    status: text('status', { enum: SUBSCRIPTION_STATUSES }).notNull(),
    /** The plan that it gave the person; null when it gives none, or has taken it back. */
    planCode: text('plan_code').references(() => plans.code),
    currentPeriodStart: moment('current_period_start'),
    currentPeriodEnd: moment('current_period_end'),
    cancelAtPeriodEnd: boolean('cancel_at_period_end').notNull().default(false),
    /** What it changes to when the period ends. */
    nextPriceId: uuid('next_price_id').references(() => prices.id),
    canceledAt: moment('canceled_at'),
    endedAt: moment('ended_at'),
    /** When it began, at Stripe. */
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
    readNumber: readNumber(),
  },
  (table) => [
    uniqueIndex('subscriptions_stripe_id').on(table.stripeSubscriptionId),
    index('subscriptions_user').on(table.userId, table.createdAt),
    check('subscriptions_status', sql`${table.status} in (${list(SUBSCRIPTION_STATUSES)})`),
  ],
);

/** Money that came, or should have come: one row for each paid checkout and each invoice. */
export const payments = pgTable(
  'payments',
  {
    id: id(),
    userId: owner(),
    kind: text('kind', { enum: ['CHECKOUT', 'INVOICE'] }).notNull(),
    /** The checkout session or invoice. */
    stripeId: text('stripe_id').notNull(),
    /** What refunds and disputes speak of; null when nothing was to be paid. */
    paymentIntentId: text('payment_intent_id'),
    orderId: uuid('order_id').references(() => billingOrders.id),
    subscriptionId: uuid('subscription_id').references(() => subscriptions.id),
    productId: uuid('product_id').references(() => products.id),
    currency: text('currency').notNull(),
    /** Paid, or to be paid, in the currency's minor unit. */
    amountMinor: amountMinor(),
    /** Refunded, or lost in a dispute. */
    reversedMinor: count('reversed_minor'),
    status: text('status', { enum: PAYMENT_STATUSES }).notNull(),
    /** Credits that the payment has brought. */
    creditsGranted: count('credits_granted'),
    /** Failed attempts so far. */
    failures: integer('failures').notNull().default(0),
    paidAt: moment('paid_at'),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
    readNumber: readNumber(),
    /** Apart, because most looks at a payment leave out what went back of it. */
    reversalsReadNumber: readNumber('reversals_read_number'),
  },
  (table) => [
    uniqueIndex('payments_stripe_id').on(table.stripeId),
    uniqueIndex('payments_payment_intent').on(table.paymentIntentId),
    index('payments_user').on(table.userId, table.createdAt, table.id),
    index('payments_time').on(table.createdAt, table.id),
    index('payments_paid').on(table.paidAt),
    check('payments_kind', sql`${table.kind} in ('CHECKOUT', 'INVOICE')`),
    check('payments_status', sql`${table.status} in (${list(PAYMENT_STATUSES)})`),
    check('payments_paid_at', sql`(${table.status} = 'SUCCEEDED') = (${table.paidAt} is not null)`),
    check('payments_currency', sql`${table.currency} ~ '^[A-Z]{3}$'`),
    check(
      'payments_amounts',
      sql`${table.amountMinor} >= 0 and ${table.reversedMinor} between 0 and ${table.amountMinor}`,
    ),
    check('payments_counts', sql`${table.creditsGranted} >= 0 and ${table.failures} >= 0`),
  ],
);

/** Money that went back, and the credits that went with it. What the account could not give is owed. */
export const paymentReversals = pgTable(
  'payment_reversals',
  {
    id: id(),
    userId: owner(),
    paymentId: uuid('payment_id')
      .notNull()
      .references(() => payments.id),
    kind: text('kind', { enum: ['REFUND', 'DISPUTE'] }).notNull(),
    /** The refund or dispute. */
    stripeId: text('stripe_id').notNull(),
    /** In Stripe's words. */
    stripeStatus: text('stripe_status').notNull(),
    amountMinor: amountMinor(),
    /** Whether the money is gone: a refund may fail, and a dispute counts when it is lost. */
    effective: boolean('effective').notNull(),
    creditsTaken: count('credits_taken'),
    /** Taken from what the next payments bring (S13). */
    creditsOwed: count('credits_owed'),
    /** How many ledger rows it has made: each has a key of its own. */
    movements: integer('movements').notNull().default(0),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('payment_reversals_stripe_id').on(table.stripeId),
    index('payment_reversals_payment').on(table.paymentId),
    index('payment_reversals_owed').on(table.userId, table.createdAt).where(sql`${table.creditsOwed} > 0`),
    check('payment_reversals_kind', sql`${table.kind} in ('REFUND', 'DISPUTE')`),
    check(
      'payment_reversals_amounts',
      sql`${table.amountMinor} >= 0 and ${table.creditsTaken} >= 0 and ${table.creditsOwed} >= 0`,
    ),
  ],
);

/**
 * Every event of Stripe's that was believed, once and for ever (S6). Only what it is about is kept: the state itself is
 * read from Stripe when the event is applied, so nothing of anybody is in here.
 */
export const stripeEvents = pgTable(
  'stripe_events',
  {
    id: text('id').primaryKey(),
    type: text('type').notNull(),
    /** What has to be read again; null for events that change nothing here. */
    subjectKind: text('subject_kind', { enum: ['CHECKOUT', 'INVOICE', 'SUBSCRIPTION', 'PAYMENT_INTENT', 'CUSTOMER'] }),
    subjectId: text('subject_id'),
    status: text('status', { enum: EVENT_STATUSES }).notNull(),
    attempts: integer('attempts').notNull().default(0),
    nextAttemptAt: moment('next_attempt_at').notNull(),
    /** A code of ours, never a sentence of Stripe's. */
    lastError: text('last_error'),
    occurredAt: moment('occurred_at').notNull(),
    receivedAt: moment('received_at').notNull(),
    doneAt: moment('done_at'),
  },
  (table) => [
    index('stripe_events_due').on(table.nextAttemptAt).where(sql`${table.status} = 'PENDING'`),
    index('stripe_events_dead').on(table.receivedAt).where(sql`${table.status} = 'DEAD'`),
    check('stripe_events_status', sql`${table.status} in (${list(EVENT_STATUSES)})`),
    check('stripe_events_done', sql`(${table.status} = 'DONE') = (${table.doneAt} is not null)`),
    check('stripe_events_subject', sql`(${table.subjectKind} is null) = (${table.subjectId} is null)`),
  ],
);

export type CustomerRow = typeof billingCustomers.$inferSelect;
export type OrderRow = typeof billingOrders.$inferSelect;
export type SubscriptionRow = typeof subscriptions.$inferSelect;
export type PaymentRow = typeof payments.$inferSelect;
export type ReversalRow = typeof paymentReversals.$inferSelect;
export type StripeEventRow = typeof stripeEvents.$inferSelect;
