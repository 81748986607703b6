import { sql } from 'drizzle-orm';
import { bigint, check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/**
 * Every object in the storage has a row here, from before it is written until after it is gone, so that whatever is cut
 * off in between leaves nothing behind that nobody knows of. The bytes are in the storage alone.
 */
export const storedFiles = pgTable(
  'stored_files',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** An upload is what a person may send or has sent; an avatar is what was found to be an image. */
    kind: text('kind', { enum: ['AVATAR_UPLOAD', 'AVATAR', 'DATA_EXPORT'] }).notNull(),
    /** `u/<user id>/<id>.<extension>`, made here; nothing that a client typed stands in it. */
    objectKey: text('object_key').notNull(),
    contentType: text('content_type').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }),
    createdAt: createdAt(),
    /** When the object was there, whole. Of an upload straight to S3 nobody tells us. */
    storedAt: moment('stored_at'),
    /** Of an upload: when it became an avatar, which happens once. */
    usedAt: moment('used_at'),
    /** From then on nobody gets it, and a job deletes object and row. Null: for as long as it is the avatar. */
    expiresAt: moment('expires_at'),
  },
  (table) => [
    uniqueIndex('stored_files_object_key').on(table.objectKey),
    index('stored_files_user').on(table.userId, table.kind),
    index('stored_files_expiry').on(table.expiresAt).where(sql`${table.expiresAt} is not null`),
    check('stored_files_kind', sql`${table.kind} in ('AVATAR_UPLOAD', 'AVATAR', 'DATA_EXPORT')`),
    check('stored_files_size', sql`${table.sizeBytes} >= 0`),
    check(
      'stored_files_kept',
      sql`${table.expiresAt} is not null or (${table.kind} = 'AVATAR' and ${table.storedAt} is not null)`,
    ),
    check('stored_files_used', sql`${table.usedAt} is null or ${table.kind} = 'AVATAR_UPLOAD'`),
  ],
);

export type StoredFileRow = typeof storedFiles.$inferSelect;
