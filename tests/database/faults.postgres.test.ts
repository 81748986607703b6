import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { App } from '../../src/core/context.js';
import { type Database, isDatabaseUnavailable, transact } from '../../src/core/database.js';
import { openPostgres } from '../../src/core/database-postgres.js';
import { POSTGRES_TIMINGS, type PostgresTimings } from '../../src/core/postgres-lane.js';
import {
  createTestDatabase,
  databaseUrl,
  findPostgresServer,
  silentLog,
  type TestDatabase,
} from '../support/database.js';
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

/** The same in small, so that what takes seconds can be waited for. */
const QUICK: PostgresTimings = {
  ...POSTGRES_TIMINGS,
  connect: 400,
  silence: 1_500,
  queue: 300,
  start: 1_500,
  heartbeat: 100,
  close: 200,
};

let config: Extract<TestDatabase, { kind: 'postgres' }>;
let proxy: TcpProxy;
let database: Database;
let app: App;

beforeEach(async () => {
  config = (await createTestDatabase()) as typeof config;
  proxy = await createTcpProxy(config.url);
  database = await openPostgres({ ...config, url: proxy.url, connections: 7 }, { log: silentLog, timings: QUICK });
  app = { db: database.db, sql: database.sql } as App;
});

afterEach(async () => {
  await database.close();
  await proxy.close();
  await config.dispose();
});

const ask = () => database.sql.query('select 1 as one', []);
const askDrizzle = () => database.db.execute(sql`select 1 as one`);
/** Whether the work fails because of the database, as against the request. */
const isUnavailable = (work: Promise<unknown>) => work.then(() => 'it worked', isDatabaseUnavailable);

/** Ends the server's process behind whoever runs a statement with this mark in it. */
async function killBackendsRunning(mark: string): Promise<void> {
  await expect
    .poll(async () => {
      const [killed] = await database.sql.query<{ count: number }>(
        `select count(pg_terminate_backend(pid)) as count from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and query like '%' || $1 || '%' and state <> 'idle'`,
        [mark],
      );
      return killed?.count;
    })
    .toBeGreaterThan(0);
}

test.each([
  ['a drizzle statement', () => database.db.execute(sql`select pg_sleep(4) as doomed`)],
  ['a transaction', () => transact(app, (inner) => inner.db.execute(sql`select pg_sleep(4) as doomed`))],
])('says that the database was unavailable when its backend is killed under %s, and goes on', async (_, work) => {
  const failed = isUnavailable(work());
  await killBackendsRunning('doomed');
  expect(await failed).toBe(true);
  expect(await askDrizzle()).toHaveLength(1);
  expect(await ask()).toHaveLength(1);
});

test('sends nothing more for a transaction whose connection was lost, whatever its code goes on to do', async () => {
  await database.sql.query('create table kept (id int)', []);
  const insert = (id: number) => sql`insert into kept values (${id})`;
  const stubborn = transact(app, async (inner) => {
    await inner.db.execute(insert(1));
    await inner.db.execute(sql`select pg_sleep(4) as doomed`).catch(() => undefined);
    await inner.db.execute(insert(2)).catch(() => undefined);
    await transact(inner, (nested) => nested.db.execute(insert(3))).catch(() => undefined);
    return 'done';
  });
  const failed = isUnavailable(stubborn);
  await killBackendsRunning('doomed');
  // As many at once as there are connections beside the lost one: in a longer line a slow machine turns some away.
  const neighbours = async (first: number) => {
    for (let id = first; id < first + 10; id += 1) await transact(app, (inner) => inner.db.execute(insert(id)));
  };
  await Promise.all([neighbours(100), neighbours(200)]);
  expect(await failed).toBe(true);
  expect(await database.sql.query('select min(id) as least, count(*) as count from kept', [])).toEqual([
    { least: 100, count: 20 },
  ]);
});

test('recovers by itself when all connections are cut, and loses no later statement', async () => {
  await Promise.all([ask(), ask(), askDrizzle()]);
  await proxy.goDown();
  expect(await isUnavailable(ask())).toBe(true);
  expect(await isUnavailable(askDrizzle())).toBe(true);
  expect(await isUnavailable(transact(app, (inner) => inner.db.execute(sql`select 1`)))).toBe(true);
  expect(await database.isReady()).toBe(false);
  await proxy.comeUp();
  await expect.poll(() => database.isReady(), { timeout: 5_000 }).toBe(true);
  expect(await askDrizzle()).toHaveLength(1);
});

test('fails every one of many waiting callers at once while the server is gone', async () => {
  await proxy.goDown();
  const answers = await Promise.all(Array.from({ length: 500 }, () => isUnavailable(ask())));
  expect(new Set(answers)).toEqual(new Set([true]));
});

test.each([
  ['takes connections and says nothing', () => proxy.freeze(), () => proxy.thaw()],
  ['takes connections and closes them', () => proxy.hangUp(true), () => proxy.hangUp(false)],
])('does not hang on a server that %s, and recovers', async (_, fail, heal) => {
  await Promise.all([ask(), askDrizzle()]);
  fail();
  const answers = Promise.all([ask(), ask(), ask(), askDrizzle(), askDrizzle()].map(isUnavailable));
  expect(await answers).toEqual([true, true, true, true, true]);
  expect(await database.isReady()).toBe(false);
  heal();
  await expect.poll(() => database.isReady(), { timeout: 5_000 }).toBe(true);
  await expect.poll(() => isUnavailable(askDrizzle()), { timeout: 5_000 }).toBe('it worked');
});

