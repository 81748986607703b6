import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { Redis } from 'ioredis';
import { findFreePort } from './own-postgres.js';

/** A Redis of the test's own, which it may kill, pause and empty. */
export interface OwnRedis {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  flush(): Promise<void>;
}

/** Does not start it: a test may want it away at first. @throws Error where there is no `redis-server`. */
export async function createOwnRedis(): Promise<OwnRedis> {
  const port = await findFreePort();
  const url = `redis://127.0.0.1:${port}`;
  let server: ChildProcess | undefined;
  return {
    url,
    async start() {
      const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      const child = spawn('redis-server', args, { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'ignore'] });
      server = child;
      await new Promise<void>((ready, failed) => {
        child.once('error', () =>
          failed(new Error('There is no redis-server. On Debian: apt-get install redis-server.')),
        );
        child.once('exit', (code) => failed(new Error(`redis-server ended with ${code}.`)));
        child.stdout.on('data', (chunk) => String(chunk).includes('Ready to accept connections') && ready());
      });
    },
    async kill() {
      if (!server || server.exitCode !== null || server.signalCode !== null) return;
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    },
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    async flush() {
      const client = new Redis(url);
      await client.flushall();
      client.disconnect();
    },
  };
}
