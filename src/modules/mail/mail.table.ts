import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/**
 * Letters to be sent, written in the transaction of what caused them. A row ends SENT or DEAD, and is
 * deleted 30 days after it was made (`deleteOldLetters`).
 */
export const outboxEmails = pgTable(
  'outbox_emails',
  {
    id: id(),
    /** One letter for one key, for ever: queueing it twice queues it once. The row's id when the caller named none. */
    idempotencyKey: text('idempotency_key').notNull(),
    kind: text('kind').notNull(),
    recipient: text('recipient').notNull(),
    locale: text('locale').notNull(),
    /** Whom it is about. No foreign key: the row outlives the person until it is purged. */
    userId: uuid('user_id'),
    /** HMAC of the address that asked for the letter, for the hourly limit; the address itself is not kept. */
    ipHash: text('ip_hash'),
    /** The request that caused it, for whoever traces one. */
    requestId: text('request_id'),
    /** What the template needs, encrypted (it holds single-use links). Null as soon as the letter is sent or given up. */
    sealedBody: text('sealed_body'),
    status: text('status', { enum: ['QUEUED', 'SENT', 'DEAD'] })
      .notNull()
      .default('QUEUED'),
    /** Counted when a sender takes the letter, so that a killed sender counts too. */
    attempts: integer('attempts').notNull().default(0),
    /** When it is due. A sender that takes it moves this ahead by its lease. */
    nextAttemptAt: moment('next_attempt_at').notNull(),
    /** A code such as `EENVELOPE_550`; never the server's sentence, which repeats the address. */
    lastError: text('last_error'),
    createdAt: createdAt(),
    sentAt: moment('sent_at'),
  },
  (table) => [
    uniqueIndex('outbox_emails_idempotency_key').on(table.idempotencyKey),
    index('outbox_emails_queue').on(table.nextAttemptAt).where(sql`${table.status} = 'QUEUED'`),
    index('outbox_emails_dead').on(table.createdAt).where(sql`${table.status} = 'DEAD'`),
    index('outbox_emails_recipient').on(sql`lower(${table.recipient})`, table.createdAt),
    index('outbox_emails_ip').on(table.ipHash, table.createdAt).where(sql`${table.ipHash} is not null`),
    index('outbox_emails_request').on(table.requestId).where(sql`${table.requestId} is not null`),
    check('outbox_emails_status', sql`${table.status} in ('QUEUED', 'SENT', 'DEAD')`),
    check('outbox_emails_body', sql`(${table.status} = 'QUEUED') = (${table.sealedBody} is not null)`),
    check('outbox_emails_sent', sql`(${table.status} = 'SENT') = (${table.sentAt} is not null)`),
    check('outbox_emails_attempts', sql`${table.attempts} >= 0`),
  ],
);

export type OutboxEmailRow = typeof outboxEmails.$inferSelect;
