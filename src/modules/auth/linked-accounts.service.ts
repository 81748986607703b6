import { eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import type { NestedList } from '../../core/nested-pages.js';
import { type LinkedAccountRow, linkedAccounts } from './openid.table.js';

/** What people are known by at providers. */
export const linkedAccountsOfUsers: NestedList<LinkedAccountRow> = {
  table: linkedAccounts,
  columns: { parent: linkedAccounts.userId, time: linkedAccounts.createdAt, id: linkedAccounts.id },
  parentOf: (row) => row.userId,
  keyOf: (row) => [row.createdAt, row.id],
};

/** Nobody signs in to the account through a provider any more. Answers how many could. */
export async function removeLinkedAccounts(app: App, userId: string): Promise<number> {
  const mine = eq(linkedAccounts.userId, userId);
  return (await app.db.delete(linkedAccounts).where(mine).returning({ id: linkedAccounts.id })).length;
}
