import { sql } from 'drizzle-orm';
import { check, date, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { users } from '../auth/auth.table.js';

/** The date is part of the key, so nothing is ever reset and no reset can be missed. */
export const usageCounters = pgTable(
  'usage_counters',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    kind: text('kind', { enum: ['CONVERSATIONS', 'MESSAGES'] }).notNull(),
    /** The date where the person is. */
    day: date('day', { mode: 'string' }).notNull(),
    used: integer('used').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.kind, table.day] }),
    check('usage_counters_positive', sql`${table.used} > 0`),
  ],
);
