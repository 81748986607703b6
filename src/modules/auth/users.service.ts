import { and, eq, isNull } from 'drizzle-orm';
import { selectList } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { found } from '../../core/input.js';
import { createRowLookup } from '../../core/lookups.js';
import { type UserRow, users } from './auth.table.js';

/** The person as the database has them now; look-ups of one moment share a query. Not for use within a transaction. */
export const findUser = createRowLookup<UserRow>(
  `select ${selectList(users)} from users where id = any($1::uuid[]) and deleted_at is null`,
  ({ id }) => id,
);

/** The hot path of `me`. Not for use within a transaction. @throws NOT_FOUND */
export async function getOwnUser(app: App, id: string): Promise<UserRow> {
  return found(await findUser(app, id));
}

/** @throws NOT_FOUND, for who was deleted too */
export async function getUser(app: App, id: string): Promise<UserRow> {
  const [user] = await app.db
    .select()
    .from(users)
    .where(and(eq(users.id, id), isNull(users.deletedAt)));
  return found(user);
}

export type NamedPerson = UserRow & { hasSecondFactor: boolean };

/** A query for the account that a username or an address names, if any; it answers `NamedPerson`. */
export const personNamed = (usernameKey: string, emailKey: string) => `
  select ${selectList(users)},
         exists (select from totp_factors t where t.user_id = users.id and t.confirmed_at is not null) as "hasSecondFactor"
    from users where (username_key = ${usernameKey} or email_key = ${emailKey}) and deleted_at is null`;

/** Whether a suspension counts at this moment: one with an end lifts itself. */
export function isSuspended(user: Pick<UserRow, 'suspendedAt' | 'suspendedUntil'>, now: Date): boolean {
  return user.suspendedAt !== null && (user.suspendedUntil === null || user.suspendedUntil > now);
}
