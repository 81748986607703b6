import { sql } from 'drizzle-orm';
import { bigint, check, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { createdAt } from '../../core/columns.js';

/** What a person may use. A limit of null means "no limit". The plan `free` is made by a migration. */
export const plans = pgTable(
  'plans',
  {
    code: text('code').primaryKey(),
    name: text('name').notNull(),
    conversationsPerDay: integer('conversations_per_day'),
    messagesPerDay: integer('messages_per_day'),
    monthlyCredits: bigint('monthly_credits', { mode: 'number' }).notNull().default(0),
    createdAt: createdAt(),
  },
  (table) => [
    check('plans_code_form', sql`${table.code} ~ '^[a-z][a-z0-9_-]{0,39}$'`),
    check(
      'plans_not_negative',
      sql`${table.conversationsPerDay} >= 0 and ${table.messagesPerDay} >= 0 and ${table.monthlyCredits} >= 0`,
    ),
  ],
);

export type PlanRow = typeof plans.$inferSelect;
