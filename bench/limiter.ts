// Rate-limit checks a second through the path that every root field takes (api/limits over graphql-rate-limit over
// our limiter), against graphql-rate-limit with its own memory store. Needs a build: `npm run build && node bench/limiter.ts`.
import { createRequire } from 'node:module';
import type { getGraphQLRateLimiter as GetRateLimiter, InMemoryStore as Memory } from 'graphql-rate-limit';
import type { Context } from '../src/core/context.js';

const { getGraphQLRateLimiter, InMemoryStore } = createRequire(import.meta.url)('graphql-rate-limit') as {
  getGraphQLRateLimiter: typeof GetRateLimiter;
  InMemoryStore: typeof Memory;
};
const built = (path: string) => import(new URL(`../dist/${path}`, import.meta.url).href);
// With what is shipped, not with the sources.
const { takeFieldLimit } = (await built('api/limits.js')) as typeof import('../src/api/limits.js');
const { createLimiter } = (await built('core/limiter.js')) as typeof import('../src/core/limiter.js');

type Check = (index: number) => unknown;

function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
}

/** Our path, as a resolver's guard calls it, with every address seen once before the clock starts. */
async function ours(count: number): Promise<Check> {
  const app = {
    config: { limits: { authPerMinute: 100, defaultPerMinute: 1_000 } },
    limiter: createLimiter({ redisUrl: undefined }),
  };
  const ips = addresses(count);
  const viewer = { kind: 'anonymous' };
  const check: Check = (index) =>
    takeFieldLimit({ app, viewer, actor: { ip: ips[index % count] } } as unknown as Context, {
      field: 'me',
      family: 'default',
    });
  for (let index = 0; index < count; index++) await check(index);
  return check;
}

/** The library as it comes: 1,000 a minute by address, its own store holding as many addresses. */
function theirs(count: number): Check {
  const ips = addresses(count);
  const store = new InMemoryStore();
  store.state = Object.fromEntries(ips.map((ip) => [ip, { me: [Date.now()] }]));
  const limit = getGraphQLRateLimiter({ identifyContext: (context: { ip: string }) => context.ip, store });
  const info = { fieldName: 'me' } as Parameters<typeof limit>[0]['info'];
  return (index) =>
    limit({ parent: undefined, args: {}, context: { ip: ips[index % count] }, info }, { max: 1_000, window: '1m' });
}

/** Median of five rounds: checks a second, one after the other. */
async function rate(check: Check, checks: number): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let index = 0; index < checks; index++) await check(index * 7919);
    rounds.push((checks / (performance.now() - start)) * 1000);
  }
  return rounds.sort((a, b) => a - b)[2] ?? 0;
}

/** Checks a second: the library's own memory store, ours with as many addresses, and ours with a hundred times as many. */
export async function measureLimiter(): Promise<{ library: number; ours: number; oursMillion: number }> {
  const library = await rate(theirs(10_000), 60);
  const few = await rate(await ours(10_000), 100_000);
  return { library, ours: few, oursMillion: await rate(await ours(1_000_000), 100_000) };
}

if (import.meta.main) {
  const per = (value: number) => `${Math.round(value).toLocaleString('en')}/s`;
  const { library, ours: few, oursMillion } = await measureLimiter();
  console.log(
    `rate-limit check, 10,000 identities: ${per(few)} against ${per(library)} = ${Math.round(few / library).toLocaleString('en')}×; ` +
      `1,000,000 identities: ${per(oursMillion)} (${(oursMillion / few).toFixed(2)} of that)`,
  );
}
