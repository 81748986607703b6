import { randomUUID } from 'node:crypto';
import { compare, type Side } from '../compare.ts';
import { post } from '../load.ts';
import type { World } from '../world.ts';
import { atLeast, figures, type Result, type Row } from './row.ts';
import { besideRaw } from './tokens.ts';

const LOG = `mutation($input: LogMessagesInput!) { logMessages(input: $input) {
  accepted rejected { index code } replayed } }`;
const ENTRIES = 1_000;
/** Different requests, made before anything is measured: writing half a megabyte of JSON costs the load, too. */
const BATCHES = 16;
/** Services that log a thousand exchanges at a time do not come by the dozen. */
const CONNECTIONS = 4;

const WORDS = 'the tractor sings at dusk while seventy seven violet letters wait in the rain for an answer '.repeat(2);

/** An exchange of two messages with a random person. */
function makeEntry({ people }: World) {
  const messages = [
    { role: 'user', content: WORDS.slice(0, 40 + Math.floor(Math.random() * 60)) },
    { role: 'assistant', content: WORDS.slice(0, 80 + Math.floor(Math.random() * 100)) },
  ];
  const userId = people[Math.floor(Math.random() * people.length)]?.id;
  return { userId, conversationId: randomUUID(), model: 'model-1', messages, inputTokens: 25, outputTokens: 40 };
}

function logging(world: World, path: string): Side['script'] {
  const requests = Array.from({ length: BATCHES }, () => {
    const batch = Array.from({ length: ENTRIES }, () => makeEntry(world));
    return post(path, { query: LOG, variables: { input: { batch } } }, { 'x-api-key': world.serviceKey });
  });
  let at = 0;
  return () => ({
    next() {
      at = (at + 1) % BATCHES;
      return requests[at] as Buffer;
    },
  });
}

export const logMessages: Row = {
  name: 'logMessages',
  async run({ effort: { seconds, turns }, world: make }) {
    const world = await make();
    const effort = { seconds, turns, connections: CONNECTIONS };
    return besideRaw(world, async (ours, raw) => {
      const results: Result[] = [];
      const targets = { firstLanding: atLeast(0.4), goal: atLeast(0.95) };
      for (const [path, baseline, wanted] of [
        ['/logMessages', 'raw, jsonb_to_recordset, nothing sealed or counted', undefined],
        ['/logMessagesSealed', 'raw, jsonb_to_recordset, sealed', targets],
        ['/logMessagesCopy', 'raw, COPY, nothing sealed or counted', undefined],
      ] as const) {
        // The embedded database of our bare program knows no COPY from a stream.
        if (path === '/logMessagesCopy' && world.kind === 'pglite') continue;
        const measured = await compare(
          { server: ours, script: logging(world, '/graphql') },
          { server: raw, script: logging(world, path) },
          effort,
        );
        const { ratio, cpuRatio } = measured;
        const row = `\`logMessages\`, ${ENTRIES.toLocaleString('en')} a batch`;
        results.push({ row, baseline, ratio, cpuRatio, ...wanted, note: figures(measured) });
      }
      return results;
    });
  },
};
