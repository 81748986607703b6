import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import { DatabaseRefusal } from './database.js';

export interface DataDirectoryLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

/**
 * Takes the directory for this process alone. PGlite itself opens one directory twice without complaint, and then
 * acknowledged rows vanish (SECURITY 1.4).
 *
 * The lock is an exclusive SQLite transaction on an empty file beside the directory: SQLite takes the operating
 * system's own file lock, on every platform, also against a second opener in this very process, and the system drops
 * it when the process ends in whatever way. So there is no stale lock to judge and no process id to trust, which
 * containers that share a volume could not do.
 *
 * Nobody may open and close the lock file by other means in this process: POSIX would drop the lock. Who holds it
 * stands in a second file, for the message alone.
 * @throws DatabaseRefusal when another process has the directory.
 */
export async function lockDataDirectory(directory: string): Promise<DataDirectoryLock> {
  const holderFile = `${directory}.holder.json`;
  const file = openLockFile(`${directory}.lock`);
  try {
    file.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (!isBusy(error)) throw error;
    throw new DatabaseRefusal(`${directory} is in use by ${await describeHolder(holderFile)}. ${ADVICE}`);
  }
  const holder: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  await writeFile(holderFile, `${JSON.stringify(holder)}\n`);
  return {
    async release() {
      if (!file.isOpen) return;
      await rm(holderFile, { force: true });
      file.close();
    },
  };
}

const ADVICE =
  'The embedded database serves one process: stop that one, or give this one another DATA_DIR, or set DATABASE_URL.';

function openLockFile(path: string): DatabaseSync {
  // Looked up at run time: Node.js before 22.13 does not have it, and PostgreSQL does not need it.
  const sqlite = process.getBuiltinModule?.('node:sqlite');
  if (!sqlite) {
    throw new DatabaseRefusal(
      `The embedded database needs Node.js 22.13 or newer (this is ${process.version}). ` +
        'Start with npm, which brings its own Node.js, or set DATABASE_URL to a PostgreSQL server.',
    );
  }
  return new sqlite.DatabaseSync(path, { timeout: PATIENCE_MS });
}

/** Two that come at the same moment may both find the file busy for an instant; without patience both would go. */
const PATIENCE_MS = 500;

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

async function describeHolder(holderFile: string): Promise<string> {
  try {
    const { pid, host, since } = JSON.parse(await readFile(holderFile, 'utf8')) as Holder;
    return `process ${pid} on ${host}, since ${since}`;
  } catch {
    return 'another process';
  }
}
