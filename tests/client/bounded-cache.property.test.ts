import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBoundedCache } from '../../src/client/bounded-cache.js';
import { createForgotten } from '../../src/client/forgotten.js';

type Step =
  | { kind: 'set'; key: string; value: number; lifeMs: number }
  | { kind: 'get' | 'delete'; key: string }
  | { kind: 'wait'; forMs: number };

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__', 'constructor');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.nat(), lifeMs: fc.integer({ min: -1, max: 20 }) }),
  fc.record({ kind: fc.constantFrom('get' as const, 'delete' as const), key }),
  fc.record({ kind: fc.constant('wait' as const), forMs: fc.integer({ min: 0, max: 10 }) }),
);

/** The plainest thing that does the same: a list, the one used last at its end. */
function createModel(max: number, now: () => number) {
  let list: { key: string; value: number; until: number }[] = [];
  const without = (key: string) => list.filter((entry) => entry.key !== key);
  return {
    get(key: string) {
      const found = list.find((entry) => entry.key === key);
      list = without(key);
      if (!found || found.until <= now()) return undefined;
      list.push(found);
      return found.value;
    },
    set(key: string, value: number, until: number) {
      list = without(key);
      if (until > now()) list = [...list, { key, value, until }].slice(-max);
    },
    delete(key: string) {
      list = without(key);
    },
  };
}

describe('the bounded cache', () => {
  it('holds what a plain list would, never more than its bound and nothing past its time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
        let time = 0;
        const cache = createBoundedCache<number>(max, () => time);
        const model = createModel(max, () => time);
        for (const one of steps) {
          if (one.kind === 'wait') time += one.forMs;
          else if (one.kind === 'get') expect(cache.get(one.key)).toBe(model.get(one.key));
          else
            for (const each of [cache, model]) {
              if (one.kind === 'set') each.set(one.key, one.value, time + one.lifeMs);
              else each.delete(one.key);
            }
          expect(cache.size).toBeLessThanOrEqual(max);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the list of what was forgotten', () => {
  it('forgets too much rather than too little when there is no room', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (subjects, max) => {
        const forgotten = createForgotten(max);
        const noted = new Map<string, number>();
        for (const subject of subjects) {
          noted.set(subject, performance.now());
          forgotten.note(subject);
        }
        for (const [subject, since] of noted)
          expect(forgotten.latest([null, subject]).steadyMs).toBeGreaterThanOrEqual(since);
      }),
    );
    expect(createForgotten(1).latest(['a', null]).steadyMs).toBe(Number.NEGATIVE_INFINITY);
  });
});
