import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/core/database.js';
import { createPostgresDatabase, findPostgresServer, silentLog } from '../support/database.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { createPlace, startCredence } from '../support/process.js';
import { hasPrograms, type Pgbouncer, startPgbouncer } from '../support/programs.js';
import { AUTH_LIMIT, orderAllJobs, promisesOfAFleet } from './promises.js';

const DEMO = resolve(import.meta.dirname, '../../examples/demo/demo.ts');

describe.skipIf(!hasPrograms('nginx', 'pgbouncer'))('two instances through pgbouncer in transaction mode', () => {
  let fleet: Fleet;
  let pgbouncer: Pgbouncer;
  beforeAll(async () => {
    fleet = await createFleet({
      instances: 2,
      env: { RATE_LIMIT_AUTH: String(AUTH_LIMIT), LOG_LEVEL: 'debug' },
      async reach(databaseUrl) {
        pgbouncer = await startPgbouncer(databaseUrl);
        return { DATABASE_URL: pgbouncer.url, DATABASE_DIRECT_URL: databaseUrl };
      },
    });
    await orderAllJobs(fleet);
  }, 180_000);
  afterAll(async () => {
    await fleet.close();
    await pgbouncer.close();
  });

  promisesOfAFleet(() => fleet);

  it('instances say that they are not ready while pgbouncer is gone, and are again when it is back', async () => {
    const readiness = () =>
      Promise.all(fleet.instances.map(async ({ url }) => (await fetch(`${url}/health/ready`)).status));
    await pgbouncer.kill();
    await expect.poll(readiness, { timeout: 10_000 }).toEqual([503, 503]);
    await pgbouncer.start();
    await expect.poll(readiness, { timeout: 5_000 }).toEqual([200, 200]);
  });
});

describe.skipIf(!hasPrograms('pgbouncer'))('pgbouncer in transaction mode', () => {
  it('the demo goes through it from beginning to end', async () => {
    const { env, dispose } = await createPlace();
    onTestFinished(dispose);
    const direct = env.DATABASE_URL ?? '';
    const pgbouncer = await startPgbouncer(direct);
    onTestFinished(() => pgbouncer.close());
    const server = await startCredence({ ...env, DATABASE_URL: pgbouncer.url, DATABASE_DIRECT_URL: direct });
    onTestFinished(async () => void (await server.end('SIGTERM')));
    const { stdout } = await promisify(execFile)(process.execPath, [DEMO, '--url', server.url], {
      env: { PATH: process.env.PATH, DATA_DIR: env.DATA_DIR, NO_COLOR: '1' },
    });
    expect(stdout).toContain('steps went as they should');
  }, 120_000);

  it('without the limits of connections nothing is opened, and what to write is said', async () => {
    const { url, connections, dispose } = await createPostgresDatabase({ serverUrl: findPostgresServer() ?? '' });
    const pgbouncer = await startPgbouncer(url, [[/ connect_query='[^']*'/, '']]);
    const opening = openDatabase({ kind: 'postgres', url: pgbouncer.url, directUrl: url, connections }, silentLog);
    await expect(opening).rejects.toThrow(
      /statement_timeout.*In pgbouncer\.ini give the database: connect_query='set /,
    );
    await pgbouncer.close();
    await dispose();
  });
});
