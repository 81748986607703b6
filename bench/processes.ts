import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A server under test, or a baseline: a child process that prints where it listens. */
export interface Server {
  readonly name: string;
  readonly url: string;
  /** Everything it printed until it listened. */
  readonly printed: string;
  /** Milliseconds from starting the process to its line. */
  readonly startedInMs: number;
  /** Processor seconds it has used so far with all its threads; NaN where /proc is not. */
  cpuSeconds(): number;
  residentMb(): number;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A row that fails leaves nothing behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** What `npm start` gives Node.js before the product's own file. */
export function startFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: { start: string } };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}

/** Starts `node <script>` (a path below the repository's root) and waits for an address in what it prints. */
export async function startServer(
  name: string,
  options: { script: string; env: Record<string, string>; args?: readonly string[] },
): Promise<Server> {
  const startedAt = performance.now();
  const flags = options.args ?? (options.script === 'dist/main.js' ? startFlags() : []);
  const child = spawn(process.execPath, [...flags, options.script], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const { url, printed } = await addressOf(name, child);
  return {
    name,
    url,
    printed,
    startedInMs: performance.now() - startedAt,
    cpuSeconds: () => cpuSecondsOf(child.pid),
    residentMb: () => residentMbOf(child.pid),
    stop: () => stop(child),
  };
}

function addressOf(name: string, child: ChildProcess): Promise<{ url: string; printed: string }> {
  return new Promise((resolve, reject) => {
    let printed = '';
    child.stdout?.on('data', (chunk) => {
      printed += chunk;
      const url = /listens on (http:\/\/\S+)/.exec(printed)?.[1];
      if (url !== undefined) resolve({ url, printed });
    });
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code} before it listened:\n${printed}`)));
    child.on('error', reject);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const deadline = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(deadline);
}

const TICKS_PER_SECOND = 100; // USER_HZ: fixed on Linux

function cpuSecondsOf(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold spaces: state is field 3, utime 14 and stime 15 (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

function residentMbOf(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}
