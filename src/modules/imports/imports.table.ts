import { bigint, pgTable, text } from 'drizzle-orm/pg-core';
import { moment } from '../../core/columns.js';

const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0);

/**
 * How far each file of people has come in. A row moves in the transaction of its batch, so that an import that was
 * killed goes on behind the last person who came in, and nobody comes in twice. Holds nothing about anybody.
 */
export const userImports = pgTable('user_imports', {
  /** SHA-256 of the file: a file that was changed is another import. */
  fingerprint: text('fingerprint').primaryKey(),
  /** Records dealt with, from the first on. */
  records: count('records'),
  /** The line on which the last of them ends. */
  lastLine: count('last_line'),
  imported: count('imported'),
  /** Somebody with the address was there already. */
  skipped: count('skipped'),
  rejected: count('rejected'),
  startedAt: moment('started_at').notNull(),
  updatedAt: moment('updated_at').notNull(),
  finishedAt: moment('finished_at'),
});

export type UserImportRow = typeof userImports.$inferSelect;
