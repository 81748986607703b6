import { sql } from 'drizzle-orm';
import { bigint, index, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/**
 * Every security-relevant act, written in the transaction of the act itself. Append-only (a trigger
 * refuses anything else) and without foreign keys: the row outlives whom it is about.
 */
export const auditEvents = pgTable(
  'audit_events',
  {
    id: id(),
    occurredAt: moment('occurred_at').notNull(),
    actorKind: text('actor_kind').notNull(),
    actorId: uuid('actor_id'),
    action: text('action').notNull(),
    targetKind: text('target_kind'),
    targetId: text('target_id'),
    /** The person it concerns, who sees it in their security history. */
    userId: uuid('user_id'),
    before: jsonb('before'),
    after: jsonb('after'),
    reason: text('reason'),
    ip: text('ip'),
    userAgent: text('user_agent'),
    requestId: text('request_id'),
  },
  (table) => [
    index('audit_events_user').on(table.userId, table.occurredAt, table.id),
    index('audit_events_time').on(table.occurredAt, table.id),
    index('audit_events_action').on(table.action, table.occurredAt, table.id),
    index('audit_events_actor').on(table.actorId, table.occurredAt, table.id).where(sql`${table.actorId} is not null`),
    index('audit_events_target')
      .on(table.targetId, table.occurredAt, table.id)
      .where(sql`${table.targetId} is not null`),
    // Kinds that fill whole pages of the log are found by time; a row of theirs need not be written here, too.
    index('audit_events_actor_kind')
      .on(table.actorKind, table.occurredAt, table.id)
      .where(sql`${table.actorKind} <> 'USER' and ${table.actorKind} <> 'ANONYMOUS'`),
    index('audit_events_target_kind')
      .on(table.targetKind, table.occurredAt, table.id)
      .where(sql`${table.targetKind} <> 'user' and ${table.targetKind} <> 'session'`),
    index('audit_events_request').on(table.requestId).where(sql`${table.requestId} is not null`),
  ],
);

/**
 * The chain: each link's hash covers the link before it and one audit row. Kept beside the rows, because links are made
 * a moment after the commit, by one writer at a time, so that acts never wait in line for each other.
 */
export const auditLinks = pgTable(
  'audit_links',
  {
    sequence: bigint('sequence', { mode: 'number' }).primaryKey(),
    eventId: uuid('event_id').notNull(),
    previousHash: text('previous_hash').notNull(),
    hash: text('hash').notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex('audit_links_event').on(table.eventId)],
);

/**
 * Rows that have no link yet: put here by a trigger in the transaction that writes the row, taken out by whoever links
 * it. A high-water mark would not do: transactions become visible in another order than that of their rows.
 */
export const auditUnlinked = pgTable('audit_unlinked', { eventId: uuid('event_id').primaryKey() });

export type AuditEventRow = typeof auditEvents.$inferSelect;
