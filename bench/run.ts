// `npm run bench`: the rows of the README's table, each beside its baseline. See --help.
import { parseArgs } from 'node:util';
import { audit } from './rows/audit.ts';
import { client } from './rows/client.ts';
import { consumeConversation } from './rows/conversations.ts';
import { useCredits } from './rows/credits.ts';
import { growth } from './rows/growth.ts';
import { ledger } from './rows/ledger.ts';
import { limiter } from './rows/limiter.ts';
import { memory } from './rows/memory.ts';
import { logMessages } from './rows/messages.ts';
import { peers } from './rows/peers.ts';
import { refreshToken } from './rows/refresh.ts';
import type { Result, Row, Target } from './rows/row.ts';
import { crowded, signIn } from './rows/sign-in.ts';
import { start } from './rows/start.ts';
import { aliases, me, validateToken } from './rows/tokens.ts';
import { list, transport } from './rows/transport.ts';
import { createWorld, type World } from './world.ts';

const ROWS: readonly Row[] = [
  transport,
  validateToken,
  peers,
  me,
  aliases,
  client,
  useCredits,
  ledger,
  consumeConversation,
  logMessages,
  audit,
  refreshToken,
  signIn,
  crowded,
  list,
  limiter,
  start,
  memory,
  growth,
];

const HELP = `Usage: npm run bench -- [options]

Measures the hot paths beside programs that do the least that could be done, and prints a table of ratios.
Only ratios within one run mean something; the machine is shared by server, baseline, database and load.

  --only a,b     rows to run: ${ROWS.map(({ name }) => name).join(', ')}
  --seconds n    of each turn (default 3)
  --turns n      of each side (default 3)
  --connections n  requests under way at once (default 64)
  --large n      also growth: n people and sessions in the tables, say 1000000 (PostgreSQL; takes minutes)
  --help

DATABASE_URL chooses PostgreSQL (a database is created beside the one named, and dropped); without it, PGlite.
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    turns: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    large: { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
});

function isMet(ratio: number, target: Target): boolean {
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
}

function line({ row, baseline, ratio, unit = '', cpuRatio, firstLanding, goal, note = '' }: Result): string {
  const target = (wanted: Target | undefined) =>
    wanted === undefined ? '' : 'atLeast' in wanted ? `≥ ${wanted.atLeast}${unit}` : `≤ ${wanted.atMost}${unit}`;
  const met =
    goal && isMet(ratio, goal) ? 'goal' : firstLanding && isMet(ratio, firstLanding) ? 'yes' : firstLanding ? 'no' : '';
  const cpu = cpuRatio === undefined || Number.isNaN(cpuRatio) ? '' : show(cpuRatio);
  return `| ${[row, baseline, `${show(ratio)}${unit}`, cpu, target(firstLanding), target(goal), met, note].join(' | ')} |`;
}

async function main(): Promise<void> {
  const wanted = values.only?.split(',');
  const unknown = wanted?.find((name) => !ROWS.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`There is no row ${unknown}.\n\n${HELP}`);
  const serverUrl = process.env.DATABASE_URL || undefined;
  let made: Promise<World> | undefined;
  const surroundings = {
    effort: { seconds: Number(values.seconds), turns: Number(values.turns), connections: Number(values.connections) },
    world: () => (made ??= createWorld(serverUrl)),
    large: Number(values.large),
    serverUrl,
  };
  console.log(
    '| | baseline | ratio | CPU ratio | first landing | goal | met | |\n|---|---|---:|---:|---:|---:|---|---|',
  );
  try {
    for (const row of ROWS) {
      if (wanted && !wanted.includes(row.name)) continue;
      for (const result of await row.run(surroundings)) console.log(line(result));
    }
  } finally {
    await (await made)?.dispose();
  }
}

if (values.help) console.log(HELP);
else await main();
