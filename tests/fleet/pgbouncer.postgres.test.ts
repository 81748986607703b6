import { afterAll, beforeAll, describe } from 'vitest';
import { createFleet, type Fleet } from '../support/fleet.js';
import { hasPrograms, type Pgbouncer, startPgbouncer } from '../support/programs.js';
import { AUTH_LIMIT, orderAllJobs, promisesOfAFleet } from './promises.js';

describe.skipIf(!hasPrograms('nginx', 'pgbouncer'))(
  'two instances behind nginx, through pgbouncer in transaction mode',
  () => {
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
    });
    afterAll(async () => {
      await fleet.close();
      await pgbouncer.close();
    });

    promisesOfAFleet(() => fleet);
  },
);
