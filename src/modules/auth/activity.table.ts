import { date, pgTable, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { users } from './auth.table.js';

/**
 * On which UTC days a person was here, one row each. A session knows its last use only, so that nobody could tell from
 * it how many were here last Tuesday. A trigger on `sessions` writes it, at the first sign-in or refresh of the day;
 * impersonations leave no trace in it.
 */
export const activeDays = pgTable(
  'active_days',
  {
    day: date('day', { mode: 'string' }).notNull(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
  },
  (table) => [primaryKey({ columns: [table.day, table.userId] })],
);
