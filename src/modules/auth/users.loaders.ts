import DataLoader from 'dataloader';
import { type Context, loaderOf } from '../../core/context.js';
import { toUser } from './auth.present.js';
import type { UserRow } from './auth.table.js';
import type { User } from './auth.types.js';
import type { Owner } from './owner.js';
import { findUsers } from './users.service.js';

function usersById({ app }: Context): DataLoader<string, UserRow | undefined> {
  return new DataLoader(async (ids) => {
    const rows = new Map((await findUsers(app, [...ids])).map((row) => [row.id, row]));
    return ids.map((id) => rows.get(id));
  });
}

/** The person behind an account, null when the account is of another kind; one query for all asked for at once. */
export async function loadPerson(context: Context, owner: Owner): Promise<User | null> {
  if (owner.kind !== 'user') return null;
  const row = await loaderOf(context, usersById).load(owner.id);
  return row ? toUser(row, context.app.now()) : null;
}
