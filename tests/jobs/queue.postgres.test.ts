import { expect, test } from 'vitest';
import { closeApp, createApp } from '../../src/app.js';
import { jobStates, QUEUE_TIMINGS, startQueue } from '../../src/core/queue.js';
import { compiled, startScript } from '../support/child.js';
import { createHarness } from '../support/harness.js';

/** Ten seconds is the least that pg-boss takes for a heartbeat. */
const TIMINGS = { ...QUEUE_TIMINGS, pollSeconds: 0.5, retrySeconds: 1, heartbeatSeconds: 10 };

test('two instances, started at once on a database without a queue: each job runs once, on one of them', async () => {
  const harness = await createHarness();
  const apps = [harness.app, await createApp(harness.app.config, { log: harness.app.log })];
  const running = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  let runs = 0;
  const job = {
    name: 'water-plants',
    cron: '0 0 29 2 *',
    async run() {
      runs += 1;
      running.resolve();
      await release.promise;
    },
  };
  /** Only ever run after `job` was asked for twenty times: whoever is free would have taken a second one by then. */
  const after = Promise.withResolvers<void>();
  const marker = { name: 'x-marker', cron: '0 0 29 2 *', run: async () => after.resolve() };
  const queues = await Promise.all(apps.map((app) => startQueue(app, { jobs: [job, marker], timings: TIMINGS })));
  const enqueueEverywhere = () =>
    Promise.all(queues.flatMap(({ enqueue }) => Array.from({ length: 10 }, () => enqueue(job.name))));
  await enqueueEverywhere();
  await running.promise;
  await enqueueEverywhere();
  expect(await jobStates(harness.app)).toMatchObject([{ name: 'water-plants', queued: 0, active: 1 }, {}]);
  await queues[0]?.enqueue(marker.name);
  await after.promise;
  expect(runs).toBe(1);
  release.resolve();
  for (const queue of queues) await queue.stop();
  expect(runs).toBe(1);
  for (const app of apps.slice(1)) await closeApp(app);
  await harness.close();
});

/** An instance of its own that takes the job and never comes to its end. */
const instance = (databaseUrl: string) =>
  startScript(`
    const { createApp } = await import('${compiled('app.js')}');
    const { buildConfig } = await import('${compiled('core/config.js')}');
    const { startQueue } = await import('${compiled('core/queue.js')}');
    const config = buildConfig({ NODE_ENV: 'test', DATABASE_URL: '${databaseUrl}', LOG_LEVEL: 'silent',
      ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=' });
    const app = await createApp(config);
    const note = (text) => app.sql.write('insert into work_done values ($1)', [text]);
    const jobs = [
      { name: 'short-work', cron: '0 0 29 2 *', run: () => note('short work, there') },
      { name: 'long-work', cron: '0 0 29 2 *', async run() {
        await note('long work, begun there');
        console.log('begun');
        await new Promise(() => {});
      } },
    ];
    const { enqueue } = await startQueue(app, { jobs, timings: ${JSON.stringify(TIMINGS)} });
    await enqueue('short-work');
    while ((await app.sql.query('select from work_done', [])).length === 0) await new Promise((r) => setTimeout(r, 50));
    await enqueue('long-work');
  `);

test('what a killed process was at is done by another instance, and what it had done is not done again', async () => {
  const harness = await createHarness();
  const { app } = harness;
  if (app.config.database.kind !== 'postgres') throw new Error('needs TEST_DATABASE_URL');
  await app.sql.query('create table work_done (what text)', []);
  const doomed = instance(app.config.database.url);
  await doomed.says('begun');
  doomed.process.kill('SIGKILL');
  await doomed.ended();
  const note = (what: string) => app.sql.write('insert into work_done values ($1)', [what]);
  const jobs = ['short-work', 'long-work'].map((name) => ({
    name,
    cron: '0 0 29 2 *',
    run: () => note(`${name.replace('-', ' ')}, here`),
  }));
  const apps = [app, await createApp(app.config, { log: app.log })];
  const queues = await Promise.all(apps.map((one) => startQueue(one, { jobs, timings: TIMINGS })));
  const isDone = async () => {
    const states = await jobStates(app);
    return states.every(({ queued, active }) => queued === 0 && active === 0);
  };
  await expect.poll(isDone, { timeout: 240_000, interval: 200 }).toBe(true);
  for (const queue of queues) await queue.stop();
  const rows = await app.sql.query<{ what: string }>('select what from work_done order by what', []);
  expect(rows.map(({ what }) => what)).toEqual(['long work, begun there', 'long work, here', 'short work, there']);
  for (const one of apps.slice(1)) await closeApp(one);
  await harness.close();
}, 300_000);
