import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { App } from './context.js';
import { countPendingMigrations } from './migrations.js';

/** How this process is doing: what `/health` and `systemHealth` both tell. */
export interface Vitals {
  /** Delays of the event loop over the last minute at most. */
  loopDelay(): LoopDelay;
  close(): void;
}

export interface LoopDelay {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const WINDOW_MS = 60_000;

export function createVitals(): Vitals {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const renewing = setInterval(() => delay.reset(), WINDOW_MS).unref();
  const milliseconds = (nanoseconds: number) => Math.round(nanoseconds / 1e4) / 100;
  return {
    loopDelay: () => ({
      p50Ms: milliseconds(delay.percentile(50)),
      p99Ms: milliseconds(delay.percentile(99)),
      maxMs: milliseconds(delay.max),
    }),
    close() {
      clearInterval(renewing);
      delay.disable();
    },
  };
}

const DATABASE_MS = 1_000;
/** Longer than this and requests pile up faster than they are answered: load balancers should look elsewhere. */
const LOOP_DELAY_MS = 250;
const PROBE_MS = 10;

export type Check = 'database' | 'migrations' | 'eventLoop';

/** Whether this process can serve: which of its needs are not met. Answers within about two seconds, whatever hangs. */
export async function failedChecks(app: App): Promise<Check[]> {
  const [isLoopFree, failedStorage] = await Promise.all([isLoopResponsive(), failedStorageCheck(app)]);
  return [...(failedStorage ? [failedStorage] : []), ...(isLoopFree ? [] : (['eventLoop'] as const))];
}

async function failedStorageCheck(app: App): Promise<Check | undefined> {
  if (!(await withinLimit(app.database.isReady()))) return 'database';
  const isComplete = countPendingMigrations(app.database).then((pending) => pending === 0);
  return (await withinLimit(isComplete)) ? undefined : 'migrations';
}

async function withinLimit(answer: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, DATABASE_MS, false);
  });
  try {
    return await Promise.race([answer.catch(() => false), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** How late a timer fires right now: a look at this moment, so that one long pause in the past counts no more. */
async function isLoopResponsive(): Promise<boolean> {
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
  return performance.now() - start - PROBE_MS < LOOP_DELAY_MS;
}

export type Level = 'OK' | 'HIGH' | 'CRITICAL';

const HIGH = 0.8;
const CRITICAL = 0.95;

/** From four fifths on somebody should look; above nineteen twentieths it will not last. */
export function levelOf(share: number): Level {
  if (share >= CRITICAL) return 'CRITICAL';
  return share >= HIGH ? 'HIGH' : 'OK';
}

export interface Memory {
  rssBytes: number;
  heapUsedBytes: number;
  heapTotalBytes: number;
  externalBytes: number;
  /** What the process may use: the container's limit, or else all that the machine has. */
  limitBytes: number;
  heapLimitBytes: number;
  /** The worse of process against its limit and heap against its own. */
  level: Level;
}

export function measureMemory(): Memory {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const limitBytes = memoryLimit();
  const heapLimitBytes = getHeapStatistics().heap_size_limit;
  return {
    rssBytes: rss,
    heapUsedBytes: heapUsed,
    heapTotalBytes: heapTotal,
    externalBytes: external,
    limitBytes,
    heapLimitBytes,
    level: levelOf(Math.max(rss / limitBytes, heapUsed / heapLimitBytes)),
  };
}

/** Without a limit the answer is 0, or a number beyond all memory. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

export interface Disk {
  freeBytes: number;
  totalBytes: number;
}

/** Of the data directory; null where it is not there. */
export async function measureDisk(app: App): Promise<Disk | null> {
  try {
    const { bavail, blocks, bsize } = await statfs(app.config.dataDir);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return null;
  }
}

export interface DatabaseVitals {
  kind: App['database']['kind'];
  /** Connections that this process may hold; PGlite has one. */
  connections: number;
}

export function describeDatabase({ config: { database } }: App): DatabaseVitals {
  return { kind: database.kind, connections: database.kind === 'postgres' ? database.connections : 1 };
}

/** How long the database takes to answer the smallest question, in milliseconds. Rejects as any statement does. */
export async function measureLatency(app: App): Promise<number> {
  const start = performance.now();
  await app.sql.query('select 1', []);
  return Math.round((performance.now() - start) * 100) / 100;
}
