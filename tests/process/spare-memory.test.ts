import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { giveBackMemory, startSpareMemory } from '../../src/jobs/spare-memory.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One look a second: the share of it that was work. */
async function live(shares: readonly number[]): Promise<number> {
  let collections = 0;
  const given = shares.values();
  const job = startSpareMemory({
    workload: () => given.next().value ?? 0,
    collect: () => {
      collections += 1;
    },
  });
  await vi.advanceTimersByTimeAsync(shares.length * 1_000);
  await job.stop();
  expect(vi.getTimerCount()).toBe(0);
  return collections;
}

const seconds = (count: number, share: number) => Array.from({ length: count }, () => share);

it('waits until nothing has been done for a while', async () => {
  expect(await live([...seconds(20, 0.5), ...seconds(4, 0.01)])).toBe(0);
  expect(await live([...seconds(20, 0.5), ...seconds(5, 0.01)])).toBe(1);
});

it('is done once, however long the quiet lasts', async () => {
  expect(await live(seconds(600, 0.02))).toBe(1);
});

it('is done again after work', async () => {
  expect(await live([...seconds(30, 0.02), 0.3, ...seconds(30, 0.02), ...seconds(9, 0.9), ...seconds(30, 0.02)])).toBe(
    3,
  );
});

it('gives back what nobody needs any more', () => {
  let garbage: unknown[] | undefined = Array.from({ length: 500_000 }, (_, index) => ({ index, text: `${index}` }));
  const before = process.memoryUsage().heapTotal;
  expect(garbage.length).toBe(500_000);
  garbage = undefined;
  giveBackMemory();
  expect(process.memoryUsage().heapTotal).toBeLessThan(before - 20_000_000);
  expect(globalThis).not.toHaveProperty('gc');
});
