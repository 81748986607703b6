import { type Db as BossDatabase, PgBoss } from 'pg-boss';
import type { App } from './context.js';
import type { Database } from './database.js';

/**
 * Work that runs by itself, on a schedule kept in the database (pg-boss, schema `pgboss`): each job once over all
 * instances, whichever is alive. A job that fails is tried again; one whose process died is given to another after about
 * a minute. So a job must bear to be run twice, and to be cut off.
 */
export interface Job {
  /** `verb-noun`; never renamed, for what is in the queue is found by it. */
  readonly name: string;
  /** Five fields, in UTC. What falls due while no instance runs is skipped until it is due again. */
  readonly cron: string;
  /** How long a run is remembered that has ended; a day unless set. Longer for what runs daily. */
  readonly keepSeconds?: number;
  /** A check answers what it found, which is remembered with the run. */
  run(app: App): Promise<unknown>;
}

export interface Queue {
  /** Runs a job as soon as an instance is free, unless it waits or runs already. */
  enqueue(name: string): Promise<void>;
  /** Takes no more jobs and waits for those that run, up to five seconds; the others are tried again elsewhere. */
  stop(): Promise<void>;
}

export interface QueueTimings {
  readonly pollSeconds: number;
  readonly retrySeconds: number;
  /** A living worker says so twice as often; one that does not for so long is taken for dead. 10 at least. */
  readonly heartbeatSeconds: number;
}

export const QUEUE_TIMINGS: QueueTimings = { pollSeconds: 15, retrySeconds: 30, heartbeatSeconds: 30 };
const STOP_MS = 5_000;
const RETRIES = 5;
const LONGEST_RETRY_SECONDS = 900;
const LONGEST_RUN_SECONDS = 3_600;
const KEEP_SECONDS = 86_400;

/**
 * Starts to take jobs, after bringing pg-boss's own tables up to date (alone among all instances). May take most of a
 * second on a database that has none yet: not to be waited for before a port is opened.
 */
export async function startQueue(app: App, options: { jobs: readonly Job[]; timings?: QueueTimings }): Promise<Queue> {
  const { jobs, timings = QUEUE_TIMINGS } = options;
  const boss = new PgBoss({
    db: sqlFor(app.database),
    backend: app.database.kind,
    schema: 'pgboss',
    superviseIntervalSeconds: timings.heartbeatSeconds,
    cronMonitorIntervalSeconds: Math.ceil(2 * timings.pollSeconds),
    cronWorkerIntervalSeconds: Math.ceil(timings.pollSeconds),
    // Of no use here, and each costs statements all the time: chains of jobs, and care for tables with millions of rows.
    flowIntervalSeconds: 3_600,
    reindex: false,
    monitorVacuum: false,
  });
  boss.on('error', (error) => app.log.warn({ err: error }, 'the job queue had a problem'));
  try {
    await boss.start();
    await prepareQueues(boss, { jobs, timings });
    app.metrics.jobSeconds.allow(jobs.map(({ name }) => name));
    for (const job of jobs) await work(app, { boss, job, timings });
  } catch (error) {
    await boss.stop({ graceful: false }).catch(() => undefined);
    throw error;
  }
  return {
    async enqueue(name) {
      await boss.send(name);
    },
    stop: () => boss.stop({ graceful: true, timeout: STOP_MS }),
  };
}

/** Creates what is missing, sets what may have changed since, and forgets schedules of jobs that are no more. */
async function prepareQueues(
  boss: PgBoss,
  { jobs, timings }: { jobs: readonly Job[]; timings: QueueTimings },
): Promise<void> {
  const existing = new Set((await boss.getQueues()).map(({ name }) => name));
  const settings = {
    retryLimit: RETRIES,
    retryDelay: timings.retrySeconds,
    retryBackoff: true,
    retryDelayMax: Math.max(LONGEST_RETRY_SECONDS, timings.retrySeconds),
    expireInSeconds: LONGEST_RUN_SECONDS,
    heartbeatSeconds: timings.heartbeatSeconds,
  };
  for (const { name, cron, keepSeconds = KEEP_SECONDS } of jobs) {
    const own = { ...settings, deleteAfterSeconds: keepSeconds };
    // `exclusive`: one that waits, runs or will be tried again keeps a second one out.
    if (existing.has(name)) await boss.updateQueue(name, own);
    else await boss.createQueue(name, { ...own, policy: 'exclusive' });
    await boss.schedule(name, cron);
  }
  const names = new Set(jobs.map(({ name }) => name));
  for (const { name } of await boss.getSchedules()) if (!names.has(name)) await boss.unschedule(name);
}

