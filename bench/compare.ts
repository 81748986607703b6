import { type Load, load, type Script } from './load.ts';
import type { Server } from './processes.ts';

/** How long and how hard; the same for both sides. */
export interface Effort {
  /** Seconds of each turn. */
  readonly seconds: number;
  readonly connections: number;
  /** Turns of each side. */
  readonly turns: number;
  /** How long a side may take over its first requests, which do not count: four turns, if nothing else is said. */
  readonly warmSeconds?: number;
}

export interface Side {
  readonly server: Server;
  readonly script: (connection: number) => Script;
}

export interface Comparison {
  /** Requests a second, ours ÷ theirs: the median over turns taken side by side. */
  readonly ratio: number;
  /** Processor time a request, ours ÷ theirs, over all turns; the steadier figure. NaN where it cannot be read. */
  readonly cpuRatio: number;
  readonly ours: Figures;
  readonly theirs: Figures;
}

export interface Figures {
  readonly perSecond: number;
  /** Processor seconds of the server for a thousand requests. */
  readonly cpuPerThousand: number;
}

/** Enough for the compiler to have seen everything that is hot. */
const WARM_REQUESTS = 20_000;

async function warmUp({ server, script }: Side, effort: Effort): Promise<void> {
  const { connections, warmSeconds = 4 * effort.seconds } = effort;
  await load({ url: server.url, connections, seconds: warmSeconds, requests: WARM_REQUESTS, script });
}

/** Both sides in turn (A B A B …), after a while of each that does not count. */
export async function compare(ours: Side, theirs: Side, effort: Effort): Promise<Comparison> {
  await warmUp(ours, effort);
  await warmUp(theirs, effort);
  const pairs: { ours: Turn; theirs: Turn }[] = [];
  for (let count = 0; count < effort.turns; count++) {
    pairs.push({ ours: await turn(ours, effort), theirs: await turn(theirs, effort) });
  }
  const figures = {
    ours: figuresOf(pairs.map((pair) => pair.ours)),
    theirs: figuresOf(pairs.map((pair) => pair.theirs)),
  };
  return {
    ratio: median(pairs.map((pair) => pair.ours.perSecond / pair.theirs.perSecond)),
    cpuRatio: figures.ours.cpuPerThousand / figures.theirs.cpuPerThousand,
    ...figures,
  };
}

export interface Turn extends Load {
  readonly cpuSeconds: number;
}

export async function turn({ server, script }: Side, { seconds, connections }: Omit<Effort, 'turns'>): Promise<Turn> {
  const before = server.cpuSeconds();
  const done = await load({ url: server.url, connections, seconds, script });
  return { ...done, cpuSeconds: server.cpuSeconds() - before };
}

function figuresOf(turns: readonly Turn[]): Figures {
  const requests = turns.reduce((sum, one) => sum + one.requests, 0);
  const cpu = turns.reduce((sum, one) => sum + one.cpuSeconds, 0);
  return { perSecond: median(turns.map((one) => one.perSecond)), cpuPerThousand: (cpu / requests) * 1_000 };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
