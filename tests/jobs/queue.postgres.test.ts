import { expect, test } from 'vitest';
import { closeApp, createApp } from '../../src/app.js';
import { jobStates, startQueue } from '../../src/core/queue.js';
import { createHarness } from '../support/harness.js';

const TIMINGS = { pollSeconds: 0.5, retrySeconds: 1 };

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
