import { and, asc, eq, gte, lte, sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { type CreditTransactionRow, creditTransactions } from './credits.table.js';

const MOST = 500;

/**
 * What one request moved, oldest first. The ledger has no index on requests, which every movement would pay for: ids
 * begin with the millisecond they were made in (UUIDv7, RFC 9562), so the primary key finds a span of time.
 */
export async function findTransactionsOfRequest(
  app: App,
  { requestId, from, to }: { requestId: string; from: Date; to: Date },
): Promise<CreditTransactionRow[]> {
  const { id } = creditTransactions;
  const lowest = `${stampOf(from)}-0000-0000-000000000000`;
  const highest = `${stampOf(to)}-ffff-ffff-ffffffffffff`;
  return app.db
    .select()
    .from(creditTransactions)
    .where(
      and(gte(id, sql`${lowest}::uuid`), lte(id, sql`${highest}::uuid`), eq(creditTransactions.requestId, requestId)),
    )
    .orderBy(asc(id))
    .limit(MOST);
}

/** The first 48 bits of an id, as its first two groups. */
function stampOf(time: Date): string {
  const digits = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}
