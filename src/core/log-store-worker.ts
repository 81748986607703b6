// A thread that keeps log lines in SQLite, started by log-store.ts: what the disk takes its time for, nobody waits for.
// It runs as built and, under the test runner, as it stands here (Node strips the types), so it imports nothing of ours.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

export interface StoreSettings {
  readonly file: string;
  readonly retentionDays: number;
}

/** All that is given must fit; times are milliseconds since 1970. */
export interface LineQuery {
  /** This level or a graver one. */
  readonly level?: number | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly requestId?: string | undefined;
  /** Somewhere in the line, as it is written. */
  readonly text?: string | undefined;
  /** Only lines before this one. */
  readonly after?: readonly [time: number, id: number] | undefined;
}

export interface StoredLine {
  readonly id: number;
  readonly time: number;
  readonly level: number;
  readonly line: string;
}

export type StoreRequest =
  | { readonly kind: 'write'; readonly lines: readonly string[] }
  | { readonly kind: 'find'; readonly id: number; readonly query: LineQuery; readonly limit: number }
  | { readonly kind: 'count'; readonly id: number; readonly query: LineQuery }
  | { readonly kind: 'close' };

export type StoreAnswer =
  | { readonly kind: 'written'; readonly count: number }
  | { readonly kind: 'lost'; readonly count: number; readonly code: string }
  | { readonly kind: 'found'; readonly id: number; readonly value: StoredLine[] | number }
  | { readonly kind: 'failed'; readonly id: number };

const DAY = 86_400_000;
const CLEAN_EVERY_MS = 600_000;
const CLEANED_AT_ONCE = 5_000;
const BUSY_MS = 1_000;
const LEVELS: Record<string, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };

const { file, retentionDays } = workerData as StoreSettings;
// Node says on every start that its SQLite is new; this thread has nothing else to warn of.
process.removeAllListeners('warning');
const sqlite = process.getBuiltinModule('node:sqlite');
/** Warnings and graver: one line in thousands, and the ones that are looked for. SQLite wants the very words in a query. */
const GRAVE = 'level >= 40';

let store: DatabaseSync | undefined;

/** Opened when it is needed and after every failure anew: a file that is gone or locked may be there again. */
function open(): DatabaseSync {
  if (store) return store;
  mkdirSync(dirname(file), { recursive: true });
  closeSync(openSync(file, 'a', 0o600));
  const opened = new sqlite.DatabaseSync(file, { timeout: BUSY_MS });
  try {
    // Lines may be lost when the machine crashes; the file stays whole.
    opened.exec(`
      pragma journal_mode = wal; pragma synchronous = normal;
      create table if not exists lines (
        id integer primary key, time integer not null, level integer not null, request_id text, line text not null);
      create index if not exists lines_time on lines (time);
      create index if not exists lines_request on lines (request_id) where request_id is not null;
      create index if not exists lines_grave on lines (time) where ${GRAVE};
    `);
  } catch (error) {
    opened.close();
    throw error;
  }
  store = opened;
  return opened;
}

function write(lines: readonly string[]): void {
  const opened = open();
  const insert = opened.prepare('insert into lines (time, level, request_id, line) values (?, ?, ?, ?)');
  opened.exec('begin immediate');
  try {
    for (const line of lines) insert.run(...columnsOf(line));
    opened.exec('commit');
  } catch (error) {
    if (opened.isTransaction) opened.exec('rollback');
    throw error;
  }
}

function columnsOf(line: string): SQLInputValue[] {
  const { time, level, requestId } = JSON.parse(line) as Record<string, string>;
  return [Date.parse(time ?? ''), LEVELS[level ?? ''] ?? 30, requestId ?? null, line.trimEnd()];
}

function clean(): void {
  const remove = open().prepare(
    `delete from lines where id in (select id from lines where time < ? order by time limit ${CLEANED_AT_ONCE})`,
  );
  while (remove.run(Date.now() - retentionDays * DAY).changes > 0);
}

function conditionOf(query: LineQuery): { where: string; values: SQLInputValue[] } {
  const { level, from, to, requestId, text, after } = query;
  const parts: [string, ...SQLInputValue[]][] = [['1 = 1']];
  if (level !== undefined) parts.push([level >= 40 ? `${GRAVE} and level >= ?` : 'level >= ?', level]);
  if (from !== undefined) parts.push(['time >= ?', from]);
  if (to !== undefined) parts.push(['time < ?', to]);
  if (requestId !== undefined) parts.push(['request_id = ?', requestId]);
  if (text !== undefined) parts.push(['instr(line, ?) > 0', text]);
  if (after !== undefined) parts.push(['(time, id) < (?, ?)', ...after]);
  return { where: parts.map(([sql]) => sql).join(' and '), values: parts.flatMap(([, ...values]) => values) };
}

function read(request: Extract<StoreRequest, { kind: 'find' | 'count' }>): StoredLine[] | number {
  const { where, values } = conditionOf(request.query);
  if (request.kind === 'count') {
    return Number(
      open()
        .prepare(`select count(*) as count from lines where ${where}`)
        .get(...values)?.count,
    );
  }
  const text = `select id, time, level, line from lines where ${where} order by time desc, id desc limit ?`;
  return open()
    .prepare(text)
    .all(...values, request.limit) as unknown as StoredLine[];
}

function codeOf(error: unknown): string {
  const { errcode, code } = error as { errcode?: number; code?: string };
  return errcode === undefined ? (code ?? 'unknown') : `SQLITE_${errcode}`;
}

function letGo(): void {
  try {
    store?.close();
  } catch {
    // Whatever is wrong with it shows again when it is opened.
  }
  store = undefined;
}

function answer(request: StoreRequest): StoreAnswer | undefined {
  if (request.kind === 'close') {
    letGo();
    process.exit(0);
  }
  if (request.kind === 'write') {
    try {
      write(request.lines);
      return { kind: 'written', count: request.lines.length };
    } catch (error) {
      letGo();
      return { kind: 'lost', count: request.lines.length, code: codeOf(error) };
    }
  }
  try {
    return { kind: 'found', id: request.id, value: read(request) };
  } catch {
    letGo();
    return { kind: 'failed', id: request.id };
  }
}

function tryCleaning(): void {
  try {
    clean();
  } catch {
    letGo();
  }
}

parentPort?.on('message', (request: StoreRequest) => {
  const said = answer(request);
  if (said) parentPort?.postMessage(said);
});
setInterval(tryCleaning, CLEAN_EVERY_MS);
tryCleaning();
