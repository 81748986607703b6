import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createPostgresDatabase, fillDatabaseDirectory, findPostgresServer } from './database.js';

const root = resolve(import.meta.dirname, '../..');
const LISTENS = /listens on (http:\/\/\S+)/;

export interface ServerProcess {
  url: string;
  /** Just before it was, in milliseconds. */
  startedAt: number;
  /** All it has printed so far. */
  output(): string;
  child: ChildProcess;
  /** Ends it and answers its exit code (null when a signal ended it). */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface GraphqlAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: tests walk answers freely.
  data: any;
  code: string | undefined;
}

/**
 * A place for a whole Credence: its data directory, and an empty PostgreSQL database with TEST_DATABASE_URL. The embedded
 * database is migrated already, which saves seconds, unless `empty` asks for the very first start. `serverUrl` names another
 * PostgreSQL.
 */
export async function createPlace(options: { empty?: boolean; serverUrl?: string } = {}): Promise<{
  env: Record<string, string>;
  dataDir: string;
  dispose(): Promise<void>;
}> {
  const dataDir = await mkdtemp(join(tmpdir(), 'credence-test-'));
  const serverUrl = options.serverUrl ?? findPostgresServer();
  const database = serverUrl ? await createPostgresDatabase({ serverUrl }) : undefined;
  if (!database && !options.empty) await fillDatabaseDirectory(join(dataDir, 'database'));
  return {
    dataDir,
    env: { DATA_DIR: dataDir, ...(database && { DATABASE_URL: database.url }) },
    async dispose() {
      await database?.dispose();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * Starts `node dist/main.js` (or another copy of it, `main`) with this environment and nothing else, without waiting for
 * it; `input` is its standard input.
 */
export function spawnCredence(
  env: Record<string, string>,
  args: string[] = [],
  { main = join(root, 'dist/main.js'), input }: { main?: string; input?: string } = {},
): { child: ChildProcess; output(): string } {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: env.DATA_DIR ?? tmpdir(),
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      RATE_LIMIT_AUTH: '1000000',
      RATE_LIMIT_DEFAULT: '10000000',
      LOG_LEVEL: 'warn',
      ...env,
    },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  let text = '';
  child.stdout?.on('data', (chunk) => (text += chunk));
  child.stderr?.on('data', (chunk) => (text += chunk));
  return { child, output: () => text };
}

/** Starts a server and waits until it says where it listens; throws what it printed when it ends before. */
export async function startCredence(
  env: Record<string, string>,
  options: { main?: string } = {},
): Promise<ServerProcess> {
  const startedAt = Date.now();
  const { child, output } = spawnCredence(env, [], options);
  const url = await new Promise<string>((found, failed) => {
    child.stdout?.on('data', () => {
      const match = LISTENS.exec(output());
      if (match?.[1]) found(match[1]);
    });
    child.once('exit', (code) => failed(new Error(`ended with ${code}:\n${output()}`)));
  });
  return {
    url,
    startedAt,
    child,
    output,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
      return child.exitCode;
    },
  };
}

/** One request; throws when the connection breaks: its outcome is unknown then. */
export async function ask(
  url: string,
  options: { query: string; variables?: object; headers?: Record<string, string> },
): Promise<GraphqlAnswer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...options.headers },
    body: JSON.stringify({ query: options.query, variables: options.variables }),
  });
  const body = (await response.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
  return { data: body.data, code: body.errors?.[0]?.extensions.code };
}
