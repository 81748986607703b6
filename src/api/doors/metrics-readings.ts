import type { App } from '../../core/context.js';
import { packageVersion } from '../../core/package-info.js';
import { type JobState, jobStates } from '../../core/queue.js';
import { measureDisk, measureLatency, measureMemory } from '../../core/vitals.js';
import { readChainState } from '../../modules/audit/chain.service.js';
import { readOutboxState } from '../../modules/mail/outbox.service.js';
import { readStripeEventsState } from '../../modules/payments/stripe-events.service.js';
import { readEventsState } from '../../modules/webhooks/delivery-log.service.js';

/** What is looked at when somebody reads the page, each part by itself: what fails leaves a gap and no more. */
export function readAtScrape(app: App, { isDraining }: { isDraining(): boolean }): void {
  readProcess(app, isDraining);
  readDatabase(app);
  readQueues(app);
  readJobs(app);
}

function readProcess(app: App, isDraining: () => boolean): void {
  const { metrics } = app;
  metrics.watch(
    ['build_info', 'draining', 'hashing_queue_length', 'hashing_workers', 'redis_up', 'memory_limit_bytes'],
    () => {
      const isShared = app.limiter.isShared();
      return {
        build_info: { [packageVersion()]: 1 },
        draining: Number(isDraining()),
        hashing_queue_length: app.passwords.waiting(),
        hashing_workers: app.passwords.workers,
        redis_up: isShared === undefined ? undefined : Number(isShared),
        memory_limit_bytes: measureMemory().limitBytes,
      };
    },
  );
  metrics.watch(['data_disk_free_bytes', 'data_disk_bytes'], async () => {
    const disk = await measureDisk(app);
    return { data_disk_free_bytes: disk?.freeBytes, data_disk_bytes: disk?.totalBytes };
  });
}

function readDatabase(app: App): void {
  const { metrics } = app;
  metrics.watch(['database_up', 'database_latency_seconds'], async () => {
    if (!(await app.database.isReady())) return { database_up: 0 };
    return { database_up: 1, database_latency_seconds: (await measureLatency(app)) / 1_000 };
  });
  metrics.watch(['database_pool_connections', 'database_pool_waiting'], () => {
    const { size, free, waiting } = app.database.load();
    return { database_pool_connections: { used: size - free, free }, database_pool_waiting: waiting };
  });
}

function readQueues(app: App): void {
  const { metrics } = app;
  metrics.watch(['outbox_letters', 'outbox_oldest_letter_seconds'], async () => {
    const { queued, dead, oldestSeconds } = await readOutboxState(app);
    return { outbox_letters: { queued, dead }, outbox_oldest_letter_seconds: oldestSeconds };
  });
  metrics.watch(
    ['outbox_queued_events', 'outbox_failed_events', 'outbox_oldest_event_seconds', 'webhook_endpoints_disabled'],
    async () => {
      const { queued, failed, oldestSeconds, disabledEndpoints } = await readEventsState(app);
      return {
        outbox_queued_events: queued,
        outbox_failed_events: failed,
        outbox_oldest_event_seconds: oldestSeconds,
        webhook_endpoints_disabled: disabledEndpoints,
      };
    },
  );
  metrics.watch(['stripe_events', 'stripe_oldest_event_seconds'], async () => {
    const { pending, dead, oldestSeconds } = await readStripeEventsState(app);
    return { stripe_events: { pending, dead }, stripe_oldest_event_seconds: oldestSeconds };
  });
  metrics.watch(['audit_unlinked_rows', 'audit_oldest_unlinked_seconds'], async () => {
    const { unlinked, oldestSeconds } = await readChainState(app);
    return { audit_unlinked_rows: unlinked, audit_oldest_unlinked_seconds: oldestSeconds };
  });
}

/** The jobs whose answers are verdicts. */
const CHECKS: Record<string, string> = {
  'check-ledger': 'ledger',
  'check-audit-log': 'audit',
  'check-billing': 'billing',
};

/** From the queue in the database, where every instance sees the runs of all. */
function readJobs(app: App): void {
  app.metrics.watch(
    [
      'jobs_queued',
      'jobs_active',
      'jobs_given_up',
      'job_oldest_queued_seconds',
      'job_last_success_timestamp_seconds',
      'check_ok',
      'check_timestamp_seconds',
    ],
    async () => {
      const jobs = await jobStates(app);
      const checks = jobs
        .filter(({ name, ok }) => ok !== null && Object.hasOwn(CHECKS, name))
        .map((job) => ({ ...job, name: CHECKS[job.name] ?? job.name }));
      return {
        jobs_queued: byName(jobs, ({ queued }) => queued),
        jobs_active: byName(jobs, ({ active }) => active),
        jobs_given_up: byName(jobs, ({ failed }) => failed),
        job_oldest_queued_seconds: byName(jobs, ({ oldestDueSeconds }) => oldestDueSeconds),
        job_last_success_timestamp_seconds: byName(jobs, ({ lastCompletedAt }) => unixTime(lastCompletedAt)),
        check_ok: byName(checks, ({ ok }) => Number(ok)),
        check_timestamp_seconds: byName(checks, ({ lastCompletedAt }) => unixTime(lastCompletedAt)),
      };
    },
  );
}

const unixTime = (date: Date | null) => date && date.getTime() / 1_000;

/** Jobs that have no such number yet are left out. */
function byName(jobs: readonly JobState[], read: (job: JobState) => number | null): Record<string, number> {
  return Object.fromEntries(
    jobs.flatMap((job) => {
      const value = read(job);
      return value === null ? [] : [[job.name, value]];
    }),
  );
}
