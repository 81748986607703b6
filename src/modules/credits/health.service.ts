import { sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';

export interface BrokenAccount {
  userId: string;
  problems: string[];
}

export interface LedgerHealth {
  ok: boolean;
  checkedAt: Date;
  accounts: number;
  transactions: number;
  holds: number;
  brokenAccounts: number;
  broken: BrokenAccount[];
}

const SHOWN = 20;
/** So many accounts are read by one statement: each account is judged as it was at one moment. */
const SLICE = 5_000;
export const BEFORE_ALL_ACCOUNTS = '00000000-0000-0000-0000-000000000000';

/**
 * Adds up all books anew, while movements go on. For each account: balance = sum of rows = balance after the last row;
 * versions 1 to n without gaps; held = sum of live holds; nothing negative; refunds within what was spent.
 */
export async function ledgerHealth(app: App): Promise<LedgerHealth> {
  const health: LedgerHealth = {
    ok: true,
    checkedAt: app.now(),
    accounts: 0,
    transactions: 0,
    holds: 0,
    brokenAccounts: 0,
    broken: [],
  };
  await transact(app, async (app) => {
    // A ledger of years takes longer than a request of the hot path may.
    await app.db.execute(sql`select set_config('statement_timeout', '60000', true)`);
    for (let after: string | null = BEFORE_ALL_ACCOUNTS; after !== null; ) {
      const slice: LedgerSlice = await readLedgerSlice(app, { after, shown: SHOWN });
      health.accounts += slice.accounts;
      health.transactions += slice.transactions;
      health.holds += slice.holds;
      health.brokenAccounts += slice.brokenAccounts;
      health.broken.push(...slice.broken.slice(0, SHOWN - health.broken.length));
      after = slice.last;
    }
  });
  return { ...health, ok: health.brokenAccounts === 0 };
}

/** Some thousand accounts in the order of their ids, added up. */
export interface LedgerSlice {
  accounts: number;
  transactions: number;
  holds: number;
  brokenAccounts: number;
  broken: BrokenAccount[];
  /** Where the next slice begins; null when there is none. */
  last: string | null;
}

/** The accounts after that id; of broken ones at most `shown` are named. */
export async function readLedgerSlice(
  app: App,
  { after, shown }: { after: string; shown: number },
): Promise<LedgerSlice> {
  const judged = sql`
    with slice as materialized (
      select * from credit_accounts where user_id > ${after}::uuid order by user_id limit ${SLICE}
    ), bounds as materialized (
      select min(user_id::text)::uuid as first, max(user_id::text)::uuid as last from slice
    ), sums as (
      select t.user_id, count(*) as rows, sum(t.amount) as total, min(t.version) as first, max(t.version) as last,
             min(t.balance_after) as lowest
        from credit_transactions t, bounds where t.user_id between bounds.first and bounds.last
       group by t.user_id
    ), live as (
      select h.user_id, count(*) as holds, sum(h.amount) as held
        from credit_holds h, bounds where h.status = 'ACTIVE' and h.user_id between bounds.first and bounds.last
       group by h.user_id
    ), refunds as (
      select t.user_id, bool_or(t.refunded > -s.amount or s.kind not in ('USE', 'CAPTURE')) as wrong
        from (select t.user_id, t.refunds_transaction_id, sum(t.amount) as refunded
                from credit_transactions t, bounds
               where t.refunds_transaction_id is not null and t.user_id between bounds.first and bounds.last
               group by t.user_id, t.refunds_transaction_id) t
        join credit_transactions s on s.id = t.refunds_transaction_id
       group by t.user_id
    ), judged as (
      select a.user_id, coalesce(s.rows, 0) as rows, coalesce(l.holds, 0) as holds,
             array_remove(array[
               case when a.balance <> coalesce(s.total, 0) then format('balance %s, but the rows sum up to %s', a.balance, coalesce(s.total, 0)) end,
               case when a.balance <> coalesce(n.balance_after, 0) then format('balance %s, but the last row left %s', a.balance, coalesce(n.balance_after, 0)) end,
               case when a.version <> coalesce(s.rows, 0) or s.first <> 1 or s.last <> s.rows
                    then format('version %s, but %s rows from %s to %s', a.version, coalesce(s.rows, 0), s.first, s.last) end,
               case when a.held <> coalesce(l.held, 0) then format('held %s, but live holds sum up to %s', a.held, coalesce(l.held, 0)) end,
               case when a.balance < 0 or a.held < 0 or a.held > a.balance or s.lowest < 0 then 'something is negative' end,
               case when r.wrong then 'more is refunded than was spent' end
             ], null) as problems
        from slice a left join sums s using (user_id) left join live l using (user_id) left join refunds r using (user_id)
        left join credit_transactions n on n.user_id = a.user_id and n.version = s.last
    )
    select json_build_object(
             'accounts', count(*), 'transactions', coalesce(sum(rows), 0), 'holds', coalesce(sum(holds), 0),
             'brokenAccounts', count(*) filter (where problems <> '{}'),
             'broken', coalesce((select json_agg(json_build_object('userId', b.user_id, 'problems', b.problems))
                                   from (select * from judged where problems <> '{}' order by user_id limit ${shown}) b), '[]'),
             'last', (select last from bounds))::text as slice
      from judged`;
  const [row] = await app.db.select({ slice: sql<string>`slice` }).from(sql`(${judged}) as answer`);
  const slice = JSON.parse(row?.slice ?? 'null') as LedgerSlice;
  return { ...slice, last: slice.accounts < SLICE ? null : slice.last };
}