async function work(
  app: App,
  { boss, job, timings }: { boss: PgBoss; job: Job; timings: QueueTimings },
): Promise<void> {
  const { name: label } = job;
  await boss.work(label, { pollingIntervalSeconds: timings.pollSeconds }, async () => {
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1_000;
    let answer: unknown;
    try {
      answer = await traced(app, job);
    } catch (error) {
      app.metrics.jobs.add('failed');
      app.metrics.jobSeconds.add(label, seconds());
      app.log.error({ err: error, job: label }, 'a job failed');
      // pg-boss keeps what is thrown, and a driver's error holds SQL and parameters.
      throw new Error('See the log.');
    }
    app.metrics.jobs.add('done');
    app.metrics.jobSeconds.add(label, seconds());
    app.log.debug({ job: label, durationMs: Math.round(1_000 * seconds()) }, 'a job is done');
    return verdictOf(answer);
  });
}

function traced(app: App, job: Job): Promise<unknown> {
  if (app.tracing === undefined) return job.run(app);
  return app.tracing.span(`job ${job.name}`, { root: true, attributes: { 'credence.job': job.name } }, () =>
    job.run(app),
  );
}

/** What is kept of a check's answer: whether all was well, and no more. */
function verdictOf(answer: unknown): CheckVerdict | undefined {
  const isVerdict = typeof answer === 'object' && answer !== null && 'ok' in answer && typeof answer.ok === 'boolean';
  return isVerdict ? { ok: answer.ok === true } : undefined;
}

export interface CheckVerdict {
  ok: boolean;
}

const SCRIPT = /^\s*BEGIN;([\s\S]*)COMMIT;\s*$/;

/** What pg-boss wants of a database. Its scripts of several statements bring BEGIN and COMMIT, which are ours to say. */
function sqlFor(database: Database): BossDatabase {
  return {
    async executeSql(text, values = []) {
      const script = SCRIPT.exec(text)?.[1];
      if (script !== undefined) return { rows: await database.alone((sql) => sql.query(script, [])) };
      return {
        rows: await database.sql.write(
          text,
          values.map((value) => value ?? null),
        ),
      };
    },
  };
}

export interface JobState {
  name: string;
  /** Waiting to be run, first or again. */
  queued: number;
  /** Of the queued: those that failed before. */
  retrying: number;
  active: number;
  /** Given up within the last day. */
  failed: number;
  lastCompletedAt: Date | null;
  lastFailedAt: Date | null;
  /** Seconds that a run has waited which is due; 0 when none is. */
  oldestDueSeconds: number;
  /** What the last check found that ended; null for jobs that check nothing. */
  ok: boolean | null;
}

/** How each job stands, by name; nothing before the queue was started for the first time. */
export async function jobStates(app: Pick<App, 'sql'>): Promise<JobState[]> {
  const [table] = await app.sql.query<{ found: boolean }>("select to_regclass('pgboss.job') is not null as found", []);
  if (!table?.found) return [];
  return app.sql.query<JobState>(
    `select q.name,
            (count(j.id) filter (where j.state in ('created', 'retry')))::int as queued,
            (count(j.id) filter (where j.state = 'retry'))::int as retrying,
            (count(j.id) filter (where j.state = 'active'))::int as active,
            (count(j.id) filter (where j.state = 'failed'))::int as failed,
            max(j.completed_on) filter (where j.state = 'completed') as "lastCompletedAt",
            max(j.completed_on) filter (where j.state = 'failed') as "lastFailedAt",
            coalesce(greatest(0, extract(epoch from now() - min(j.start_after)
              filter (where j.state in ('created', 'retry')))), 0)::float8 as "oldestDueSeconds",
            (array_agg((j.output ->> 'ok')::boolean order by j.completed_on desc)
              filter (where j.state = 'completed' and j.output ->> 'ok' in ('true', 'false')))[1] as ok
       from pgboss.queue q left join pgboss.job j on j.name = q.name
      where not starts_with(q.name, '__')
      group by q.name order by q.name`,
    [],
  );
}
