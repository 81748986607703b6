import { describe, expect, it } from 'vitest';
import { createLookup } from '../../src/core/lookups.js';

/** A load whose answers come when the test says so. */
function controlled() {
  const calls: { keys: string[]; answer(found: Record<string, string>): void; fail(error: Error): void }[] = [];
  const lookup = createLookup<string>((keys) => {
    const { promise, resolve, reject } = Promise.withResolvers<Map<string, string>>();
    calls.push({ keys, answer: (found) => resolve(new Map(Object.entries(found))), fail: reject });
    return promise;
  });
  return { calls, lookup };
}

/** Everything that is due now has happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a batched look-up', () => {
  it('asks once for what one turn asks for, each key once', async () => {
    const { calls, lookup } = controlled();
    const asked = [lookup('a'), lookup('b'), lookup('a'), lookup('c')];
    await settled();
    expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b', 'c']]);
    calls[0]?.answer({ a: '1', b: '2' });
    expect(await Promise.all(asked)).toEqual(['1', '2', '1', undefined]);
  });

  it('never answers from a query that was sent before it was asked', async () => {
    const { calls, lookup } = controlled();
    const before = lookup('a');
    await settled();
    const after = lookup('a');
    await settled();
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['a']]);
    calls[0]?.answer({ a: 'alive' });
    calls[1]?.answer({ a: 'revoked' });
    expect([await before, await after]).toEqual(['alive', 'revoked']);
  });

  it('keeps to two queries under way; what arrives meanwhile goes together in the next', async () => {
    const { calls, lookup } = controlled();
    const asked = [];
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      asked.push(lookup(key));
      await settled();
    }
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
    calls[1]?.answer({ b: '2' });
    await settled();
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b'], ['c', 'd', 'e']]);
    calls[0]?.answer({ a: '1' });
    calls[2]?.answer({ c: '3', d: '4', e: '5' });
    expect(await Promise.all(asked)).toEqual(['1', '2', '3', '4', '5']);
  });

  it('fails those who wait for a query that failed, and nobody else', async () => {
    const { calls, lookup } = controlled();
    const first = lookup('a');
    const failed = expect(first).rejects.toThrow('gone');
    await settled();
    calls[0]?.fail(new Error('gone'));
    await failed;
    const second = lookup('a');
    await settled();
    calls[1]?.answer({ a: '1' });
    expect(await second).toBe('1');
  });

  it('asks for at most 500 keys at once, and for all of them', async () => {
    const { calls, lookup } = controlled();
    const keys = Array.from({ length: 1_200 }, (_, index) => String(index));
    const asked = Promise.all(keys.map(lookup));
    while (calls.reduce((sum, call) => sum + call.keys.length, 0) < keys.length) {
      await settled();
      for (const call of calls) call.answer(Object.fromEntries(call.keys.map((key) => [key, key])));
    }
    await settled();
    expect(Math.max(...calls.map((call) => call.keys.length))).toBe(500);
    expect(await asked).toEqual(keys);
  });
});
