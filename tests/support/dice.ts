import { createHash } from 'node:crypto';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    faultsSeed: string;
  }
}

/** Chance that a seed repeats: the same throws in the same order. */
export interface Dice {
  /** A whole number from 0 to below `sides`. */
  below(sides: number): number;
  /** One of them, each as often as its weight says. */
  pick<T extends string>(weights: Readonly<Record<T, number>>): T;
}

/** @param name several dice of one seed throw differently */
export function createDice(name: string, seed = inject('faultsSeed')): Dice {
  let throws = 0;
  const next = () => {
    throws += 1;
    return createHash('sha256').update(`${seed}:${name}:${throws}`).digest().readUInt32BE(0);
  };
  return {
    below: (sides) => next() % sides,
    pick<T extends string>(weights: Readonly<Record<T, number>>): T {
      const entries = Object.entries(weights) as [T, number][];
      let left = next() % entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [choice, weight] of entries) {
        if (left < weight) return choice;
        left -= weight;
      }
      throw new Error('There is nothing to pick from.');
    },
  };
}
