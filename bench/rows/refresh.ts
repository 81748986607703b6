import { compare, type Side } from '../compare.ts';
import { post } from '../load.ts';
import { atLeast, figures, type Row } from './row.ts';
import { besideRaw } from './tokens.ts';

const REFRESH =
  'mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken refreshToken user { id } } }';

export const refreshToken: Row = {
  name: 'refreshToken',
  async run({ effort, world: make }) {
    const world = await make();
    // Either side has people of its own: a chain of tokens belongs to whoever went on with it.
    const half = world.people.length / 2;
    const chains = (from: number) => world.people.slice(from, from + half).map((person) => person.refreshToken);
    const script = (path: string, tokens: string[]): Side['script'] => {
      return (connection) => ({
        next: () => post(path, { query: REFRESH, variables: { token: tokens[connection] } }),
        answered(body) {
          tokens[connection] = JSON.parse(body).data.refreshToken.refreshToken;
        },
      });
    };
    return besideRaw(world, async (ours, raw) => {
      const measured = await compare(
        { server: ours, script: script('/graphql', chains(0)) },
        { server: raw, script: script('/refreshToken', chains(half)) },
        effort,
      );
      const { ratio, cpuRatio } = measured;
      const targets = { firstLanding: atLeast(0.25), goal: atLeast(0.88) };
      return [{ row: '`refreshToken`', baseline: 'raw', ratio, cpuRatio, ...targets, note: figures(measured) }];
    });
  },
};
