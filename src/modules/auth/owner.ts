import type { ActorKind } from '../../core/context.js';
import type { TokenKind } from '../../core/tokens.js';

/** An account of any kind. Rows that can belong to each have one column for each kind, one of which is set. */
export interface Owner {
  kind: TokenKind;
  id: string;
}

interface OwnerColumns {
  userId: string | null;
  adminId: string | null;
  staffId: string | null;
}

/** The owner as a row has it. */
export function toOwnerColumns({ kind, id }: Owner): OwnerColumns {
  return {
    userId: kind === 'user' ? id : null,
    adminId: kind === 'admin' ? id : null,
    staffId: kind === 'staff' ? id : null,
  };
}

/** The owner of a row. */
export function ownerOfRow({ userId, adminId, staffId }: OwnerColumns): Owner {
  if (userId !== null) return { kind: 'user', id: userId };
  if (adminId !== null) return { kind: 'admin', id: adminId };
  return { kind: 'staff', id: staffId ?? '' };
}

/** The column to find an owner's rows by. */
export function ownerColumn<Column>(
  table: { userId: Column; adminId: Column; staffId: Column },
  kind: TokenKind,
): Column {
  if (kind === 'user') return table.userId;
  return kind === 'admin' ? table.adminId : table.staffId;
}

export const ACTOR_KIND_OF = { user: 'USER', admin: 'ADMIN', staff: 'STAFF' } as const satisfies Record<
  TokenKind,
  ActorKind
>;
