import { and, desc, eq, lt } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import type { Database, Db } from '../../core/database.js';
import { found, requireId } from '../../core/input.js';
import { readLagging } from '../../core/lagging.js';
import { createLookup } from '../../core/lookups.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { type CreditTransactionRow, creditTransactions as transactions } from './credits.table.js';
import type { AccountState } from './ledger-rows.js';

interface AccountRow {
  user_id: string;
  balance: number;
  held: number;
  version: number;
}

// Somebody without a row has an account, too: an empty one. Holds past their time hold nothing any more, whether or
// not somebody has ended them yet.
const ACCOUNTS = `
  select u.id as user_id, coalesce(a.balance, 0) as balance, coalesce(a.version, 0) as version,
         coalesce(a.held - case when a.held > 0 then
           coalesce((select sum(h.amount) from credit_holds h
                      where h.user_id = u.id and h.status = 'ACTIVE' and h.expires_at <= $2::timestamptz), 0) else 0 end, 0)::bigint as held
    from users u left join credit_accounts a on a.user_id = u.id
   where u.id = any($1::uuid[])`;

interface Lookup {
  moment: Date;
  readonly find: (userId: string) => Promise<AccountRow | undefined>;
}

const lookups = new WeakMap<Database, Lookup>();

function lookupOf(database: Database): Lookup {
  let lookup = lookups.get(database);
  if (lookup === undefined) {
    const made: Lookup = {
      moment: new Date(0),
      find: createLookup(async (ids) => {
        const rows = await database.sql.query<AccountRow>(ACCOUNTS, [ids, made.moment]);
        return new Map(rows.map((row) => [row.user_id, row]));
      }),
    };
    lookup = made;
    lookups.set(database, lookup);
  }
  return lookup;
}

function findAccountRow(app: App, userId: string): Promise<AccountRow | undefined> {
  const lookup = lookupOf(app.database);
  lookup.moment = app.now();
  return lookup.find(userId);
}

/**
 * What a person has: exact at the time of asking, never remembered. Everybody who asks in one turn of the event loop
 * is answered by one query, so lists of people need no loader of their own.
 *
 * @param userId a UUID in lower case
 * @returns undefined when there is no such person
 */
export async function findCreditAccount(app: App, userId: string): Promise<AccountState | undefined> {
  const row = await findAccountRow(app, userId);
  return row && { userId, balance: row.balance, held: row.held, available: row.balance - row.held };
}

/** @throws BAD_USER_INPUT, NOT_FOUND */
export async function creditBalance(app: App, options: { userId: string }): Promise<AccountState> {
  return found(await findCreditAccount(app, requireId(options.userId, 'userId')));
}

/**
 * The history, newest first; a replica's is read only while it has all of it.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function creditTransactions(
  app: App,
  options: PageArguments & { userId: string },
): Promise<Connection<CreditTransactionRow>> {
  const userId = requireId(options.userId, 'userId');
  const page = readPage(options, ['integer']);
  const { userId: owner, version } = transactions;
  const read = (db: Db) =>
    db
      .select()
      .from(transactions)
      .where(and(eq(owner, userId), page.after && lt(version, page.after[0])))
      .orderBy(desc(version))
      .limit(page.limit + 1);
  const [account, lagging] = await Promise.all([findAccountRow(app, userId), readLagging(app, read)]);
  // Versions have no gaps: the account's is the number of its rows, and a replica that lacks the first is told by it.
  const total = found(account).version;
  const first = page.after ? Math.min(page.after[0] - 1, total) : total;
  const rows = (lagging[0]?.version ?? 0) >= first ? lagging : await read(app.db);
  return toConnection(rows, { page, keyOf: (row) => [row.version], count: () => total });
}
