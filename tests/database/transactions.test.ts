import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { App } from '../../src/core/context.js';
import {
  type Database,
  isDatabaseUnavailable,
  isUniqueViolation,
  openDatabase,
  transact,
} from '../../src/core/database.js';
import { createTestDatabase, silentLog, type TestDatabase } from '../support/database.js';

let config: TestDatabase;
let database: Database;
/** As much of an app as transactions look at. */
let app: App;

beforeAll(async () => {
  config = await createTestDatabase();
  database = await openDatabase(config, silentLog);
  app = { db: database.db, sql: database.sql } as App;
  await database.sql.query('create table things (id int primary key, note text)', []);
});

afterEach(async () => {
  await database.sql.query('delete from things', []);
});

afterAll(async () => {
  await database.close();
  await config.dispose();
});

const insert = (id: number) => sql`insert into things (id) values (${id})`;
const ids = async () =>
  (await database.sql.query<{ id: number }>('select id from things order by id', [])).map(({ id }) => id);
/** What the error is about, under the covers that Drizzle puts over it. */
const rootOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error ? rootOf(error.cause) : String(error);
const failure = (work: Promise<unknown>) => work.then(() => 'nothing failed', rootOf);

const OUTER = 'was used inside a transaction';

test('refuses the outer drizzle handle inside a transaction at once, and rolls back', async () => {
  const work = transact(app, async (inner) => {
    await inner.db.execute(insert(1));
    await app.db.execute(insert(2));
  });
  expect(await failure(work)).toContain(OUTER);
  expect(await ids()).toEqual([]);
});

test('refuses the prepared lane inside a transaction, the outer one and the one handed in', async () => {
  for (const lane of ['query', 'write'] as const) {
    const outside = await failure(transact(app, () => app.sql[lane]('select 1', [])));
    expect(outside).toContain(OUTER);
    expect(await failure(transact(app, (inner) => inner.sql[lane]('select 1', [])))).toContain(
      'not part of the transaction',
    );
  }
});

test('refuses a transaction of its own inside a transaction', async () => {
  expect(await failure(transact(app, () => transact(app, async () => undefined)))).toContain(OUTER);
});

test('lets work that outlives a transaction use the outer handle', async () => {
  let release = () => {};
  const ended = new Promise<void>((resolve) => {
    release = resolve;
  });
  let leftBehind: Promise<unknown> = Promise.resolve();
  await transact(app, async () => {
    leftBehind = ended.then(() => app.sql.query('select 1', []));
  });
  release();
  expect(await leftBehind).toHaveLength(1);
});

test('answers after the commit, and rolls everything back on any error', async () => {
  await transact(app, (inner) => inner.db.execute(insert(1)));
  expect(await ids()).toEqual([1]);
  const failing = transact(app, async (inner) => {
    await inner.db.execute(insert(2));
    throw new Error('on second thought');
  });
  await expect(failing).rejects.toThrow('on second thought');
  expect(await ids()).toEqual([1]);
});

test('makes a nested transaction a savepoint: it can fail alone', async () => {
  await transact(app, async (outer) => {
    await outer.db.execute(insert(1));
    await transact(outer, async (inner) => {
      await inner.db.execute(insert(2));
      await inner.db.execute(insert(1));
    }).catch((error: unknown) => expect(isUniqueViolation(error)).toBe(true));
    await transact(outer, (inner) => inner.db.execute(insert(3)));
  });
  expect(await ids()).toEqual([1, 3]);
});

test('never says that it committed when a failed statement had spoilt the transaction', async () => {
  await database.db.execute(insert(1));
  const spoilt = transact(app, async (inner) => {
    await inner.db.execute(insert(2));
    await inner.db.execute(insert(1)).catch(() => undefined);
  });
  await expect(spoilt).rejects.toThrow();
  expect(await ids()).toEqual([1]);
});

const raise = (state: string) =>
  sql.raw(`do $$ begin raise exception 'made to fail' using errcode = '${state}'; end $$`);

test.each(['40001', '40P01'])('tries again after %s, with nothing left of the failed try', async (state) => {
  let tries = 0;
  await transact(app, async (inner) => {
    tries += 1;
    await inner.db.execute(insert(tries));
    if (tries < 3) await inner.db.execute(raise(state));
  });
  expect(await ids()).toEqual([3]);
});

test('gives up after three retries, and calls that the database being unavailable', async () => {
  let tries = 0;
  const hopeless = transact(app, async (inner) => {
    tries += 1;
    await inner.db.execute(raise('40001'));
  });
  expect(await hopeless.catch(isDatabaseUnavailable)).toBe(true);
  expect(tries).toBe(4);
});

test('tries again as a whole, not in the nested transaction that met the failure', async () => {
  const tries = { outer: 0, inner: 0 };
  await transact(app, async (outer) => {
    tries.outer += 1;
    await transact(outer, async (inner) => {
      tries.inner += 1;
      if (tries.inner === 1) await inner.db.execute(raise('40001'));
    });
  });
  expect(tries).toEqual({ outer: 2, inner: 2 });
});

test('does not try again after an error that would come again', async () => {
  let tries = 0;
  const wrong = transact(app, async (inner) => {
    tries += 1;
    await inner.db.execute(insert(1));
    await inner.db.execute(insert(1));
  });
  expect(await wrong.catch((error: unknown) => [isUniqueViolation(error), isDatabaseUnavailable(error)])).toEqual([
    true,
    false,
  ]);
  expect(tries).toBe(1);
});

test('knows a unique violation by its constraint', async () => {
  await database.db.execute(insert(1));
  const error = await database.db.execute(insert(1)).catch((reason: unknown) => reason);
  expect(isUniqueViolation(error)).toBe(true);
  expect(isUniqueViolation(error, 'things_pkey')).toBe(true);
  expect(isUniqueViolation(error, 'another_key')).toBe(false);
  expect(isUniqueViolation(new Error('23505'))).toBe(false);
  const prepared = await database.sql
    .query('insert into things (id) values ($1)', [1])
    .catch((reason: unknown) => reason);
  expect(isUniqueViolation(prepared, 'things_pkey')).toBe(true);
});

test('runs two hundred transactions at once to their end', async () => {
  await Promise.all(Array.from({ length: 200 }, (_, id) => transact(app, (inner) => inner.db.execute(insert(id)))));
  expect(await ids()).toHaveLength(200);
});
