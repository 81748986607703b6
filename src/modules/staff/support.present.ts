import { NoteAuthorKind, type UserNote } from './support.types.js';
import type { UserNoteRow } from './user-notes.table.js';

/** The row as the schema shows it: named columns only, nothing spread. */
export function toUserNote(row: UserNoteRow): UserNote {
  return {
    id: row.id,
    text: row.text,
    authorKind: NoteAuthorKind[row.authorKind],
    authorId: row.authorId,
    createdAt: row.createdAt,
  };
}
