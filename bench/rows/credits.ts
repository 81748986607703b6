import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { compare, type Effort, median, type Side, turn } from '../compare.ts';
import { post } from '../load.ts';
import type { World } from '../world.ts';
import { atLeast, figures, type Result, type Row } from './row.ts';
import { besideRaw } from './tokens.ts';

const USE = `mutation($input: UseCreditsInput!) { useCredits(input: $input) {
  transaction { id kind amount balanceAfter } account { balance held available } replayed } }`;

/** One credit from a random account of those given, with a key nobody has used. */
function spending(world: World, path: string, userIds: readonly string[]): Side['script'] {
  const headers = { 'x-api-key': world.serviceKey };
  return () => ({
    next() {
      const userId = userIds[Math.floor(Math.random() * userIds.length)];
      const input = { userId, amount: 1, description: 'chat', idempotencyKey: randomUUID() };
      return post(path, { query: USE, variables: { input } }, headers);
    },
  });
}

export const useCredits: Row = {
  name: 'useCredits',
  async run({ effort, world: make }) {
    const world = await make();
    const hot = world.accountIds.slice(0, 1);
    return besideRaw(world, async (ours, raw) => {
      const side = (server: Side['server'], path: string, ids = world.accountIds): Side => ({
        server,
        script: spending(world, path, ids),
      });
      const many = await compare(side(ours, '/graphql'), side(raw, '/useCredits'), effort);
      const results: Result[] = [
        {
          row: '`useCredits`, 10,000 accounts',
          baseline: 'raw, the same shared commit',
          ratio: many.ratio,
          cpuRatio: many.cpuRatio,
          firstLanding: atLeast(0.25),
          goal: atLeast(0.92),
          note: figures(many),
        },
      ];
      for (const [title, ids, firstLanding, goal] of [
        ['`useCredits`, 10,000 accounts', world.accountIds, 0.3, 0.95],
        ['`useCredits`, one hot account', hot, 0.8, 3.5],
      ] as const) {
        const against = await besidePgbench(side(ours, '/graphql', ids), { world, userIds: ids, effort });
        if (against === undefined) continue;
        const { ratio, note } = against;
        const targets = { firstLanding: atLeast(firstLanding), goal: atLeast(goal) };
        results.push({ row: title, baseline: 'pgbench, one CTE each, 10 connections', ratio, ...targets, note });
      }
      return results;
    });
  },
};

/** A debit if there is enough, and its row in the ledger: no key, no holds, no refusals told apart. */
const CTE = `
with account as (select user_id from bench_accounts where n = :n),
debit as (
  update credit_accounts a set balance = balance - 1, version = version + 1, updated_at = now()
    from account where a.user_id = account.user_id and a.balance - a.held >= 1
  returning a.user_id, a.balance, a.version)
insert into credit_transactions (id, user_id, version, kind, amount, balance_after, actor_kind, created_at)
select gen_random_uuid(), user_id, version, 'USE', -1, balance, 'SERVICE', now() from debit;
`.replaceAll('\n', ' ');

/** Undefined without PostgreSQL or pgbench. */
async function besidePgbench(
  ours: Side,
  { world, userIds, effort }: { world: World; userIds: readonly string[]; effort: Effort },
): Promise<{ ratio: number; note: string } | undefined> {
  const { databaseUrl } = world;
  if (databaseUrl === undefined || !(await hasPgbench())) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'credence-pgbench-'));
  try {
    await numberAccounts(databaseUrl, userIds);
    const script = join(directory, 'spend.sql');
    await writeFile(script, `\\set n random(1, ${userIds.length})\n${CTE.trim()}\n`);
    const pairs: { ours: number; theirs: number }[] = [];
    await turn(ours, effort);
    for (let count = 0; count < effort.turns; count++) {
      const theirs = await pgbench(databaseUrl, script, effort.seconds);
      pairs.push({ ours: (await turn(ours, effort)).perSecond, theirs });
    }
    const show = (value: number) => `${Math.round(value).toLocaleString('en')}/s`;
    return {
      ratio: median(pairs.map((pair) => pair.ours / pair.theirs)),
      note: `${show(median(pairs.map((pair) => pair.ours)))} against ${show(median(pairs.map((pair) => pair.theirs)))}`,
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function numberAccounts(databaseUrl: string, userIds: readonly string[]): Promise<void> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  try {
    await client.unsafe('drop table if exists bench_accounts');
    await client.unsafe('create table bench_accounts (n serial primary key, user_id uuid not null)');
    await client.unsafe('insert into bench_accounts (user_id) select id from unnest($1::text::uuid[]) as id', [
      `{${userIds.join(',')}}`,
    ]);
    await client.unsafe('analyze bench_accounts');
  } finally {
    await client.end();
  }
}

const run = promisify(execFile);

export async function hasPgbench(): Promise<boolean> {
  return run('pgbench', ['--version']).then(
    () => true,
    () => false,
  );
}

async function pgbench(databaseUrl: string, script: string, seconds: number): Promise<number> {
  const options = ['--no-vacuum', '--protocol=prepared', '--client=10', '--jobs=2', `--time=${Math.ceil(seconds)}`];
  const { stdout } = await run('pgbench', [...options, `--file=${script}`, databaseUrl]);
  return Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
}
