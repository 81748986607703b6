import { and, inArray, isNotNull } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import type { App } from '../../core/context.js';
import type { TokenKind } from '../../core/tokens.js';
import { totpFactors } from '../auth/auth.table.js';
import { ownerColumn } from '../auth/owner.js';

/** Those of the accounts, all of one kind, that have a confirmed second factor. */
export async function findAccountsWithTotp(
  app: App,
  { kind, ids }: { kind: TokenKind; ids: readonly string[] },
): Promise<Set<string>> {
  const column = ownerColumn<AnyPgColumn>(totpFactors, kind);
  const rows = await app.db
    .select({ id: column })
    .from(totpFactors)
    .where(and(inArray(column, [...ids]), isNotNull(totpFactors.confirmedAt)));
  return new Set(rows.map(({ id }) => String(id)));
}
