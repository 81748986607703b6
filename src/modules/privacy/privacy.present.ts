import { toUser } from '../auth/auth.present.js';
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