test('ends a transaction whose connection falls silent', async () => {
  const stuck = transact(app, async (inner) => {
    await inner.db.execute(sql`select 1`);
    proxy.freeze();
    await inner.db.execute(sql`select 2`);
  });
  expect(await isUnavailable(stuck)).toBe(true);
});

test('refuses after a bounded wait when every connection is taken, and stays ready', async () => {
  const held = Array.from({ length: 3 }, () => transact(app, (inner) => inner.db.execute(sql`select pg_sleep(1)`)));
  const waiting = askDrizzle().catch((error: unknown) => error);
  expect(await database.isReady()).toBe(true);
  expect(isDatabaseUnavailable(await waiting)).toBe(true);
  await Promise.all(held);
  expect(await askDrizzle()).toHaveLength(1);
});

test('calls a statement that runs too long, or waits too long for a lock, the database being unavailable', async () => {
  await database.sql.query('create table locked (id int)', []);
  const impatient = async (setting: string, statement: string) =>
    transact(app, async (inner) => {
      await inner.db.execute(sql.raw(`set local ${setting} = 50`));
      await inner.db.execute(sql.raw(statement));
    });
  expect(await isUnavailable(impatient('statement_timeout', 'select pg_sleep(4)'))).toBe(true);
  await transact(app, async (holder) => {
    await holder.db.execute(sql`lock table locked`);
    // On a pool of its own, for the guard sees this test's transaction.
    const other = await openPostgres(config, { log: silentLog, timings: QUICK });
    const blocked = other.db.transaction(async (tx) => {
      await tx.execute(sql`set local lock_timeout = 50`);
      await tx.execute(sql`select * from locked`);
    });
    expect(await isUnavailable(blocked)).toBe(true);
    await other.close();
  });
});

test('sets the limits on every connection', async () => {
  const limits = `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
    current_setting('idle_in_transaction_session_timeout') as idle, current_setting('application_name') as name`;
  const expected = { statement: '5s', lock: '2s', idle: '10s', name: 'credence' };
  expect(await database.sql.query(limits, [])).toEqual([expected]);
  expect(await database.db.execute(sql.raw(limits))).toEqual([expected]);
});

test('brings two transactions that lock each other out both to their end', async () => {
  await database.sql.query('create table pair (id int primary key, visits int not null default 0)', []);
  await database.sql.query('insert into pair (id) values (1), (2)', []);
  const visit = (id: number) => sql`update pair set visits = visits + 1 where id = ${id}`;
  let first = 0;
  let bothHoldOne = () => {};
  const meeting = new Promise<void>((resolve) => {
    bothHoldOne = resolve;
  });
  const crossing = (from: number, to: number) =>
    transact(app, async (inner) => {
      await inner.db.execute(visit(from));
      first += 1;
      if (first >= 2) bothHoldOne();
      await meeting;
      await inner.db.execute(visit(to));
    });
  await Promise.all([crossing(1, 2), crossing(2, 1)]);
  expect(first).toBe(3);
  expect(await database.sql.query('select visits from pair', [])).toEqual([{ visits: 2 }, { visits: 2 }]);
});

test.each([
  [
    'its backend is killed',
    () =>
      database.sql.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and (query like 'listen %' or query = 'select 1')`,
        [],
      ),
    () => undefined,
  ],
  ['its connection falls silent', () => proxy.freeze(), () => proxy.thaw()],
])('says that it no longer listens when %s, and listens again', async (_, fail, heal) => {
  const lives: boolean[] = [];
  const heard: string[] = [];
  await database.listen(
    'news',
    (payload) => heard.push(payload),
    (live) => lives.push(live),
  );
  await fail();
  await expect.poll(() => lives.includes(false), { timeout: 5_000 }).toBe(true);
  heal();
  await expect.poll(() => lives.at(-1), { timeout: 5_000 }).toBe(true);
  await expect
    .poll(() => isUnavailable(database.sql.query(`select pg_notify('news', 'again')`, [])), { timeout: 5_000 })
    .toBe('it worked');
  await expect.poll(() => heard.at(-1)).toBe('again');
});

test('waits at the start for a server that comes up later', async () => {
  await proxy.goDown();
  const opening = openPostgres({ ...config, url: proxy.url }, { log: silentLog, timings: QUICK });
  await proxy.comeUp();
  const late = await opening;
  expect(await late.isReady()).toBe(true);
  await late.close();
});

test('gives up on a server that does not come, in one sentence without the password', async () => {
  await proxy.goDown();
  const url = proxy.url.replace('://', '://someone:very-secret@').replace('@postgres@', '@');
  const error = await openPostgres({ ...config, url }, { log: silentLog, timings: QUICK }).catch(String);
  expect(error).toMatch(
    /^DatabaseRefusal: PostgreSQL at 127\.0\.0\.1:\d+\/\w+ did not answer for 2 seconds: .*ECONNREFUSED/,
  );
  expect(error).not.toContain('very-secret');
  expect(error).not.toContain('\n');
});

test('refuses at once a database that does not exist', async () => {
  const url = databaseUrl(findPostgresServer() ?? '', 'credence_no_such_database');
  await expect(openPostgres({ ...config, url }, { log: silentLog })).rejects.toThrow(
    /\/credence_no_such_database refused: database "credence_no_such_database" does not exist\.$/,
  );
});
