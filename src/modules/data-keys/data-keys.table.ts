import { sql } from 'drizzle-orm';
import { check, index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/**
 * A person's own keys, sealed with the encryption key. What is written under them is gone when they are: erasing is
 * setting `sealed_key` to null. The newest generation seals; those before it only open what they have sealed, until a
 * job has sealed it anew and takes them away.
 */
export const dataKeys = pgTable(
  'data_keys',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** From 1; with the person's id, the key's id. */
    generation: integer('generation').notNull(),
    sealedKey: text('sealed_key'),
    createdAt: createdAt(),
    /** Since when a newer one seals. */
    supersededAt: moment('superseded_at'),
    destroyedAt: moment('destroyed_at'),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.generation] }),
    index('data_keys_superseded').on(table.userId).where(sql`${table.supersededAt} is not null`),
    index('data_keys_newest')
      .on(table.createdAt)
      .where(sql`${table.supersededAt} is null and ${table.sealedKey} is not null`),
    check('data_keys_generation', sql`${table.generation} >= 1`),
    check('data_keys_destroyed', sql`(${table.sealedKey} is null) = (${table.destroyedAt} is not null)`),
  ],
);
