import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/**
 * One key a person, sealed with the encryption key. What is written under it is gone when the key is: erasing is
 * setting `sealed_key` to null.
 */
export const dataKeys = pgTable(
  'data_keys',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id),
    sealedKey: text('sealed_key'),
    createdAt: createdAt(),
    destroyedAt: moment('destroyed_at'),
  },
  (table) => [check('data_keys_destroyed', sql`(${table.sealedKey} is null) = (${table.destroyedAt} is not null)`)],
);

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
  ],
);

export type DeletedUserRow = typeof deletedUsers.$inferSelect;
