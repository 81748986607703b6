import type { Comparison, Effort } from '../compare.ts';
import type { World } from '../world.ts';

/** What a ratio has to be: at least (speed) or at most (time, memory, growth). */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

export interface Result {
  readonly row: string;
  readonly baseline: string;
  readonly ratio: number;
  /** Behind the ratio, when it is no plain number. */
  readonly unit?: string;
  readonly cpuRatio?: number;
  readonly firstLanding?: Target | undefined;
  readonly goal?: Target | undefined;
  readonly note?: string;
}

export interface Surroundings {
  readonly effort: Effort;
  /** Made when the first row asks for it. */
  world(): Promise<World>;
  /** How many rows the rows about growth add; none: they are left out. */
  readonly large: number;
  readonly serverUrl: string | undefined;
}

export interface Row {
  /** For `--only`. */
  readonly name: string;
  run(surroundings: Surroundings): Promise<Result[]>;
}

export const atLeast = (value: number): Target => ({ atLeast: value });
export const atMost = (value: number): Target => ({ atMost: value });

export function figures({ ours, theirs }: Comparison): string {
  const side = ({ perSecond, cpuPerThousand }: Comparison['ours']) =>
    `${Math.round(perSecond).toLocaleString('en')}/s${Number.isNaN(cpuPerThousand) ? '' : `, ${cpuPerThousand.toFixed(3)} CPU s/1,000`}`;
  return `${side(ours)} against ${side(theirs)}`;
}
