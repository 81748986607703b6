import { compare } from '../compare.ts';
import { post } from '../load.ts';
import { startServer } from '../processes.ts';
import { atLeast, figures, type Row } from './row.ts';

const QUERY = 'query { me { id username email emailVerified } }';

export const transport: Row = {
  name: 'transport',
  async run({ effort }) {
    const ours = await startServer('me from memory', { script: 'bench/baselines/me-from-memory.ts', env: {} });
    const theirs = await startServer('bare graphql-js', { script: 'bench/baselines/graphql.ts', env: {} });
    try {
      const token = /token (\S+)/.exec(ours.printed)?.[1];
      const request = post('/graphql', { query: QUERY }, { authorization: `Bearer ${token}` });
      const script = () => ({ next: () => request });
      const measured = await compare({ server: ours, script }, { server: theirs, script }, effort);
      return [
        {
          row: 'transport: `me` from memory',
          baseline: 'bare graphql-js on node:http, cached document',
          ratio: measured.ratio,
          cpuRatio: measured.cpuRatio,
          firstLanding: atLeast(0.35),
          goal: atLeast(0.95),
          note: figures(measured),
        },
      ];
    } finally {
      await Promise.all([ours.stop(), theirs.stop()]);
    }
  },
};
