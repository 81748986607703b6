// Validations a second as a service sees them, with the client in this process, against `validateToken` by hand: one
// `fetch` for each, as the first version of every service does it.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CredenceClientOptions } from '../../src/client/client.js';
import { built } from '../built.ts';
import { type Effort, median } from '../compare.ts';
import { startServer } from '../processes.ts';
import type { World } from '../world.ts';
import { atLeast, type Result, type Row, type Target } from './row.ts';

const YIELD_EVERY = 100;

type Validate = (token: string) => Promise<boolean>;

const QUERY = `query($token: String!) { validateToken(token: $token) {
  valid code kind expiresAt sessionId scopes impersonatedBy readOnly user { id username email emailVerified } } }`;

function byHand(url: string, serviceKey: string): Validate {
  const headers = { 'content-type': 'application/json', 'x-api-key': serviceKey };
  return async (token) => {
    const body = JSON.stringify({ query: QUERY, variables: { token } });
    const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body });
    const { data } = (await response.json()) as { data: { validateToken: { valid: boolean } } };
    return data.validateToken.valid;
  };
}

/** As many callers at once as `connections`, each going through people of its own. */
async function rate(validate: Validate, { people }: World, { seconds, connections }: Effort): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let count = 0;
  await Promise.all(
    Array.from({ length: connections }, async (_, caller) => {
      for (let at = caller; performance.now() < end; at = (at + connections) % people.length) {
        if (!(await validate(people[at]?.accessToken ?? ''))) throw new Error('A good token was refused.');
        count += 1;
        // What is remembered is answered without a turn of the event loop, in which the others' answers would arrive.
        if (count % YIELD_EVERY === 0) await nextTurn();
      }
    }),
  );
  return count / seconds;
}

/** Every person once, so that what can be remembered is. */
async function warmUp(validate: Validate, { people }: World): Promise<void> {
  await Promise.all(people.map(({ accessToken }) => validate(accessToken)));
}

const HOUR = 3_600_000;

const WAYS: readonly { row: string; options: Partial<CredenceClientOptions>; goal: Target }[] = [
  { row: 'client, nothing remembered', options: { maxStalenessMs: 0 }, goal: atLeast(2) },
  { row: 'client, answers of 5 s remembered', options: {}, goal: atLeast(20) },
  {
    // Room for one answer, so that every token is proven anew.
    row: 'client, local verification, nothing remembered',
    options: { localVerification: true, maxStalenessMs: HOUR, maxEntries: 1 },
    goal: atLeast(2),
  },
  {
    row: 'client, local verification, answers remembered',
    options: { localVerification: true, maxStalenessMs: HOUR },
    goal: atLeast(20),
  },
];

export const client: Row = {
  name: 'client',
  async run({ effort, world: make }) {
    const { createCredenceClient } = await built<typeof import('../../src/client/client.js')>('client/client.js');
    const world = await make();
    const { serviceKey } = world;
    const server = await startServer('Credence', { script: 'dist/main.js', env: world.env });
    try {
      const hand = byHand(server.url, serviceKey);
      await rate(hand, world, effort);
      const results: Result[] = [];
      for (const { row, options, goal } of WAYS) {
        const made = createCredenceClient({
          url: server.url,
          timeoutMs: 60_000,
          attemptTimeoutMs: 60_000,
          serviceKey,
          maxConnections: effort.connections,
          ...options,
        });
        const validate: Validate = async (token) => (await made.validateToken(token)).valid;
        await warmUp(validate, world);
        const turns: { ours: number; theirs: number }[] = [];
        for (let turn = 0; turn < effort.turns; turn += 1)
          turns.push({ ours: await rate(validate, world, effort), theirs: await rate(hand, world, effort) });
        made.close();
        const perSecond = (side: 'ours' | 'theirs') => Math.round(median(turns.map((turn) => turn[side])));
        results.push({
          row,
          baseline: '`validateToken` by hand with fetch',
          ratio: median(turns.map(({ ours, theirs }) => ours / theirs)),
          goal,
          note: `${perSecond('ours').toLocaleString('en')}/s against ${perSecond('theirs').toLocaleString('en')}/s`,
        });
      }
      return results;
    } finally {
      await server.stop();
    }
  },
};
