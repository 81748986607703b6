import { compare, type Side } from '../compare.ts';
import { post } from '../load.ts';
import type { World } from '../world.ts';
import { atLeast, figures, type Row } from './row.ts';
import { besideRaw } from './tokens.ts';

const CONSUME = `mutation($input: ConsumeConversationInput!) { consumeConversation(input: $input) {
  allowed limit used remaining resetsAt replayed } }`;

/** One conversation of a random person, without a key. */
function consuming({ accountIds, serviceKey }: World, path: string): Side['script'] {
  return () => ({
    next() {
      const userId = accountIds[Math.floor(Math.random() * accountIds.length)];
      return post(path, { query: CONSUME, variables: { input: { userId } } }, { 'x-api-key': serviceKey });
    },
  });
}

export const consumeConversation: Row = {
  name: 'consumeConversation',
  async run({ effort, world: make }) {
    const world = await make();
    return besideRaw(world, async (ours, raw) => {
      const measured = await compare(
        { server: ours, script: consuming(world, '/graphql') },
        { server: raw, script: consuming(world, '/consumeConversation') },
        effort,
      );
      const { ratio, cpuRatio } = measured;
      return [
        {
          row: '`consumeConversation`, 10,000 people',
          baseline: 'raw, the same statement',
          ...{ ratio, cpuRatio },
          firstLanding: atLeast(0.25),
          goal: atLeast(0.92),
          note: figures(measured),
        },
      ];
    });
  },
};
