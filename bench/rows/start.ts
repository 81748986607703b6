import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../compare.ts';
import { load, post } from '../load.ts';
import { type Server, startFlags, startServer } from '../processes.ts';
import { createWorld } from '../world.ts';
import { atMost, type Result, type Row } from './row.ts';

/** Milliseconds from starting the process to the first answer to a GraphQL query. */
async function startToAnswer(options: Parameters<typeof startServer>[1]): Promise<number> {
  const startedAt = performance.now();
  const server = await startServer('start', options);
  try {
    const request = post('/graphql', { query: '{ serviceInfo { name } }' });
    await load({ url: server.url, connections: 1, seconds: 60, requests: 1, script: () => ({ next: () => request }) });
    return performance.now() - startedAt;
  } finally {
    await server.stop();
  }
}

/** In turns: what else the machine does meanwhile, it does to all of them. */
async function mediansOf(turns: number, measures: readonly (() => Promise<number>)[]): Promise<number[]> {
  const taken = measures.map((): number[] => []);
  for (let count = 0; count < turns; count++)
    for (const [place, measure] of measures.entries()) taken[place]?.push(await measure());
  return taken.map(median);
}

/** A first start in an empty directory, and what an embedded database needs for one. */
async function inEmptyDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'credence-bench-start-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export const start: Row = {
  name: 'start',
  async run({ effort, serverUrl }) {
    const { turns } = effort;
    const product = (env: Record<string, string>) => startToAnswer({ script: 'dist/main.js', env });
    const results: Result[] = [];
    if (serverUrl !== undefined) {
      const embedded = await createWorld(undefined);
      const world = await createWorld(serverUrl);
      const modules = { script: 'bench/baselines/unbundled.js', args: startFlags(), env: world.env };
      const [onServer = 0, unbundled = 0, existing = 0] = await mediansOf(turns, [
        () => product(world.env),
        () => startToAnswer(modules),
        () => product(embedded.env),
      ]).finally(() => Promise.all([world.dispose(), embedded.dispose()]));
      results.push(
        {
          row: 'start to first answer, PostgreSQL',
          baseline: 'the unbundled build',
          ratio: onServer / unbundled,
          firstLanding: atMost(1),
          goal: atMost(0.42),
          note: `${onServer.toFixed(0)} ms against ${unbundled.toFixed(0)} ms`,
        },
        {
          row: 'start to first answer, existing embedded database',
          baseline: 'unbundled PostgreSQL start',
          ratio: existing / unbundled,
          firstLanding: atMost(2),
          goal: atMost(1.3),
          note: `${existing.toFixed(0)} ms against ${unbundled.toFixed(0)} ms`,
        },
      );
    }
    const env = { NODE_ENV: 'development', PORT: '0', LOG_LEVEL: 'error' };
    const [first = 0, plain = 0] = await mediansOf(turns, [
      () => inEmptyDirectory((directory) => product({ ...env, DATA_DIR: directory })),
      () =>
        inEmptyDirectory(async (directory) => {
          const script = 'bench/baselines/pglite.ts';
          const server: Server = await startServer('plain PGlite', { script, env: { DATABASE_DIRECTORY: directory } });
          await server.stop();
          return server.startedInMs;
        }),
    ]);
    results.push({
      row: 'start to first answer, new embedded database',
      baseline: 'plain `new PGlite()` in an empty directory',
      ratio: first / plain,
      firstLanding: atMost(1),
      goal: atMost(0.35),
      note: `${first.toFixed(0)} ms against ${plain.toFixed(0)} ms`,
    });
    return results;
  },
};
