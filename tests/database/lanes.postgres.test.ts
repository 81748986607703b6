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
