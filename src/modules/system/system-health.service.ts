import type { App } from '../../core/context.js';
import { packageVersion } from '../../core/package-info.js';
import { type JobState, jobStates } from '../../core/queue.js';
import {
  type Check,
  type DatabaseVitals,
  type Disk,
  describeDatabase,
  failedChecks,
  type Level,
  type LoopDelay,
  levelOf,
  type Memory,
  measureDisk,
  measureLatency,
  measureMemory,
} from '../../core/vitals.js';
import { type OutboxState, readOutboxState } from '../mail/outbox.service.js';
import { readStripeEventsState, type StripeEventsState } from '../payments/stripe-events.service.js';
import { type EventsState, readEventsState } from '../webhooks/delivery-log.service.js';

export type Problem =
  | 'DATABASE'
  | 'MIGRATIONS'
  | 'EVENT_LOOP'
  | 'REDIS'
  | 'MEMORY'
  | 'DISK'
  | 'LETTERS'
  | 'EVENTS'
  | 'PAYMENTS'
  | 'HASHING'
  | 'JOBS';

export interface SystemHealth {
  problems: Problem[];
  checkedAt: Date;
  version: string;
  uptimeSeconds: number;
  database: DatabaseVitals & { latencyMs: number | null; freeConnections: number; waiting: number };
  redis: 'NOT_CONFIGURED' | 'ANSWERS' | 'SILENT';
  memory: Memory;
  eventLoop: LoopDelay;
  disk: (Disk & { level: Level }) | null;
  letters: OutboxState | null;
  events: EventsState | null;
  payments: StripeEventsState | null;
  hashing: { waiting: number };
  jobs: JobState[] | null;
}

const PROBLEM_OF: Record<Check, Problem> = {
  database: 'DATABASE',
  migrations: 'MIGRATIONS',
  eventLoop: 'EVENT_LOOP',
};

const LETTER_WAITS_SECONDS = 300;
const EVENT_WAITS_SECONDS = 300;
const PAYMENT_EVENT_WAITS_SECONDS = 900;
/** Half of the line: beyond all of it callers are sent away (core/passwords). */
const MANY_HASHES = 32;

/** How this instance is doing. Never fails for what it measures: what does not answer is a problem on the list. */
export async function systemHealth(app: App): Promise<SystemHealth> {
  // First by itself: what is measured beside it would be measured, too.
  const latencyMs = await measureLatency(app).catch(() => null);
  const failed = await failedChecks(app);
  const [disk, letters, events, payments, jobs] = await Promise.all([
    measureDisk(app),
    readOutboxState(app).catch(() => null),
    readEventsState(app).catch(() => null),
    readStripeEventsState(app).catch(() => null),
    jobStates(app).catch(() => null),
  ]);
  const { free, waiting } = app.database.load();
  const measured = {
    checkedAt: app.now(),
    version: packageVersion(),
    uptimeSeconds: Math.floor(process.uptime()),
    database: { ...describeDatabase(app), latencyMs, freeConnections: free, waiting },
    redis: redisState(app),
    memory: measureMemory(),
    eventLoop: app.vitals.loopDelay(),
    disk: disk && { ...disk, level: levelOf(1 - disk.freeBytes / disk.totalBytes) },
    letters,
    events,
    payments,
    hashing: { waiting: app.passwords.waiting() },
    jobs,
  };
  return { ...measured, problems: [...failed.map((check) => PROBLEM_OF[check]), ...problemsOf(measured)] };
}

function redisState(app: App): SystemHealth['redis'] {
  const isShared = app.limiter.isShared();
  if (isShared === undefined) return 'NOT_CONFIGURED';
  return isShared ? 'ANSWERS' : 'SILENT';
}

/** Given up, and no run since has gone well. */
function isFailing({ lastFailedAt, lastCompletedAt }: JobState): boolean {
  return lastFailedAt !== null && (lastCompletedAt === null || lastFailedAt > lastCompletedAt);
}

function problemsOf(measured: Omit<SystemHealth, 'problems'>): Problem[] {
  const { redis, memory, disk, letters, events, payments, hashing, jobs } = measured;
  const signs: [Problem, boolean][] = [
    ['REDIS', redis === 'SILENT'],
    ['MEMORY', memory.level !== 'OK'],
    ['DISK', disk !== null && disk.level !== 'OK'],
    ['LETTERS', letters !== null && letters.oldestSeconds > LETTER_WAITS_SECONDS],
    ['EVENTS', events !== null && (events.oldestSeconds > EVENT_WAITS_SECONDS || events.disabledEndpoints > 0)],
    ['PAYMENTS', payments !== null && (payments.dead > 0 || payments.oldestSeconds > PAYMENT_EVENT_WAITS_SECONDS)],
    ['HASHING', hashing.waiting > MANY_HASHES],
    ['JOBS', (jobs ?? []).some(isFailing)],
  ];
  return signs.filter(([, isTrue]) => isTrue).map(([problem]) => problem);
}
