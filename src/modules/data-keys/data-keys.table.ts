import { sql } from 'drizzle-orm';
import { check, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/**
 * A person's own keys, sealed with the encryption key. What is written under them is gone when they are: erasing is
 * setting `sealed_key` to null. The newest generation seals; those before it only open what they have sealed.
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
    destroyedAt: moment('destroyed_at'),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.generation] }),
    check('data_keys_generation', sql`${table.generation} >= 1`),
    check('data_keys_destroyed', sql`(${table.sealedKey} is null) = (${table.destroyedAt} is not null)`),
  ],
);
