import { toUser } from '../auth/auth.present.js';
import type { StoredFileRow } from '../files/files.table.js';
import type { DataExport } from './data-exports.types.js';
import type { DeletedPerson, Departed } from './deleted-users.service.js';
import type { DeletedUser, DeletedUserPayload } from './privacy.types.js';

/** The row as the schema shows it: named columns only, nothing spread. */
export function toDeletedUser(row: DeletedPerson): DeletedUser {
  return {
    userId: row.userId,
    username: row.username,
    email: row.email,
    deletedAt: row.deletedAt,
    deletedByKind: row.deletedByKind,
    deletedById: row.deletedById,
    reason: row.reason,
    purgeAt: row.purgeAt,
    erasedAt: row.erasedAt,
  };
}

export function toDeletedUserPayload({ user, deleted }: Departed, now: Date): DeletedUserPayload {
  return { user: toUser(user, now), deletedUser: toDeletedUser(deleted) };
}

export function toDataExport(row: StoredFileRow): DataExport {
  const { id, createdAt, storedAt: readyAt, sizeBytes, expiresAt } = row;
  return { id, createdAt, readyAt, sizeBytes, expiresAt: expiresAt ?? createdAt };
}
