import { index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id } from '../../core/columns.js';
import { users } from '../auth/auth.table.js';

/** What operators tell each other about a person. Never shown to the person, always part of their export. */
export const userNotes = pgTable(
  'user_notes',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    authorKind: text('author_kind', { enum: ['STAFF', 'ADMIN'] }).notNull(),
    authorId: uuid('author_id').notNull(),
    text: text('text').notNull(),
    createdAt: createdAt(),
  },
  (table) => [index('user_notes_user').on(table.userId, table.createdAt, table.id)],
);

export type UserNoteRow = typeof userNotes.$inferSelect;
