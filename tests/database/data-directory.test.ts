import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/core/database.js';
import { countPendingMigrations } from '../../src/core/migrations.js';
import { unpackPreparedDatabase } from '../../src/core/prepared-database.js';
import { type Child, compiled, startScript } from '../support/child.js';
import { silentLog } from '../support/database.js';

let empty: Blob;
let folder: string;
let directory: string;
const opened: Database[] = [];
const children: Child[] = [];

beforeAll(async () => {
  const database = await openDatabase({ kind: 'pglite', directory: undefined }, silentLog);
  empty = (await database.dump?.()) ?? new Blob([]);
  await database.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credence-directory-'));
  directory = join(folder, 'database');
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGKILL');
    await child.ended();
  }
  for (const database of opened.splice(0)) await database.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(): Promise<Database> {
  const database = await openDatabase({ kind: 'pglite', directory, loadFrom: empty }, silentLog);
  opened.push(database);
  return database;
}

/** Another process that opens the directory, makes a row, and stays. */
async function openElsewhere(): Promise<Child> {
  await (await open()).close();
  const child = startScript(`
    const { openDatabase } = await import(${JSON.stringify(compiled('core/database.js'))});
    const database = await openDatabase({ kind: 'pglite', directory: ${JSON.stringify(directory)} }, {});
    await database.sql.query('create table if not exists kept (id int)', []);
    await database.sql.query('insert into kept values (1)', []);
    console.log('it is open');
    setInterval(() => {}, 1000);
  `);
  children.push(child);
  await child.says('it is open');
  return child;
}

test('refuses a directory that another process has open, and says which process', async () => {
  const child = await openElsewhere();
  await expect(open()).rejects.toThrow(`${directory} is in use by process ${child.process.pid} on `);
  await expect(open()).rejects.toThrow('or set DATABASE_URL');
});

test('takes the directory over from a process that was killed, with every row it had acknowledged', async () => {
  const child = await openElsewhere();
  child.process.kill('SIGKILL');
  await child.ended();
  expect(existsSync(`${directory}.holder.json`)).toBe(true);
  const database = await open();
  expect(await database.sql.query('select id from kept', [])).toEqual([{ id: 1 }]);
});

test('refuses a second opener in the same process and lets the next one in after close', async () => {
  const first = await open();
  await expect(open()).rejects.toThrow(`in use by process ${process.pid}`);
  await first.sql.query('create table kept (id int)', []);
  await first.close();
  const second = await open();
  expect(await second.sql.query('select id from kept', [])).toEqual([]);
  await second.close();
  expect(existsSync(`${directory}.holder.json`)).toBe(false);
});

test('keeps the files from other users of the machine', async () => {
  await open();
  expect((await stat(directory)).mode & 0o077).toBe(0);
});

test('refuses a directory that has lost a part, and makes nothing new in its place', async () => {
  await (await open()).close();
  await rm(join(directory, 'PG_VERSION'));
  const before = await readdir(directory);
  await expect(open()).rejects.toThrow(`${directory} cannot be opened and may be damaged (PG_VERSION is missing)`);
  expect(await readdir(directory)).toEqual(before);
});

test('says what is wrong with a damaged directory, and what to do', async () => {
  await (await open()).close();
  await rm(join(directory, 'pg_xact'), { recursive: true });
  await expect(open()).rejects.toThrow(
    /may be damaged \(could not access status of transaction \d+\)\..+Put a backup in its place/,
  );
});

test('begins with the database that the build has made, which has all its tables', async () => {
  const database = await openDatabase({ kind: 'pglite', directory, fill: unpackPreparedDatabase }, silentLog);
  opened.push(database);
  expect(await countPendingMigrations(database)).toBe(0);
});

test('takes nothing for a database that is none, and makes it anew the next time', async () => {
  const fill = async (place: string) => {
    await writeFile(join(place, 'half'), '');
    return true;
  };
  await expect(openDatabase({ kind: 'pglite', directory, fill }, silentLog)).rejects.toThrow(
    `No database could be made in ${directory}: what was put there is no database.`,
  );
  expect(await (await open()).isReady()).toBe(true);
  expect(existsSync(join(directory, 'half'))).toBe(false);
});

test('makes the database anew when the process died while making it for the first time', async () => {
  await (await open()).close();
  await rm(join(directory, 'base'), { recursive: true });
  await writeFile(`${directory}.creating`, '');
  const database = await open();
  expect(await database.isReady()).toBe(true);
  expect(existsSync(`${directory}.creating`)).toBe(false);
});
