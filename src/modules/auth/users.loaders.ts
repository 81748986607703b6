import type { Context } from '../../core/context.js';
import { toUser } from './auth.present.js';
import type { User } from './auth.types.js';
import type { Owner } from './owner.js';
import { findUser } from './users.service.js';

/** The person behind an account, null when the account is of another kind; one query for all asked for at once. */
export async function loadPerson({ app }: Context, owner: Owner): Promise<User | null> {
  if (owner.kind !== 'user') return null;
  const row = await findUser(app, owner.id);
  return row ? toUser(row, app.now()) : null;
}
