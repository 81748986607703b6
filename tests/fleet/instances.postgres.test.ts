import { afterAll, beforeAll, describe } from 'vitest';
import { createFleet, type Fleet } from '../support/fleet.js';
import { hasPrograms } from '../support/programs.js';
import { AUTH_LIMIT, orderAllJobs, promisesOfAFleet } from './promises.js';

describe.skipIf(!hasPrograms('nginx'))('three instances behind nginx', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await createFleet({ instances: 3, env: { RATE_LIMIT_AUTH: String(AUTH_LIMIT), LOG_LEVEL: 'debug' } });
    await orderAllJobs(fleet);
  }, 180_000);
  afterAll(() => fleet.close());

  promisesOfAFleet(() => fleet);
});
