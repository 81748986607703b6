import { and, inArray, isNotNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { totpFactors } from '../auth/auth.table.js';

/** Those of the people who have a confirmed second factor. */
export async function findUsersWithTotp(app: App, userIds: string[]): Promise<string[]> {
  const rows = await app.db
    .select({ userId: totpFactors.userId })
    .from(totpFactors)
    .where(and(inArray(totpFactors.userId, userIds), isNotNull(totpFactors.confirmedAt)));
  return rows.flatMap(({ userId }) => userId ?? []);
}
