import { sql } from 'drizzle-orm';
import { check, foreignKey, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/** What other systems can be told. Never renamed: receivers switch over it. */
export const EVENT_KINDS = [
  'user.registered',
  'user.verified',
  'user.updated',
  'user.suspended',
  'user.deleted',
  'user.restored',
  'session.revoked',
  'credits.changed',
  'credits.low',
  'subscription.changed',
  'payment.succeeded',
  'payment.failed',
  'api_key.created',
  'api_key.revoked',
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * What other systems are told, written in the transaction of what happened, and only when somebody is there to be told
 * (docs/decisions/0011). `deleteOldEvents` takes rows away with their deliveries.
 */
export const outboxEvents = pgTable(
  'outbox_events',
  {
    /** What a receiver knows an event again by. */
    id: id(),
    kind: text('kind').$type<EventKind>().notNull(),
    /** Whom it is about. No foreign key: the row may outlive the person. */
    userId: uuid('user_id'),
    /** Ids, states and numbers; never a name or an address. */
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
    occurredAt: moment('occurred_at').notNull(),
    /** When the deliveries were made of it. */
    spreadAt: moment('spread_at'),
  },
  (table) => [
    index('outbox_events_queue').on(table.occurredAt).where(sql`${table.spreadAt} is null`),
    index('outbox_events_time').on(table.occurredAt),
  ],
);

/** Where an operator wants events posted to. */
export const webhookEndpoints = pgTable(
  'webhook_endpoints',
  {
    id: id(),
    url: text('url').notNull(),
    description: text('description'),
    /** Empty: every kind, those of later versions too. */
    kinds: text('kinds').array().$type<EventKind[]>().notNull(),
    /** `whsec_…`, encrypted: signing needs it in the plain. */
    sealedSecret: text('sealed_secret').notNull(),
    /** Signs as well until its overlap ends. */
    sealedPreviousSecret: text('sealed_previous_secret'),
    previousSecretEndsAt: moment('previous_secret_ends_at'),
    /** Off: nothing is sent, and nothing new is queued. */
    disabledAt: moment('disabled_at'),
    disabledReason: text('disabled_reason', { enum: ['ADMIN', 'GONE', 'FAILURES'] }),
    /** Failed attempts since the last one that was accepted, and when the first of them was. */
    failuresInARow: integer('failures_in_a_row').notNull().default(0),
    failingSince: moment('failing_since'),
    createdBy: uuid('created_by'),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [
    index('webhook_endpoints_created_at').on(table.createdAt, table.id),
    check('webhook_endpoints_disabled', sql`(${table.disabledAt} is null) = (${table.disabledReason} is null)`),
    check('webhook_endpoints_reason', sql`${table.disabledReason} in ('ADMIN', 'GONE', 'FAILURES')`),
    check(
      'webhook_endpoints_previous_secret',
      sql`(${table.sealedPreviousSecret} is null) = (${table.previousSecretEndsAt} is null)`,
    ),
    check('webhook_endpoints_failing', sql`(${table.failuresInARow} = 0) = (${table.failingSince} is null)`),
  ],
);

/** One try to deliver, as the log shows it. */
export interface DeliveryAttempt {
  at: string;
  durationMs: number;
  /** Of the answer, when there was one. */
  statusCode: number | null;
  /** A code such as `ETIMEDOUT`, never what the receiver wrote. */
  error: string | null;
}

/** One event for one receiver; the queue and the log at once. Ends SENT or FAILED. */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    id: id(),
    eventId: uuid('event_id').notNull(),
    target: text('target', { enum: ['WEBHOOK', 'SNS', 'SQS'] }).notNull(),
    endpointId: uuid('endpoint_id'),
    status: text('status', { enum: ['QUEUED', 'SENT', 'FAILED'] })
      .notNull()
      .default('QUEUED'),
    /** Counted when a sender takes it, so that a killed sender counts too; from 0 again when it is redelivered. */
    attempts: integer('attempts').notNull().default(0),
    /** When it is due. A sender that takes it moves this ahead by its lease. */
    nextAttemptAt: moment('next_attempt_at').notNull(),
    /** The newest last, and no more than twenty. */
    attemptLog: jsonb('attempt_log').$type<DeliveryAttempt[]>().notNull().default([]),
    createdAt: createdAt(),
    sentAt: moment('sent_at'),
  },
  (table) => [
    foreignKey({
      name: 'webhook_deliveries_event',
      columns: [table.eventId],
      foreignColumns: [outboxEvents.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'webhook_deliveries_endpoint',
      columns: [table.endpointId],
      foreignColumns: [webhookEndpoints.id],
    }).onDelete('cascade'),
    // An event goes to a receiver once, however often it is spread.
    uniqueIndex('webhook_deliveries_once')
      .on(table.eventId, table.endpointId)
      .where(sql`${table.endpointId} is not null`),
    uniqueIndex('webhook_deliveries_once_a_bus')
      .on(table.eventId, table.target)
      .where(sql`${table.endpointId} is null`),
    index('webhook_deliveries_queue').on(table.endpointId, table.nextAttemptAt).where(sql`${table.status} = 'QUEUED'`),
    index('webhook_deliveries_bus_queue')
      .on(table.target, table.nextAttemptAt)
      .where(sql`${table.status} = 'QUEUED' and ${table.endpointId} is null`),
    index('webhook_deliveries_time').on(table.createdAt, table.id),
    index('webhook_deliveries_of_endpoint').on(table.endpointId, table.createdAt, table.id),
    index('webhook_deliveries_failed').on(table.createdAt).where(sql`${table.status} = 'FAILED'`),
    check('webhook_deliveries_status', sql`${table.status} in ('QUEUED', 'SENT', 'FAILED')`),
    check('webhook_deliveries_target', sql`${table.target} in ('WEBHOOK', 'SNS', 'SQS')`),
    check('webhook_deliveries_to', sql`(${table.target} = 'WEBHOOK') = (${table.endpointId} is not null)`),
    check('webhook_deliveries_sent', sql`(${table.status} = 'SENT') = (${table.sentAt} is not null)`),
    check('webhook_deliveries_attempts', sql`${table.attempts} >= 0`),
  ],
);

export type OutboxEventRow = typeof outboxEvents.$inferSelect;
export type WebhookEndpointRow = typeof webhookEndpoints.$inferSelect;
export type WebhookDeliveryRow = typeof webhookDeliveries.$inferSelect;
