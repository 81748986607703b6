import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PLACES = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'];

/** Where a program of the system is, if it is installed. */
export function findProgram(name: string): string | undefined {
  return PLACES.map((place) => join(place, name)).find((path) => existsSync(path));
}

/** nginx and pgbouncer are Debian packages, not npm's: without them these tests are left out, and say so. */
export function hasPrograms(...names: string[]): boolean {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) process.stderr.write(`left out: ${missing.join(' and ')} must be installed for ${names}\n`);
  return missing.length === 0;
}

export const isRoot = process.getuid?.() === 0;

/** A port that nobody has at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A directory that other users may read, for programs that give root away. */
export async function sharedDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'credence-program-'));
  await chmod(directory, 0o755);
  return directory;
}

/** A file of `deploy/`, with what a test has otherwise; throws when that is not in it (any more). */
export async function deployed(file: string, changes: readonly (readonly [RegExp, string])[]): Promise<string> {
  let text = await readFile(resolve(import.meta.dirname, '../../deploy', file), 'utf8');
  for (const [pattern, replacement] of changes) {
    if (!pattern.test(text)) throw new Error(`${file} has nothing like ${pattern}`);
    text = text.replace(pattern, replacement);
  }
  return text;
}

export interface Program {
  /** Ends it; resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a program that stays in the foreground, and waits until its port answers. */
export async function startProgram(path: string, options: { args: string[]; port: number }): Promise<Program> {
  const child = spawn(path, options.args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const exited = once(child, 'exit');
  while (!(await answers(options.port))) {
    if (child.exitCode !== null) throw new Error(`${path} ended with ${child.exitCode}:\n${output}`);
  }
  return { end: (signal) => end(child, { exited, signal }) };
}

async function end(child: ChildProcess, options: { exited: Promise<unknown>; signal: NodeJS.Signals }): Promise<void> {
  child.kill(options.signal);
  await options.exited;
}

/** Whether a port takes connections; answers after a moment when it does not. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => setTimeout(resolve, 20, false));
  });
  socket.destroy();
  return isOpen;
}

export interface Pgbouncer {
  /** Of the same database, by way of pgbouncer. */
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** `deploy/pgbouncer/pgbouncer.ini` before this database, and nothing else changed than what is asked for. */
export async function startPgbouncer(
  databaseUrl: string,
  changes: readonly (readonly [RegExp, string])[] = [],
): Promise<Pgbouncer> {
  const directory = await sharedDirectory();
  const port = await freePort();
  const { hostname, port: serverPort, pathname, username } = new URL(databaseUrl);
  const server = `host=${hostname} port=${serverPort || 5432} dbname=${pathname.slice(1)}`;
  const ini = join(directory, 'pgbouncer.ini');
  const text = await deployed('pgbouncer/pgbouncer.ini', [
    [/^credence = host=\S+ port=\S+ dbname=\S+/m, `credence = ${server}`],
    [/^listen_port = .*$/m, `listen_port = ${port}`],
    [/^auth_file = .*$/m, `auth_file = ${join(directory, 'userlist.txt')}`],
    [/^pidfile = .*\n/m, ''],
    ...changes,
  ]);
  await writeFile(ini, text);
  await writeFile(join(directory, 'userlist.txt'), `"${username}" "secret"\n`);
  const args = [...(isRoot ? ['-u', 'postgres'] : []), ini];
  let program: Program | undefined;
  const start = async () => {
    program = await startProgram(findProgram('pgbouncer') ?? '', { args, port });
  };
  await start();
  return {
    url: `postgres://${username}:secret@127.0.0.1:${port}/credence`,
    start,
    kill: async () => program?.end('SIGKILL'),
    async close() {
      await program?.end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
