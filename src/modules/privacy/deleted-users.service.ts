import { desc, eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { found } from '../../core/input.js';
import {
  type Connection,
  mapConnection,
  olderThan,
  type PageArguments,
  readPage,
  toConnection,
} from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';
import { findOpeningKeys } from '../data-keys/data-keys.service.js';
import { type DeletedUserRow, deletedUsers } from './privacy.table.js';
import { openSnapshot } from './snapshots.service.js';

export interface DeletedPerson extends DeletedUserRow {
  /** Null once erased. */
  username: string | null;
  email: string | null;
}

/**
 * Who left, the latest first, with the names they had as long as they can come back. The look is recorded in the
 * transaction of the look.
 *
 * @throws BAD_USER_INPUT
 */
export async function listDeletedUsers(
  app: App,
  options: PageArguments & { actor: Actor },
): Promise<Connection<DeletedPerson>> {
  const { first, after, actor } = options;
  const page = readPage(options, ['time', 'id']);
  const { deletedAt, userId } = deletedUsers;
  const { rows, people } = await transact(app, async (app) => {
    const rows = await app.db
      .select()
      .from(deletedUsers)
      .where(olderThan({ time: deletedAt, id: userId }, page.after))
      .orderBy(desc(deletedAt), desc(userId))
      .limit(page.limit + 1);
    await recordAudit(app, { actor, action: 'deleted_users.listed', after: { first, after } });
    return { rows, people: await openPeople(app, rows) };
  });
  const connection = toConnection(rows, {
    page,
    keyOf: (row) => [row.deletedAt, row.userId],
    count: () => app.db.$count(deletedUsers),
  });
  return mapConnection(connection, (row) => found(people.get(row.userId)));
}

/** What there is of somebody who was deleted: what is left in the list of people, and who they were. */
export interface Departed {
  user: UserRow;
  deleted: DeletedPerson;
}

export async function toDeparted(app: App, row: DeletedUserRow): Promise<Departed> {
  const [user] = await app.db.select().from(users).where(eq(users.id, row.userId));
  const people = await openPeople(app, [row]);
  return { user: found(user), deleted: found(people.get(row.userId)) };
}

async function openPeople(app: App, rows: readonly DeletedUserRow[]): Promise<Map<string, DeletedPerson>> {
  const keys = await findOpeningKeys(
    app,
    rows.filter((row) => row.sealedSnapshot).map(({ userId }) => userId),
  );
  return new Map(
    rows.map((row) => {
      const snapshot = row.sealedSnapshot ? openSnapshot(keys.get(row.userId) ?? [], row.sealedSnapshot) : undefined;
      const { username = null, email = null } = snapshot?.person ?? {};
      return [row.userId, { ...row, username, email }];
    }),
  );
}
