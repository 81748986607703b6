import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';

/** A PostgreSQL of the test's own, which it may kill, pause and fill. */
export interface OwnPostgres {
  readonly url: string;
  readonly dataDir: string;
  start(): Promise<void>;
  /** Ends every process of it at once, as the kernel does when memory is short. Nothing is written any more. */
  kill(): Promise<void>;
  /** Its processes keep their connections and do nothing. */
  pause(): void;
  resume(): void;
  dispose(): Promise<void>;
}

const BINARIES = '/usr/lib/postgresql';

function findBinaries(): string {
  const versions = existsSync(BINARIES) ? readdirSync(BINARIES).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => join(BINARIES, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
  if (!found) throw new Error(`No PostgreSQL in ${BINARIES}. On Debian: apt-get install postgresql.`);
  return found;
}

/** PostgreSQL does not run as root: as the user that Debian's package made, then. */
function findOwner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

/** The processes that this one has started: PostgreSQL's, one a connection, which outlive a SIGKILL of their parent. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
        return Number(parent) === pid ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

async function answers(url: string): Promise<boolean> {
  const client = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => undefined });
  try {
    await client`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await client.end({ timeout: 1 }).catch(() => undefined);
  }
}

/** @param settings as after `-c`: `max_connections=20` */
export async function startOwnPostgres(settings: readonly string[] = []): Promise<OwnPostgres> {
  const [bin, owner, port] = [findBinaries(), findOwner(), await findFreePort()];
  const place = mkdtempSync(join(tmpdir(), 'credence-postgres-'));
  const data = join(place, 'data');
  mkdirSync(data);
  for (const folder of [place, data])
    if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...owner,
    stdio: 'ignore',
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const usual = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
  const args = [...usual, 'max_connections=100', ...settings].flatMap((setting) => ['-c', setting]);
  let server: ChildProcess | undefined;
  let all: number[] = [];

  async function start(): Promise<void> {
    const child = spawn(join(bin, 'postgres'), ['-D', data, ...args], {
      ...owner,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => (said = `${said}${chunk}`.slice(-4_000)));
    server = child;
    while (!(await answers(url))) if (child.exitCode !== null) throw new Error(`PostgreSQL ended:\n${said}`);
  }
  const everyProcess = () => (server?.pid === undefined ? [] : [server.pid, ...childrenOf(server.pid)]);
  async function kill(): Promise<void> {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    // The parent first, so that it starts nothing anew.
    for (const pid of everyProcess()) signal(pid, 'SIGKILL');
    await ended;
  }
  await start();
  return {
    url,
    dataDir: data,
    start,
    kill,
    pause() {
      all = everyProcess();
      for (const pid of all) signal(pid, 'SIGSTOP');
    },
    resume() {
      for (const pid of all) signal(pid, 'SIGCONT');
    },
    async dispose() {
      await kill();
      await rm(place, { recursive: true, force: true });
    },
  };
}
