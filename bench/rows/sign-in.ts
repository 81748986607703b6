import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { compare, type Effort, median, type Side } from '../compare.ts';
import { load, percentile, post } from '../load.ts';
import { type Server, startServer } from '../processes.ts';
import type { World } from '../world.ts';
import { atLeast, atMost, figures, type Result, type Row } from './row.ts';

const LOGIN =
  'mutation($input: LoginInput!) { login(input: $input) { __typename ... on AuthPayload { accessToken refreshToken user { id } } } }';
const REGISTER =
  'mutation($input: RegisterInput!) { register(input: $input) { accessToken refreshToken user { id } } }';
const ME = 'query { me { id username email emailVerified } }';

/** Enough to keep every core hashing and the queue short of its end, where callers are told to come back. */
const SIGN_INS = 32;

/** A hundred a second at most: what other rows have compiled in a second is compiled here after half a minute. */
const WARM_SECONDS = 30;

/** Guesses and letters are limited by address: each caller comes from one of its own, through a listed proxy. */
const PROXIED = { TRUST_PROXY: '127.0.0.1/32' };
const from = (group: number, member: number) => ({ 'x-forwarded-for': `10.${group}.${member >> 8}.${member & 255}` });

function login(world: World, path: string): Side['script'] {
  return (connection) => {
    const input = { identifier: world.people[connection]?.username, password: world.password };
    const request = post(path, { query: LOGIN, variables: { input } }, from(1, connection));
    return { next: () => request };
  };
}

function register(world: World, path: string): Side['script'] {
  let count = 0;
  return () => ({
    next() {
      count += 1;
      const username = `n${randomBytes(8).toString('hex')}`;
      const input = { username, email: `${username}@example.com`, password: world.password };
      return post(path, { query: REGISTER, variables: { input } }, from(2 + ((count >> 16) & 127), count & 65_535));
    },
  });
}

export const signIn: Row = {
  name: 'login',
  async run({ effort, world: make }) {
    const world = await make();
    const ours = await startServer('Credence', { script: 'dist/main.js', env: { ...world.env, ...PROXIED } });
    const threads = { UV_THREADPOOL_SIZE: String(availableParallelism()) };
    const theirs = await startServer('Argon2 alone', { script: 'bench/baselines/hashing.ts', env: threads });
    try {
      const results: Result[] = [];
      for (const [name, script] of [
        ['login', login],
        ['register', register],
      ] as const) {
        const side = (server: Server, path: string): Side => ({ server, script: script(world, path) });
        const measured = await compare(side(ours, '/graphql'), side(theirs, `/${name}`), {
          ...effort,
          connections: SIGN_INS,
          warmSeconds: WARM_SECONDS,
        });
        results.push({
          row: `\`${name}\``,
          baseline: 'an Argon2-only server, as many pool threads as cores',
          ratio: measured.ratio,
          firstLanding: atLeast(0.75),
          goal: atLeast(0.93),
          // The hashing children are processes of their own: their time is not in the server's.
          note: figures({
            ...measured,
            ours: { ...measured.ours, cpuPerThousand: Number.NaN },
            theirs: { ...measured.theirs, cpuPerThousand: Number.NaN },
          }),
        });
      }
      return results;
    } finally {
      await Promise.all([ours.stop(), theirs.stop()]);
    }
  },
};

interface Crowd {
  /** Of `me`, in milliseconds. */
  readonly p99: number;
  readonly signInsPerSecond: number;
}

/** `me` by two callers while 64 wait for their sign-in. */
async function crowd(
  server: Server,
  options: { world: World; me: string; login: string; effort: Effort },
): Promise<Crowd> {
  const { world, effort } = options;
  const shared = { url: server.url, seconds: effort.seconds };
  const [signIns, looks] = await Promise.all([
    load({ ...shared, connections: 64, script: login(world, options.login) }),
    load({
      ...shared,
      connections: 2,
      script: (connection) => {
        const person = world.people[500 + connection];
        const request = post(
          options.me,
          { query: ME },
          { authorization: `Bearer ${person?.accessToken}`, ...from(250, connection) },
        );
        return { next: () => request };
      },
    }),
  ]);
  return { p99: percentile(looks, 0.99), signInsPerSecond: signIns.perSecond };
}

export const crowded: Row = {
  name: 'crowd',
  async run({ effort, world: make }) {
    const world = await make();
    const ours = await startServer('Credence', { script: 'dist/main.js', env: { ...world.env, ...PROXIED } });
    const theirs = await startServer('no gate', { script: 'bench/baselines/raw.ts', env: world.rawEnv });
    try {
      const pairs: { ours: Crowd; theirs: Crowd }[] = [];
      for (let count = 0; count <= effort.turns; count++) {
        const pair = {
          ours: await crowd(ours, { world, me: '/graphql', login: '/graphql', effort }),
          theirs: await crowd(theirs, { world, me: '/me', login: '/login', effort }),
        };
        if (count > 0) pairs.push(pair);
      }
      const middle = (read: (pair: (typeof pairs)[number]) => number) => median(pairs.map(read));
      const signIns = `${middle((pair) => pair.ours.signInsPerSecond).toFixed(0)} sign-ins/s beside ${middle((pair) => pair.theirs.signInsPerSecond).toFixed(0)}`;
      return [
        {
          row: '`me` p99 while 64 sign-ins wait',
          baseline: 'raw, Argon2 in the same process without a gate',
          ratio: middle((pair) => pair.ours.p99 / pair.theirs.p99),
          firstLanding: atMost(1),
          goal: atMost(0.35),
          note: `${middle((pair) => pair.ours.p99).toFixed(1)} ms against ${middle((pair) => pair.theirs.p99).toFixed(1)} ms; ${signIns}`,
        },
      ];
    } finally {
      await Promise.all([ours.stop(), theirs.stop()]);
    }
  },
};
