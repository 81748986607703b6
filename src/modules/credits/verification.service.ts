// What `ledgerHealth` looks at in seconds, and every row besides: for an operator who has the time, after a restore or
// before an audit. Reads a few thousand accounts at a time, while movements go on, and changes nothing.
import { sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { BEFORE_ALL_ACCOUNTS, type BrokenAccount, readLedgerSlice } from './health.service.js';

export interface LedgerProof {
  ok: boolean;
  accounts: number;
  transactions: number;
  holds: number;
  brokenAccounts: number;
  /** Idempotency keys that stand there twice, and movements that two keys lay claim to. */
  repeatedKeys: number;
}

export interface LedgerWatcher {
  /** Accounts looked at so far; what it throws ends the walk between two slices. */
  onAccounts(accounts: number): void;
  onBroken(account: BrokenAccount): void;
}

/** How many accounts there are, for a bar that shows how far it is. */
export async function countCreditAccounts(app: App): Promise<number> {
  const [row] = await app.db.select({ count: sql<number>`count` }).from(COUNTED);
  return row?.count ?? 0;
}

const COUNTED = sql`(select count(*)::int as count from credit_accounts) as counted`;
const ALL = 1_000_000;

/**
 * Adds up all books anew. For each account what `ledgerHealth` says, and that every row left the balance that the rows
 * before it add up to; then that no idempotency key has had two effects.
 */
export async function verifyLedger(app: App, watcher: LedgerWatcher): Promise<LedgerProof> {
  const proof = { ok: true, accounts: 0, transactions: 0, holds: 0, brokenAccounts: 0, repeatedKeys: 0 };
  for (let after: string | null = BEFORE_ALL_ACCOUNTS; after !== null; ) {
    const { slice, torn } = await readWholeSlice(app, after);
    proof.accounts += slice.accounts;
    proof.transactions += slice.transactions;
    proof.holds += slice.holds;
    const broken = merge(slice.broken, torn);
    proof.brokenAccounts += broken.length;
    for (const account of broken) watcher.onBroken(account);
    watcher.onAccounts(proof.accounts);
    after = slice.last;
  }
  proof.repeatedKeys = await countRepeatedKeys(app);
  return { ...proof, ok: proof.brokenAccounts === 0 && proof.repeatedKeys === 0 };
}

/** One transaction a slice: a walk of minutes must not keep the database from clearing up behind those who write. */
async function readWholeSlice(app: App, after: string) {
  return transact(app, async (app) => {
    await takeTime(app);
    const slice = await readLedgerSlice(app, { after, shown: ALL });
    return { slice, torn: await readTornAccounts(app, { after, last: slice.last }) };
  });
}

/** REPEATABLE READ, so that both looks at a slice see one moment; and no end to how long they may take. */
async function takeTime(app: App): Promise<void> {
  await app.db.execute(sql`set transaction isolation level repeatable read`);
  await app.db.execute(sql`select set_config('statement_timeout', '0', true)`);
}

async function readTornAccounts(app: App, range: { after: string; last: string | null }): Promise<BrokenAccount[]> {
  const upTo = range.last === null ? sql`` : sql`and t.user_id <= ${range.last}::uuid`;
  const torn = sql`
    select s.user_id as "userId", min(s.version) as version, count(*)::int as rows
      from (select t.user_id, t.version,
                   t.balance_after - t.amount <> coalesce(lag(t.balance_after) over account, 0)
                     or t.version <> coalesce(lag(t.version) over account, 0) + 1 as is_torn
              from credit_transactions t where t.user_id > ${range.after}::uuid ${upTo}
            window account as (partition by t.user_id order by t.version)) s
     where s.is_torn group by s.user_id order by s.user_id`;
  const rows = await app.db
    .select({ userId: sql<string>`"userId"`, version: sql<string>`version`, rows: sql<number>`rows` })
    .from(sql`(${torn}) as torn`);
  return rows.map(({ userId, version, rows }) => ({
    userId,
    problems: [
      `${rows} row${rows === 1 ? ' does' : 's do'} not go on from the row before, the first at version ${version}`,
    ],
  }));
}

function merge(one: readonly BrokenAccount[], other: readonly BrokenAccount[]): BrokenAccount[] {
  const byId = new Map(one.map(({ userId, problems }) => [userId, [...problems]]));
  for (const { userId, problems } of other) byId.set(userId, [...(byId.get(userId) ?? []), ...problems]);
  return [...byId].map(([userId, problems]) => ({ userId, problems }));
}

/** Reads the table itself: the index that forbids a second key is what may be damaged. */
async function countRepeatedKeys(app: App): Promise<number> {
  return transact(app, async (app) => {
    await takeTime(app);
    for (const way of ['indexscan', 'indexonlyscan', 'bitmapscan'])
      await app.db.execute(sql`select set_config(${`enable_${way}`}, 'off', true)`);
    const repeated = sql`
      select (select count(*) from (select from idempotency_keys group by scope, key having count(*) > 1) k)
           + (select count(*) from (select from idempotency_keys where answer ->> 'transaction' is not null
                                     group by answer ->> 'transaction' having count(*) > 1) t) as count`;
    const [row] = await app.db.select({ count: sql<string>`count` }).from(sql`(${repeated}) as repeated`);
    return Number(row?.count ?? 0);
  });
}
