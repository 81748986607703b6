import { compare, type Side, turn } from '../compare.ts';
import { post } from '../load.ts';
import { type Server, startServer } from '../processes.ts';
import type { World } from '../world.ts';
import { atLeast, figures, type Result, type Row, type Surroundings } from './row.ts';

const FIELDS = 'valid code kind expiresAt user { id username email emailVerified } sessionId';
const ONE = `query($token: String!) { validateToken(token: $token) { ${FIELDS} } }`;
const ME = 'query { me { id username email emailVerified } }';

/** Runs `work` with the product and our bare program beside each other on the same rows. */
export async function besideRaw<T>(world: World, work: (ours: Server, raw: Server) => Promise<T>): Promise<T> {
  const ours = await startServer('Credence', { script: 'dist/main.js', env: world.env });
  const raw = await startServer('raw', { script: 'bench/baselines/raw.ts', env: world.rawEnv });
  try {
    return await work(ours, raw);
  } finally {
    await Promise.all([ours.stop(), raw.stop()]);
  }
}

/** Each connection goes through people of its own, so that simultaneous requests ask for different sessions. */
export function rotating(requests: readonly Buffer[], connections: number): Side['script'] {
  return (connection) => {
    let at = connection;
    return {
      next() {
        at = (at + connections) % requests.length;
        return requests[at] as Buffer;
      },
    };
  };
}

export const tokenRequests = (world: World, path: string) =>
  world.people.map(({ accessToken: token }) =>
    post(path, { query: ONE, variables: { token } }, { 'x-api-key': world.serviceKey }),
  );

async function measure(
  { effort, world: make }: Surroundings,
  options: { title: string; requests(world: World, path: string): Buffer[]; path: string },
): Promise<Result[]> {
  const world = await make();
  return besideRaw(world, async (server, raw) => {
    const side = (of: Server, path: string): Side => ({
      server: of,
      script: rotating(options.requests(world, path), effort.connections),
    });
    const measured = await compare(side(server, '/graphql'), side(raw, options.path), effort);
    const { ratio, cpuRatio } = measured;
    const targets = { firstLanding: atLeast(0.25), goal: atLeast(0.92) };
    return [{ row: options.title, baseline: 'raw', ratio, cpuRatio, ...targets, note: figures(measured) }];
  });
}

export const validateToken: Row = {
  name: 'validateToken',
  run: (surroundings) =>
    measure(surroundings, { title: '`validateToken`, session read', requests: tokenRequests, path: '/validateToken' }),
};

export const me: Row = {
  name: 'me',
  run: (surroundings) =>
    measure(surroundings, {
      title: '`me`, session read',
      path: '/me',
      requests: ({ people }, path) =>
        people.map(({ accessToken }) => post(path, { query: ME }, { authorization: `Bearer ${accessToken}` })),
    }),
};

const ALIASES = 20;

export const aliases: Row = {
  name: 'aliases',
  async run({ effort, world: make }) {
    const world = await make();
    const names = Array.from({ length: ALIASES }, (_, index) => `t${index}`);
    const query = `query(${names.map((name) => `$${name}: String!`)}) { ${names.map((name) => `${name}: validateToken(token: $${name}) { ${FIELDS} }`).join(' ')} }`;
    const groups = Array.from({ length: world.people.length / ALIASES }, (_, group) => {
      const variables = Object.fromEntries(
        names.map((name, index) => [name, world.people[group * ALIASES + index]?.accessToken]),
      );
      return post('/graphql', { query, variables }, { 'x-api-key': world.serviceKey });
    });
    const server = await startServer('Credence', { script: 'dist/main.js', env: world.env });
    try {
      const connections = Math.min(effort.connections, groups.length);
      const single = { server, script: rotating(tokenRequests(world, '/graphql'), effort.connections) };
      const many = { server, script: rotating(groups, connections) };
      const rates = { single: 0, many: 0 };
      for (let count = 0; count <= effort.turns; count++) {
        rates.single = Math.max(rates.single, (await turn(single, effort)).perSecond);
        rates.many = Math.max(rates.many, (await turn(many, { ...effort, connections })).perSecond * ALIASES);
      }
      return [
        {
          row: '20 aliased `validateToken` in one request, tokens/s',
          baseline: 'its own single rate',
          ratio: rates.many / rates.single,
          firstLanding: atLeast(2),
          goal: atLeast(6),
          note: `${Math.round(rates.many).toLocaleString('en')} tokens/s`,
        },
      ];
    } finally {
      await server.stop();
    }
  },
};
