// The ledger's shared commits beside pgbench, which sends one CTE for each movement over eight connections (two
// threads), in turns within one run. The tables, their indexes and foreign keys are the same; the CTE of the first
// column keeps no idempotency key, which is less than the ledger does. PostgreSQL and its pgbench only.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { built } from '../built.ts';
import { median } from '../compare.ts';

const ACCOUNTS = 10_000;
const CALLERS = 64;
const PERSON = (n: string) => `('00000000-0000-7000-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;
const personId = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

const SPEND = (condition: string) => `
  update credit_accounts set balance = balance - 3, version = version + 1, updated_at = now()
   where user_id = ${PERSON(':n::int')} and balance - held >= 3 ${condition}
  returning user_id, balance, version`;
const ROW = `
  insert into credit_transactions (id, user_id, version, kind, amount, balance_after, description, reference_type,
                                   reference_id, actor_kind, actor_id, request_id, created_at)
  select gen_random_uuid(), user_id, version, 'USE', -3, balance, 'chat', 'message', 'm1', 'SERVICE',
         '00000000-0000-7000-8000-00000000ffff'::uuid, 'request-1', now() from spent
  returning id, balance_after`;
// pgbench takes a colon and a letter or digit for a variable, within texts too.
const KEY = `
  insert into idempotency_keys (scope, key, fingerprint, answer, created_at)
  values ('SERVICE.00000000-0000-7000-8000-00000000ffff.USE', gen_random_uuid()::text, repeat('0123456789abcdef', 4),
          '{"balance" : 100, "held" : 0, "hold" : null, "version" : 1, "transaction" : "00000000-0000-7000-8000-00000000ffff"}', now())
  on conflict do nothing returning key`;

const SCRIPTS = {
  'one CTE': `with spent as (${SPEND('')}) ${ROW};`,
  'one CTE with a key': `with kept as (${KEY}), spent as (${SPEND('and exists (select 1 from kept)')}) ${ROW};`,
};

/** People and accounts whose ids can be told from their number, as a pgbench script has to. */
async function fill(url: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => undefined });
  await client.unsafe(`
    insert into users (id, username, username_key, email, email_key, email_verified_at, created_at, updated_at)
    select ${PERSON('n')}, 'bench' || n, 'bench' || n, n || '@example.com', n || '@example.com', now(), now(), now()
      from generate_series(1, ${ACCOUNTS}) n`);
  await client.unsafe(
    `insert into credit_accounts (user_id, balance, updated_at) select id, 1000000000000, now() from users`,
  );
  await client.unsafe('vacuum analyze');
  await client.end();
}

/** Transactions a second. */
async function pgbench(url: string, options: { script: string; accounts: number; seconds: number }): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'credence-pgbench-'));
  const file = join(directory, 'script.sql');
  await writeFile(file, `\\set n random(1, ${options.accounts})\n${options.script.replaceAll('\n', ' ')}\n`);
  const settings = ['-n', '-M', 'prepared', '-c', '8', '-j', '2', '-T', String(options.seconds), '-f', file, url];
  try {
    const { stdout } = await promisify(execFile)('pgbench', settings);
    return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  } finally {
    await rm(directory, { recursive: true });
  }
}

type Spend = (userId: string, idempotencyKey: string) => Promise<unknown>;

/** Movements a second of 64 callers, each of whom waits for its answer. */
async function ledger(spend: Spend, options: { accounts: number; seconds: number }): Promise<number> {
  const run = randomBytes(6).toString('hex');
  const begin = performance.now();
  const end = begin + options.seconds * 1_000;
  let done = 0;
  const caller = async (name: number) => {
    for (let turn = 0; performance.now() < end; turn += 1) {
      await spend(personId(1 + Math.floor(Math.random() * options.accounts)), `${run}:${name}:${turn}`);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, name) => caller(name)));
  return (done * 1_000) / (performance.now() - begin);
}

export interface Measured {
  readonly accounts: number;
  /** What pgbench sent. */
  readonly title: string;
  readonly ratio: number;
  readonly figures: string;
}

export async function measureLedger(
  serverUrl: string,
  { seconds, turns }: { seconds: number; turns: number },
): Promise<Measured[]> {
  const measured: Measured[] = [];
  const name = `credence_bench_${process.pid}`;
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href;
  const server = postgres(serverUrl, { max: 1 });
  await server.unsafe(`create database ${name}`);
  const { openDatabase } = await built<typeof import('../../src/core/database.js')>('core/database.js');
  const { migrate } = await built<typeof import('../../src/core/migrations.js')>('core/migrations.js');
  const { createLogger } = await built<typeof import('../../src/core/logger.js')>('core/logger.js');
  const { createMetrics } = await built<typeof import('../../src/core/metrics.js')>('core/metrics.js');
  const { useCredits } = await built<typeof import('../../src/modules/credits/movements.service.js')>(
    'modules/credits/movements.service.js',
  );
  const log = createLogger({ level: 'silent', pretty: false });
  const database = await openDatabase({ kind: 'postgres', url, connections: 10 }, log);
  try {
    await migrate(database, { log });
    await fill(url);
    // As much of an app as the ledger looks at.
    const config = { credits: { lowAt: 0 }, events: {} };
    const parts = { database, db: database.db, sql: database.sql, metrics: createMetrics(), log, config };
    const app = { ...parts, now: () => new Date() };
    const actor = {
      kind: 'SERVICE',
      id: '00000000-0000-7000-8000-00000000ffff',
      ip: null,
      userAgent: null,
      requestId: 'request-1',
    } as const;
    const particulars = { amount: 3, description: 'chat', referenceType: 'message', referenceId: 'm1', actor };
    const spend: Spend = (userId, idempotencyKey) =>
      useCredits(app as unknown as Parameters<typeof useCredits>[0], { ...particulars, userId, idempotencyKey });
    for (const accounts of [ACCOUNTS, 1]) {
      await ledger(spend, { accounts, seconds: 1 });
      const taken: Record<string, number>[] = [];
      for (let turn = 0; turn < turns; turn += 1) {
        const rates: Record<string, number> = { ledger: await ledger(spend, { accounts, seconds }) };
        for (const [title, script] of Object.entries(SCRIPTS))
          rates[title] = await pgbench(url, { script, accounts, seconds });
        taken.push(rates);
      }
      const middle = (title: string) => median(taken.map((rates) => rates[title] ?? Number.NaN));
      for (const title of Object.keys(SCRIPTS)) {
        const ratio = median(taken.map((rates) => (rates.ledger ?? 0) / (rates[title] ?? Number.NaN)));
        const figures = `${Math.round(middle('ledger'))}/s against ${Math.round(middle(title))}/s`;
        measured.push({ accounts, title, ratio, figures });
      }
    }
  } finally {
    await database.close();
    await server.unsafe(`drop database ${name} with (force)`);
    await server.end();
  }
  return measured;
}
