import { type Comparison, compare, type Effort } from '../compare.ts';
import { post } from '../load.ts';
import { startServer } from '../processes.ts';
import { atLeast, figures, type Row } from './row.ts';

/** What a server in production has; graphql-js checks more of itself without it. */
const PRODUCTION = { NODE_ENV: 'production' };

/** The product's edge without a database beside a program that answers the same query from memory. */
async function besidePlain(
  options: { query: string; as: 'user' | 'admin'; baseline: string },
  effort: Effort,
): Promise<Comparison> {
  const ours = await startServer('from memory', { script: 'bench/baselines/from-memory.ts', env: PRODUCTION });
  const theirs = await startServer('plain', { script: options.baseline, env: PRODUCTION });
  try {
    const token = new RegExp(`${options.as} (\\S+)`).exec(ours.printed)?.[1];
    const request = post('/graphql', { query: options.query }, { authorization: `Bearer ${token}` });
    const script = () => ({ next: () => request });
    return await compare({ server: ours, script }, { server: theirs, script }, effort);
  } finally {
    await Promise.all([ours.stop(), theirs.stop()]);
  }
}

export const transport: Row = {
  name: 'transport',
  async run({ effort }) {
    const query = 'query { me { id username email emailVerified } }';
    const measured = await besidePlain({ query, as: 'user', baseline: 'bench/baselines/graphql.ts' }, effort);
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
  },
};

export const list: Row = {
  name: 'list',
  async run({ effort }) {
    const query = 'query { users(first: 100) { nodes { id username email emailVerified status createdAt } } }';
    const measured = await besidePlain({ query, as: 'admin', baseline: 'bench/baselines/list-graphql.ts' }, effort);
    return [
      {
        row: 'list of 100 users, guards on',
        baseline: 'plain graphql-js on node:http',
        ratio: measured.ratio,
        cpuRatio: measured.cpuRatio,
        firstLanding: atLeast(0.8),
        goal: atLeast(6),
        note: figures(measured),
      },
    ];
  },
};
