import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/** Conversations as services report them. The content is sealed with the person's own key. */
export const messageLogs = pgTable(
  'message_logs',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    serviceId: uuid('service_id').notNull(),
    conversationId: text('conversation_id'),
    model: text('model').notNull(),
    /** The messages as JSON, sealed with the person's own key; says which of them. */
    sealedContent: text('sealed_content').notNull(),
    inputTokens: integer('input_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    /** How many messages the content has. */
    messageCount: integer('message_count').notNull(),
    occurredAt: moment('occurred_at').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('message_logs_user').on(table.userId, table.occurredAt, table.id),
    index('message_logs_created_at').on(table.createdAt),
    check(
      'message_logs_counts',
      sql`${table.inputTokens} >= 0 and ${table.outputTokens} >= 0 and ${table.messageCount} > 0`,
    ),
  ],
);

export type MessageLogRow = typeof messageLogs.$inferSelect;
