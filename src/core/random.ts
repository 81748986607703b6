import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(4_096);
let used = pool.length;

/**
 * Random bytes for ids and nonces, which are told to everybody: many calls share one of Node's, which takes five
 * microseconds however few it is asked for. Secrets take their own, so that no copy of them stays behind in a pool.
 */
export function publicRandom(size: number): Buffer {
  if (used + size > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += size;
  return pool.subarray(used - size, used);
}
