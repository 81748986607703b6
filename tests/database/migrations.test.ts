import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/core/database.js';
import { listMigrations, type MigrationOptions, migrate, revertMigrations } from '../../src/core/migrations.js';
import { createPostgresDatabase, findPostgresServer, silentLog } from '../support/database.js';

let database: Database;
let dispose = async () => {};
let options: MigrationOptions & { directory: string };

beforeAll(async () => {
  const serverUrl = findPostgresServer();
  if (serverUrl) {
    const config = await createPostgresDatabase({ serverUrl });
    database = await openDatabase(config, silentLog);
    dispose = config.dispose;
  } else {
    database = await openDatabase({ kind: 'pglite', directory: undefined }, silentLog);
  }
});

afterAll(async () => {
  await database.close();
  await dispose();
});

beforeEach(async () => {
  options = { directory: await mkdtemp(join(tmpdir(), 'credence-migrations-')), log: silentLog };
  await mkdir(join(options.directory, 'meta'));
});

afterEach(async () => {
  await database.sql.query('drop schema public cascade', []);
  await database.sql.query('create schema public', []);
  await rm(options.directory, { recursive: true });
});

const write = (file: string, text: string) => writeFile(join(options.directory, file), text);

async function writeJournal(...names: string[]): Promise<void> {
  await write('meta/_journal.json', JSON.stringify({ entries: names.map((tag, idx) => ({ idx, tag })) }));
}

/** Two migrations: a table with a row in it, then a column. */
async function writeTwo(): Promise<void> {
  await write(
    '0000_things.sql',
    'create table things (id int);\n--> statement-breakpoint\ninsert into things values (1);\n',
  );
  await write('0000_things.down.sql', 'drop table things;');
  await write('0001_notes.sql', "alter table things add note text not null default 'none';");
  await write('0001_notes.down.sql', 'alter table things drop note;');
  await writeJournal('0000_things', '0001_notes');
}

const things = () => database.sql.query('select * from things', []);
const names = async () =>
  (await listMigrations(database, options)).map(({ name, appliedAt }) => [name, appliedAt !== null]);

test('applies what is missing, in order and once', async () => {
  await writeTwo();
  expect(await names()).toEqual([
    ['0000_things', false],
    ['0001_notes', false],
  ]);
  expect(await migrate(database, options)).toEqual(['0000_things', '0001_notes']);
  expect(await migrate(database, options)).toEqual([]);
  expect(await things()).toEqual([{ id: 1, note: 'none' }]);
  expect(await names()).toEqual([
    ['0000_things', true],
    ['0001_notes', true],
  ]);
});

test('applies only the new one to a database that has the others', async () => {
  await writeTwo();
  await migrate(database, options);
  await write('0002_more.sql', 'insert into things values (2);');
  await writeJournal('0000_things', '0001_notes', '0002_more');
  expect(await migrate(database, options)).toEqual(['0002_more']);
});

test('goes down by one, by as many as asked for, and up again', async () => {
  await writeTwo();
  await migrate(database, options);
  expect(await revertMigrations(database, { ...options, steps: 1 })).toEqual(['0001_notes']);
  expect(await things()).toEqual([{ id: 1 }]);
  expect(await migrate(database, options)).toEqual(['0001_notes']);
  expect(await revertMigrations(database, { ...options, steps: 9 })).toEqual(['0001_notes', '0000_things']);
  await expect(things()).rejects.toThrow('things');
  expect(await migrate(database, options)).toEqual(['0000_things', '0001_notes']);
});

test('leaves everything as it was when a statement fails, and names file and statement', async () => {
  await writeTwo();
  await write(
    '0001_notes.sql',
    'insert into things values (2);\n--> statement-breakpoint\nalter table nothing add x int;',
  );
  await expect(migrate(database, options)).rejects.toThrow(
    /^Migration 0001_notes\.sql failed at statement 2 \(alter table nothing add x int;\): .*"nothing" does not exist/,
  );
  expect(await things()).toEqual([{ id: 1 }]);
  expect(await names()).toEqual([
    ['0000_things', true],
    ['0001_notes', false],
  ]);
  await writeTwo();
  expect(await migrate(database, options)).toEqual(['0001_notes']);
});

