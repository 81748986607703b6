import { type ChildProcess, execFile, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { environmentWith } from '../core/config.js';
import type { Database } from '../core/database.js';
import { CommandRefusal } from './failure.js';

type Tool = 'pg_dump' | 'pg_restore' | 'psql';

/** Parameters of a URL that libpq knows as well; others are for our own driver. */
const LIBPQ_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'application_name', 'options'];

/** The URL without its password, which goes by the environment: arguments can be read by everybody on the machine. */
function connectionOf(databaseUrl: string): { url: string; env: NodeJS.ProcessEnv } {
  const url = new URL(databaseUrl);
  const password = decodeURIComponent(url.password);
  url.password = '';
  for (const name of [...url.searchParams.keys()]) if (!LIBPQ_PARAMETERS.includes(name)) url.searchParams.delete(name);
  return { url: url.href, env: environmentWith(password === '' ? {} : { PGPASSWORD: password }) };
}

/**
 * The tools are there, and not older than the server: an older pg_dump does not know all that the server may hold.
 * @throws CommandRefusal with what to install
 */
export async function requireTools(database: Database, tools: readonly Tool[]): Promise<void> {
  const [row] = await database.sql.query<{ major: number }>(
    "select current_setting('server_version_num')::int / 10000 as major",
    [],
  );
  const server = row?.major ?? 0;
  for (const tool of tools) {
    const major = await majorOf(tool);
    if (major !== undefined && major >= server) continue;
    const what =
      major === undefined ? `${tool} is not installed` : `${tool} is of version ${major}, the server of ${server}`;
    throw new CommandRefusal(
      'TOOLS_MISSING',
      `${what}: install the client programs of PostgreSQL ${server} (on Debian: apt-get install postgresql-client-${server}).`,
    );
  }
}

async function majorOf(tool: Tool): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)(tool, ['--version']);
    return Number(/\) (\d+)/.exec(stdout)?.[1]);
  } catch {
    return undefined;
  }
}

/** What pg_dump writes, in its custom format: schema and rows, without owners and rights, as of one moment. */
export async function* dumpPostgres(databaseUrl: string): AsyncGenerator<Uint8Array> {
  const { url, env } = connectionOf(databaseUrl);
  const args = ['--format=custom', '--no-owner', '--no-privileges', '--no-comments', `--dbname=${url}`];
  const child = spawn('pg_dump', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = endOf('pg_dump', child);
  yield* child.stdout as AsyncIterable<Uint8Array>;
  await ended;
}

/**
 * Puts the dump in the place of all tables, in one transaction: either all of it is there afterwards, or everything is
 * as it was.
 */
export async function restorePostgres(databaseUrl: string, dump: Readable): Promise<void> {
  const { url, env } = connectionOf(databaseUrl);
  const script = spawn('pg_restore', ['--no-owner', '--no-privileges', '--no-comments', '--file=-'], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const args = ['--no-psqlrc', '--quiet', '--single-transaction', '--set=ON_ERROR_STOP=1', `--dbname=${url}`];
  // Whatever is there now goes within the same transaction, extensions included: the dump brings them again.
  const clear = 'drop schema if exists pgboss cascade; drop schema if exists public cascade; create schema public;';
  const session = spawn('psql', [...args, `--command=${clear}`, '--file=-'], {
    env,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const ends = Promise.all([endOf('pg_restore', script), endOf('psql', session)]);
  // The end of a program is what says why it ended; a broken pipe only says that it did.
  const flows = [pipeline(dump, script.stdin), pipeline(script.stdout, session.stdin)];
  await Promise.all([ends, ...flows.map((flow) => flow.catch(() => undefined))]);
}

/** Resolves when it ended well. @throws CommandRefusal with its own first complaint, which holds no password */
function endOf(tool: Tool, child: ChildProcess): Promise<void> {
  let complaints = '';
  child.stderr?.on('data', (chunk) => {
    complaints = (complaints + chunk).slice(0, 4_000);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const first = complaints.split('\n').find((line) => /error|fatal/i.test(line)) ?? 'it gave no reason';
      reject(new CommandRefusal('TOOL_FAILED', `${tool} failed: ${first.slice(0, 300)}`));
    });
  });
}
