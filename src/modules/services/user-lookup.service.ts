import { and, eq, isNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { found, requireEmail, requireId } from '../../core/input.js';
import { type UserRow, users } from '../auth/auth.table.js';

/** The address of a person. @throws NOT_FOUND */
export async function getUserEmail(app: App, userId: string): Promise<string> {
  const [user] = await app.db
    .select({ email: users.email })
    .from(users)
    .where(and(eq(users.id, requireId(userId, 'userId')), isNull(users.deletedAt)));
  return found(user).email;
}

/** Who has this address; nobody is an answer too. Upper and lower case are the same. @throws BAD_USER_INPUT */
export async function findUserByEmail(app: App, email: string): Promise<UserRow | undefined> {
  const { emailKey } = requireEmail(email);
  const [user] = await app.db.select().from(users).where(eq(users.emailKey, emailKey));
  return user;
}
