import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LogStore, openLogStore } from '../../src/core/log-store.js';
import { createLogger } from '../../src/core/logger.js';

let directory: string;
let file: string;
const opened: LogStore[] = [];
let dropped: { count: number; code: string }[] = [];
let nextDrop = Promise.withResolvers<void>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credence-logs-'));
  file = join(directory, 'logs.sqlite');
  dropped = [];
  nextDrop = Promise.withResolvers();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await rm(directory, { recursive: true, force: true });
});

function open(retentionDays = 14): LogStore {
  const store = openLogStore({ file, retentionDays }, (count, code) => {
    dropped.push({ count, code });
    nextDrop.resolve();
    nextDrop = Promise.withResolvers();
  });
  opened.push(store);
  return store;
}

const line = (event: string, more: Record<string, unknown> = {}) =>
  `${JSON.stringify({ level: 'info', time: new Date().toISOString(), ...more, msg: event })}\n`;

test('keeps what the logger writes, and finds it by level, time, request and text', async () => {
  const store = open();
  const log = createLogger(
    { level: 'info', pretty: false },
    { destination: { write: () => undefined }, sinks: [store] },
  );
  log.info({ requestId: 'request-one', count: 3 }, 'letters were sent');
  log.error({ requestId: 'request-two', err: new Error('private') }, 'a letter could not be sent');
  const all = await store.find({}, 10);
  expect(all.map(({ level }) => level)).toEqual([50, 30]);
  expect(JSON.parse(all[1]?.line ?? '')).toMatchObject({
    msg: 'letters were sent',
    requestId: 'request-one',
    count: 3,
  });
  expect(await store.find({ level: 40 }, 10)).toEqual([all[0]]);
  expect(await store.find({ requestId: 'request-one' }, 10)).toEqual([all[1]]);
  expect(await store.find({ text: 'could not' }, 10)).toEqual([all[0]]);
  expect(await store.find({ text: '%' }, 10)).toEqual([]);
  expect(await store.find({ after: [all[0]?.time ?? 0, all[0]?.id ?? 0] }, 10)).toEqual([all[1]]);
  expect(await store.find({ to: (all[1]?.time ?? 0) - 1 }, 10)).toEqual([]);
  expect(await store.find({ from: all[1]?.time ?? 0 }, 10)).toEqual(all);
  expect(await store.count({ level: 40 })).toBe(1);
  const counts = [20, 30, 40, 50, 60].map((level) => store.count({ level }));
  expect(await Promise.all(counts)).toEqual([2, 2, 1, 1, 0]);
  expect(JSON.stringify(all)).not.toContain('private');
});

test('keeps its lines over a restart, in a file for its owner only', async () => {
  open().write(line('before'));
  await Promise.all(opened.splice(0).map((store) => store.close()));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await open().count({})).toBe(1);
});

test('forgets what is older than it should keep', async () => {
  const first = open();
  for (const days of [0, 13, 15, 400])
    first.write(line('x', { time: new Date(Date.now() - days * 86_400_000).toISOString() }));
  expect(await first.count({})).toBe(4);
  await Promise.all(opened.splice(0).map((store) => store.close()));
  expect(await open().count({})).toBe(2);
});

test('what is written while somebody else holds the file is dropped and counted, and later lines are kept', async () => {
  const store = open();
  store.write(line('first'));
  expect(await store.count({})).toBe(1);
  const other = new DatabaseSync(file);
  other.exec('begin immediate');
  const drop = nextDrop.promise;
  for (let written = 0; written < 3; written += 1) store.write(line('lost'));
  await drop;
  expect(dropped).toEqual([{ count: 3, code: 'SQLITE_5' }]);
  other.exec('rollback');
  other.close();
  store.write(line('second'));
  expect(await store.count({})).toBe(2);
});

test.each([
  ['damaged', (path: string) => writeFile(path, 'this is no database '.repeat(500))],
  ['a directory', (path: string) => mkdir(path)],
])('a file that is %s loses lines and nothing else', async (_, spoil) => {
  await spoil(file);
  const store = open();
  const drop = nextDrop.promise;
  store.write(line('lost'));
  await drop;
  expect(dropped).toMatchObject([{ count: 1 }]);
  await expect(store.find({}, 1)).rejects.toThrow('cannot be read');
  await rm(file, { recursive: true });
  store.write(line('kept'));
  expect(await store.count({})).toBe(1);
});

test('lines that SQLite refuses are lost, and nothing else', async () => {
  const store = open();
  store.write(line('first'));
  await store.count({});
  const other = new DatabaseSync(file);
  const full = `create trigger full before insert on lines begin select raise(abort, 'database or disk is full'); end`;
  other.exec(full);
  const drop = nextDrop.promise;
  store.write(line('lost'));
  await drop;
  other.exec('drop trigger full');
  other.close();
  store.write(line('second'));
  expect(await store.count({})).toBe(2);
  expect(dropped).toMatchObject([{ count: 1 }]);
});

test('lines that come faster than the disk takes them are dropped beyond a bound, and writing never waits', async () => {
  const store = open();
  const text = line('much');
  for (let written = 0; written < 30_000; written += 1) store.write(text);
  const lost = dropped.reduce((sum, { count }) => sum + count, 0);
  expect(lost).toBe(10_000);
  expect(new Set(dropped.map(({ code }) => code))).toEqual(new Set(['SLOW']));
  expect(await store.count({})).toBe(20_000);
});