test('leaves everything as it was when a way down fails', async () => {
  await writeTwo();
  await write('0001_notes.down.sql', 'alter table things drop note;\n--> statement-breakpoint\ndrop table nothing;');
  await migrate(database, options);
  await expect(revertMigrations(database, { ...options, steps: 1 })).rejects.toThrow(
    '0001_notes.down.sql failed at statement 2',
  );
  expect(await things()).toEqual([{ id: 1, note: 'none' }]);
  expect(await migrate(database, options)).toEqual([]);
});

test('refuses to go down where there is no way down', async () => {
  await writeTwo();
  await migrate(database, options);
  await rm(join(options.directory, '0001_notes.down.sql'));
  await expect(revertMigrations(database, { ...options, steps: 1 })).rejects.toThrow('0001_notes.down.sql is missing');
});

test('does not mind other line ends', async () => {
  await writeTwo();
  await migrate(database, options);
  await write(
    '0000_things.sql',
    'create table things (id int);\r\n--> statement-breakpoint\r\ninsert into things values (1);\r\n',
  );
  expect(await migrate(database, options)).toEqual([]);
});

/** What may be wrong with the files once they are applied, and the sentence that says so. */
test.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'was edited after it had been applied',
    () => write('0000_things.sql', 'create table things (id bigint);'),
    /^Migration 0000_things\.sql was edited after it had been applied/,
  ],
  [
    'is in the journal without a file',
    () => rm(join(options.directory, '0000_things.sql')),
    /^Migration 0000_things\.sql is in the journal, but the file is missing/,
  ],
  [
    'was applied and is neither in the journal nor a file any more',
    async () => {
      await rm(join(options.directory, '0001_notes.sql'));
      await write('0001_other.sql', 'select 1');
      await writeJournal('0000_things', '0001_other');
    },
    /^Migration 0001_notes\.sql was applied to this database, but the file is missing/,
  ],
  [
    'is unknown to this build',
    async () => {
      await rm(join(options.directory, '0001_notes.sql'));
      await writeJournal('0000_things');
    },
    /^This database has migration 0001_notes\.sql, which this build does not know\. It belongs to a newer version/,
  ],
  [
    'was put before one that is applied',
    async () => {
      await write('0001_between.sql', 'select 1');
      await write('0002_notes.sql', 'select 1');
      await database.sql.query("update credence_migrations set name = '0002_notes' where index = 1", []);
      await rm(join(options.directory, '0001_notes.sql'));
      await writeJournal('0000_things', '0001_between', '0002_notes');
    },
    /^Migration 0001_between\.sql stands before 0002_notes\.sql, which this database has already/,
  ],
  [
    'is a file that the journal does not have',
    () => write('0002_stray.sql', 'select 1'),
    /^Migration 0002_stray\.sql is not in the journal/,
  ],
  [
    'has a number that is taken',
    async () => {
      await write('0001_twin.sql', 'select 1');
      await writeJournal('0000_things', '0001_notes', '0001_twin');
    },
    /^The migrations' journal is out of order at 0001_twin: expected number 2/,
  ],
])('refuses when a migration %s, and changes nothing', async (_, spoil, sentence) => {
  await writeTwo();
  await migrate(database, options);
  const before = await database.sql.query('select index, hash from credence_migrations order by index', []);
  await spoil();
  await expect(migrate(database, options)).rejects.toThrow(sentence);
  await expect(listMigrations(database, options)).rejects.toThrow(sentence);
  await expect(revertMigrations(database, { ...options, steps: 1 })).rejects.toThrow(sentence);
  expect(await database.sql.query('select index, hash from credence_migrations order by index', [])).toEqual(before);
});
