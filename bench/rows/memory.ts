import { setTimeout as pause } from 'node:timers/promises';
import { load, post } from '../load.ts';
import { startServer } from '../processes.ts';
import { atMost, type Row } from './row.ts';

const ME = 'query { me { id username email emailVerified } }';

/** Until what the start needed has been given back. */
const SETTLE_MS = 10_000;

export const memory: Row = {
  name: 'memory',
  async run({ effort, world: make, large }) {
    const world = await make();
    const server = await startServer('Credence', { script: 'dist/main.js', env: world.env });
    try {
      await pause(SETTLE_MS);
      const idle = server.residentMb();
      const script = (connection: number) => {
        const request = post(
          '/graphql',
          { query: ME },
          { authorization: `Bearer ${world.people[connection]?.accessToken}` },
        );
        return { next: () => request };
      };
      const run = (requests: number) =>
        load({ url: server.url, connections: effort.connections, seconds: 600, requests, script });
      const requests = large > 0 ? 1_000_000 : 100_000;
      // The heap finds its size under the first load; what counts is what comes after.
      await run(requests);
      const warm = server.residentMb();
      await run(requests);
      const after = server.residentMb();
      return [
        {
          row: `memory idle, ${world.kind === 'postgres' ? 'PostgreSQL' : 'embedded database'}`,
          baseline: '–',
          ratio: idle,
          unit: ' MB',
          ...(world.kind === 'postgres' && { firstLanding: atMost(130), goal: atMost(80) }),
        },
        {
          row: `memory after ${requests.toLocaleString('en')} requests`,
          baseline: 'after as many before them',
          ratio: after / warm,
          firstLanding: atMost(1.15),
          goal: atMost(1.05),
          note: `${warm.toFixed(0)} MB, then ${after.toFixed(0)} MB`,
        },
      ];
    } finally {
      await server.stop();
    }
  },
};
