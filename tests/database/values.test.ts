import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/core/database.js';
import { createTestDatabase, silentLog, type TestDatabase } from '../support/database.js';

let config: TestDatabase;
let database: Database;

beforeAll(async () => {
  config = await createTestDatabase();
  database = await openDatabase(config, silentLog);
});

afterAll(async () => {
  await database.close();
  await config.dispose();
});

const ID = '018f0000-0000-7000-8000-000000000001';
const one = async (text: string, params: unknown[] = []) => (await database.sql.query(text, params))[0];

test('gives every kind of value the same shape on both drivers', async () => {
  expect(
    await one(`select 9007199254740991::bigint as big, 5 as small, 1.5::float8 as float, 12.50::numeric as exact,
      true as yes, null as nothing, '2026-01-02 03:04:05.678+00'::timestamptz as moment, '${ID}'::uuid as id,
      '{"a": [1, null]}'::jsonb as document, 'text' as text`),
  ).toEqual({
    big: 9007199254740991,
    small: 5,
    float: 1.5,
    exact: '12.50',
    yes: true,
    nothing: null,
    moment: new Date('2026-01-02T03:04:05.678Z'),
    id: ID,
    document: { a: [1, null] },
    text: 'text',
  });
});

test('reads arrays element by element, with NULL as null and the text NULL as text', async () => {
  expect(
    await one(`select array['a', null, 'NULL', '', 'b,"c\\d}', E'two\\nlines']::text[] as texts, array[]::text[] as none,
      array[1, null]::int[] as numbers, array[9007199254740991]::bigint[] as bigs, array['${ID}']::uuid[] as ids,
      array[true, false, null] as flags, array['2026-01-02 03:04:05+00'::timestamptz] as moments`),
  ).toEqual({
    texts: ['a', null, 'NULL', '', 'b,"c\\d}', 'two\nlines'],
    none: [],
    numbers: [1, null],
    bigs: [9007199254740991],
    ids: [ID],
    flags: [true, false, null],
    moments: [new Date('2026-01-02T03:04:05Z')],
  });
});

test('takes parameters of every kind', async () => {
  const texts = ['a', null, 'NULL', '', 'b,"c\\d}', 'two\nlines'];
  const moment = new Date('2026-01-02T03:04:05.678Z');
  const params = [texts, [ID], [1, 2], moment, 9007199254740991, true, null, '{"a":1}', [moment], []];
  expect(
    await one(
      `select $1::text[] as texts, $2::uuid[] as ids, $3::bigint[] as numbers, $4::timestamptz as moment,
       $5::bigint as big, $6::bool as yes, $7::text as nothing, $8::text::jsonb as document,
       $9::timestamptz[] as moments, $10::text[] as none`,
      params,
    ),
  ).toEqual({
    texts,
    ids: [ID],
    numbers: [1, 2],
    moment,
    big: 9007199254740991,
    yes: true,
    nothing: null,
    document: { a: 1 },
    moments: [moment],
    none: [],
  });
});

test('takes the same statement again with other kinds of values', async () => {
  const text = 'select coalesce($1::timestamptz, $2::timestamptz) as moment';
  const moment = new Date('2026-01-02T03:04:05Z');
  expect(await one(text, [null, moment])).toEqual({ moment });
  expect(await one(text, [moment, null])).toEqual({ moment });
});

test('takes dates and arrays in raw drizzle statements, too', async () => {
  const moment = new Date('2026-01-02T03:04:05Z');
  await database.db.execute(sql`create table raw_values (moment timestamptz, texts text[])`);
  await database.db.execute(sql`insert into raw_values values (${moment}, ${sql.param(['a', 'b'])})`);
  expect(await one('select moment, texts from raw_values')).toEqual({ moment, texts: ['a', 'b'] });
});

test('speaks UTC whatever the server thinks', async () => {
  expect(await one("select '2026-01-02'::timestamptz as midnight")).toEqual({
    midnight: new Date('2026-01-02T00:00:00Z'),
  });
});

test('hears what is notified, once it says that it listens, until it is told to stop', async () => {
  const heard: string[] = [];
  const lives: boolean[] = [];
  const stop = await database.listen(
    'some_channel',
    (payload) => heard.push(payload),
    (live) => lives.push(live),
  );
  expect(lives).toEqual([true]);
  const notify = (payload: string) => database.sql.query(`select pg_notify('some_channel', $1)`, [payload]);
  await notify('first');
  await expect.poll(() => heard).toEqual(['first']);
  await stop();
  await notify('second');
  await database.sql.query('select 1', []);
  expect(heard).toEqual(['first']);
});

test('refuses a channel name that is more than a name', async () => {
  await expect(
    database.listen(
      'x"; drop table users; --',
      () => undefined,
      () => undefined,
    ),
  ).rejects.toThrow('channel');
});

test('is ready, and after close it is not', async () => {
  const mine = await createTestDatabase();
  const other = await openDatabase(mine, silentLog);
  expect(await other.isReady()).toBe(true);
  await other.close();
  expect(await other.isReady()).toBe(false);
  await mine.dispose();
});
