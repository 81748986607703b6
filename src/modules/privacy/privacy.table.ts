import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/** Who left, when, why, and what they were, sealed with their own key until the purge date. */
export const deletedUsers = pgTable(
  'deleted_users',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id),
    sealedSnapshot: text('sealed_snapshot'),
    deletedAt: moment('deleted_at').notNull(),
    deletedByKind: text('deleted_by_kind').notNull(),
    deletedById: uuid('deleted_by_id'),
    reason: text('reason'),
    purgeAt: moment('purge_at').notNull(),
    erasedAt: moment('erased_at'),
  },
  (table) => [
    index('deleted_users_deleted_at').on(table.deletedAt, table.userId),
    index('deleted_users_purge').on(table.purgeAt).where(sql`${table.erasedAt} is null`),
    check(
      'deleted_users_erased',
      sql`(${table.erasedAt} is null) = (${table.sealedSnapshot} is not null) and (${table.erasedAt} is null or ${table.reason} is null)`,
    ),
  ],
);

export type DeletedUserRow = typeof deletedUsers.$inferSelect;
