import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../src/core/database.js';
import { createPostgresDatabase, findPostgresServer, silentLog, type TestDatabase } from '../support/database.js';

let made: TestDatabase;
let database: Database;

beforeAll(async () => {
  made = await createPostgresDatabase({ serverUrl: findPostgresServer() ?? '' });
  const { dispose: _, ...config } = made;
  database = await openDatabase(config, silentLog);
});
afterAll(async () => {
  await database.close();
  await made.dispose();
});

it('readers do not stand in line behind what writes', async () => {
  let wrote = false;
  const writing = Array.from({ length: 8 }, () => database.sql.write('select pg_sleep(0.2)', []));
  const written = Promise.all(writing).then(() => {
    wrote = true;
  });
  await Promise.all(Array.from({ length: 20 }, () => database.sql.query('select 1', [])));
  expect(wrote).toBe(false);
  await written;
});

it('a plan that is kept does not read whole tables, however small they were when it was made', async () => {
  await database.db.execute('create table small (key text primary key)');
  await database.db.execute('analyze small');
  const look = () => database.sql.write('select key from small where key = $1', ['key9']);
  for (let time = 0; time < 20; time += 1) await look();
  await database.db.execute(`insert into small select 'key' || n from generate_series(1, 5000) n`);
  for (let time = 0; time < 20; time += 1) await look();
  await Promise.all(Array.from({ length: 20 }, () => database.sql.write('select pg_stat_force_next_flush()', [])));
  const read = `select seq_tup_read::int as rows from pg_stat_user_tables where relname = 'small'`;
  expect(await database.sql.query(read, [])).toEqual([{ rows: 0 }]);
});

const COUNT = 'select count(*)::int as held from pg_stat_activity where datname = current_database()';
const held = async () => (await database.sql.query<{ held: number }>(COUNT, []))[0]?.held ?? 0;

it.each([4, 5, 6, 7, 8, 10])('an instance that may hold %i connections holds no more', async (connections) => {
  const { dispose: _, ...config } = made;
  if (config.kind !== 'postgres') throw new Error('Runs on PostgreSQL only.');
  const before = await held();
  const other = await openDatabase({ ...config, connections }, silentLog);
  const noop = () => undefined;
  await other.listen('lanes', noop, noop);
  const sleep = 'select pg_sleep(0.1)';
  const work = Array.from({ length: 12 }, () => [
    other.sql.query(sleep, []),
    other.sql.write(sleep, []),
    other.db.execute(sleep),
  ]).flat();
  let most = 0;
  let over = false;
  const done = Promise.all(work).finally(() => {
    over = true;
  });
  while (!over) most = Math.max(most, await held());
  await done;
  await other.close();
  expect(most - before).toBe(connections);
});
