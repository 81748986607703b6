import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import setup from './global-setup.js';
import { startOwnPostgres } from './own-postgres.js';

/** Says the seed, and brings a PostgreSQL where TEST_DATABASE_URL names none. */
export default async function setupFaults(project: TestProject): Promise<() => Promise<void>> {
  const seed = process.env.FAULTS_SEED || randomBytes(4).toString('hex');
  process.stdout.write(`FAULTS_SEED=${seed} (set it to throw the same dice again)\n`);
  project.provide('faultsSeed', seed);
  const own = process.env.TEST_DATABASE_URL ? undefined : await startOwnPostgres();
  if (own) process.env.TEST_DATABASE_URL = own.url;
  const tearDown = await setup(project);
  return async () => {
    await tearDown();
    await own?.dispose();
  };
}
