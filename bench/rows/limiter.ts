// Rate-limit checks a second through the path that every root field takes (api/limits over graphql-rate-limit over
// our limiter), against graphql-rate-limit with its own memory store.
import { createRequire } from 'node:module';
import type { getGraphQLRateLimiter as GetRateLimiter, InMemoryStore as Memory } from 'graphql-rate-limit';
import type { Context } from '../../src/core/context.js';
import { built } from '../built.ts';
import { atLeast, type Row } from './row.ts';

const { getGraphQLRateLimiter, InMemoryStore } = createRequire(import.meta.url)('graphql-rate-limit') as {
  getGraphQLRateLimiter: typeof GetRateLimiter;
  InMemoryStore: typeof Memory;
};
// With what is shipped, not with the sources.
const { takeFieldLimit } = await built<typeof import('../../src/api/limits.js')>('api/limits.js');
const { createLimiter } = await built<typeof import('../../src/core/limiter.js')>('core/limiter.js');

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

export const limiter: Row = {
  name: 'limiter',
  async run() {
    const library = await rate(theirs(10_000), 60);
    const few = await rate(await ours(10_000), 100_000);
    const many = await rate(await ours(1_000_000), 100_000);
    const perSecond = (value: number) => `${Math.round(value).toLocaleString('en')}/s`;
    return [
      {
        row: 'rate-limit check, 10,000 identities',
        baseline: 'graphql-rate-limit’s own memory store',
        ratio: few / library,
        firstLanding: atLeast(300),
        goal: atLeast(1_500),
        note: `${perSecond(few)} against ${perSecond(library)}`,
      },
      {
        row: 'rate-limit check, 1,000,000 identities',
        baseline: 'itself with 10,000',
        ratio: many / few,
        goal: atLeast(0.9),
        note: perSecond(many),
      },
    ];
  },
};
