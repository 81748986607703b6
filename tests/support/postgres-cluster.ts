import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, isRoot, sharedDirectory } from './programs.js';

const BASE = '/usr/lib/postgresql';
const run = promisify(execFile);

/** Where PostgreSQL's own programs are, newest version first; undefined where only a client is installed. */
export function findServerPrograms(): string | undefined {
  const versions = existsSync(BASE) ? readdirSync(BASE).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(BASE, version, 'bin')).find((place) => existsSync(join(place, 'initdb')));
}

export interface Server {
  /** Of its database `postgres`. */
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface Cluster {
  readonly primary: Server;
  readonly replica: Server;
  close(): Promise<void>;
}

/** A PostgreSQL of our own with a streaming replica, as Debian's programs make them; PostgreSQL refuses to run as root. */
export async function createCluster(): Promise<Cluster> {
  const programs = findServerPrograms() ?? '';
  const directory = await sharedDirectory();
  await chmod(directory, 0o777);
  const as = (program: string, args: string[]) => {
    const command = [join(programs, program), ...args];
    return isRoot ? run('runuser', ['-u', 'postgres', '--', ...command]) : run(command[0] ?? '', command.slice(1));
  };

  async function serve(name: string): Promise<Server> {
    const [data, port] = [join(directory, name), await freePort()];
    const settings = [
      '-p',
      port,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      "unix_socket_directories=''",
      '-c',
      'fsync=off',
    ];
    const control = (...args: string[]) => as('pg_ctl', ['-D', data, '-w', ...args]);
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      start: async () => void (await control('-l', join(directory, `${name}.log`), '-o', settings.join(' '), 'start')),
      stop: async () => void (await control('-m', 'immediate', 'stop')),
    };
  }

  const [primary, replica] = await Promise.all([serve('primary'), serve('replica')]);
  await as('initdb', ['-D', join(directory, 'primary'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']);
  await primary.start();
  // -R: it becomes a standby that follows the server it was copied from.
  const copy = ['-d', primary.url, '-D', join(directory, 'replica'), '-R', '-X', 'stream', '-c', 'fast', '--no-sync'];
  await as('pg_basebackup', copy);
  await replica.start();
  return {
    primary,
    replica,
    async close() {
      await Promise.allSettled([replica.stop(), primary.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
