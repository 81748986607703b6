import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../../src/core/logger.js';
import { type Job, jobStates, QUEUE_TIMINGS, type Queue, startQueue } from '../../src/core/queue.js';
import { createHarness, type Harness } from '../support/harness.js';

const TIMINGS = { ...QUEUE_TIMINGS, pollSeconds: 0.5, retrySeconds: 1 };
/** Once a year: in these tests nothing runs but what is enqueued. */
const NEVER = '0 0 29 2 *';

let harness: Harness;
let queue: Queue | undefined;
const lines: string[] = [];

beforeEach(async () => {
  lines.length = 0;
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger({ level: 'info', pretty: false }, { destination });
  harness = await createHarness({ overrides: { log } });
});

afterEach(async () => {
  await queue?.stop();
  queue = undefined;
  await harness.close();
});

async function start(...jobs: Job[]): Promise<Queue> {
  queue = await startQueue(harness.app, { jobs, timings: TIMINGS });
  return queue;
}

const stateOf = async (name: string) => (await jobStates(harness.app)).find((state) => state.name === name);

/** What pg-boss says only when asked again. */
async function until(name: string, isSo: (state: NonNullable<Awaited<ReturnType<typeof stateOf>>>) => boolean) {
  for (;;) {
    const state = await stateOf(name);
    if (state && isSo(state)) return state;
    // The embedded database answers without ever letting the timers of this process have a turn.
    await setImmediate();
  }
}

test('there are no states before the queue was ever started', async () => {
  expect(await jobStates(harness.app)).toEqual([]);
});

test('runs what is enqueued, and says how it stands', async () => {
  const ran = Promise.withResolvers<void>();
  const { enqueue } = await start({ name: 'water-plants', cron: NEVER, run: async () => ran.resolve() });
  expect(await stateOf('water-plants')).toMatchObject({ queued: 0, active: 0, failed: 0, lastCompletedAt: null });
  await enqueue('water-plants');
  await ran.promise;
  const state = await until('water-plants', ({ lastCompletedAt }) => lastCompletedAt !== null);
  expect(state).toMatchObject({ queued: 0, active: 0, failed: 0, lastFailedAt: null });
  expect(await harness.app.metrics.text()).toContain('credence_jobs_total{outcome="done"} 1');
});

test('a job that fails is logged, counted, and tried again; what it threw is kept nowhere', async () => {
  const done = Promise.withResolvers<void>();
  let tries = 0;
  const run = async () => {
    tries += 1;
    if (tries === 1) throw new Error('insert into users values (secret-of-a-person)');
    done.resolve();
  };
  const { enqueue } = await start({ name: 'water-plants', cron: NEVER, run });
  await enqueue('water-plants');
  expect(await until('water-plants', ({ retrying }) => retrying === 1)).toMatchObject({ queued: 1 });
  const kept = await harness.app.sql.query<{ text: string }>(
    'select row_to_json(j)::text as text from pgboss.job j',
    [],
  );
  expect(JSON.stringify(kept)).not.toContain('secret-of-a-person');
  await done.promise;
  expect(tries).toBe(2);
  expect(await harness.app.metrics.text()).toContain('credence_jobs_total{outcome="failed"} 1');
  const failures = lines.filter((line) => line.includes('a job failed'));
  expect(failures.map((line) => JSON.parse(line))).toMatchObject([{ level: 'error', job: 'water-plants' }]);
  expect(lines.join('')).not.toContain('secret-of-a-person');
});

test('can be started again on what it left, with other jobs', async () => {
  await start({ name: 'water-plants', cron: NEVER, run: async () => undefined });
  await queue?.stop();
  const ran = Promise.withResolvers<void>();
  const { enqueue } = await start({ name: 'feed-cats', cron: NEVER, run: async () => ran.resolve() });
  await enqueue('feed-cats');
  await ran.promise;
  const schedules = await harness.app.sql.query('select name from pgboss.schedule', []);
  expect(schedules).toEqual([{ name: 'feed-cats' }]);
});

test('what is due by the clock is run without being asked for', async () => {
  const ran = Promise.withResolvers<void>();
  await start({ name: 'every-minute', cron: '* * * * *', run: async () => ran.resolve() });
  await ran.promise;
});

test('what a check found is remembered with its run and nothing else of it, and every instance tells it', async () => {
  const answers = [
    { ok: false, broken: 'somebody' },
    { ok: true, broken: 'nobody' },
  ];
  const { enqueue } = await start({ name: 'check-ledger', cron: NEVER, run: async () => answers.shift() });
  const page = async () => (await harness.fastify.inject({ url: '/metrics', remoteAddress: '127.0.0.1' })).payload;
  expect(await page()).not.toMatch(/^credence_check_ok/m);
  await enqueue('check-ledger');
  const first = await until('check-ledger', ({ ok }) => ok === false);
  expect(await page()).toMatch(/^credence_check_ok\{check="ledger"\} 0$/m);
  await enqueue('check-ledger');
  const second = await until('check-ledger', ({ ok }) => ok === true);
  expect(second.lastCompletedAt?.getTime()).toBeGreaterThan(first.lastCompletedAt?.getTime() ?? 0);
  const text = await page();
  expect(text).toMatch(/^credence_check_ok\{check="ledger"\} 1$/m);
  expect(text).toMatch(/^credence_check_timestamp_seconds\{check="ledger"\} \d{10}/m);
  expect(text).toMatch(/^credence_job_last_success_timestamp_seconds\{job_name="check-ledger"\} \d{10}/m);
  expect(text).toMatch(/^credence_job_seconds_count\{job_name="check-ledger"\} 2$/m);
  const [row] = await harness.app.sql.query<{ outputs: string }>(
    'select string_agg(output::text, $1) as outputs from pgboss.job',
    [' '],
  );
  expect(row?.outputs).not.toMatch(/body/);
});

test('a run that is due and not taken shows how long it has waited', async () => {
  const { stop } = await start({ name: 'water-plants', cron: NEVER, run: async () => undefined });
  await stop();
  queue = undefined;
  await harness.app.sql.write(
    "insert into pgboss.job (name, start_after) values ('water-plants', now() - interval '20 minutes')",
    [],
  );
  expect((await stateOf('water-plants'))?.oldestDueSeconds).toBeGreaterThanOrEqual(1_200);
});
