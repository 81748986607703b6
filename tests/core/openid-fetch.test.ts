import { describe, expect, it } from 'vitest';
import { KeptDocument } from '../../src/core/openid-fetch.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A document whose reading a test can break, on a clock that it moves. */
function kept() {
  const state = { now: 0, reads: 0, isDown: false };
  const document = new KeptDocument(
    async () => {
      state.reads += 1;
      if (state.isDown) throw new Error('down');
      return state.reads;
    },
    () => state.now,
  );
  return { state, document };
}

describe('what is kept of a provider', () => {
  it('serves for an hour', async () => {
    const { state, document } = kept();
    expect(await document.get()).toBe(1);
    state.now = HOUR - 1;
    expect(await document.get()).toBe(1);
    state.now = HOUR;
    expect(await document.get()).toBe(2);
  });

  it('serves for a day when it cannot be read anew, and is asked for once a minute meanwhile', async () => {
    const { state, document } = kept();
    await document.get();
    state.isDown = true;
    state.now = 2 * HOUR;
    expect(await document.get()).toBe(1);
    state.now += MINUTE - 1;
    expect(await document.get()).toBe(1);
    expect(state.reads).toBe(2);
    state.now += 1;
    expect(await document.get()).toBe(1);
    expect(state.reads).toBe(3);
    state.now = 24 * HOUR;
    await expect(document.get()).rejects.toThrow('down');
    state.isDown = false;
    expect(await document.get()).toBe(5);
  });

  it('is read anew for whoever needs more than it holds, though not twice a minute', async () => {
    const { state, document } = kept();
    await document.get();
    const lacks = () => false;
    state.now = MINUTE - 1;
    expect(await document.get(lacks)).toBe(1);
    state.now = MINUTE;
    expect(await document.get(lacks)).toBe(2);
  });

  it('is read once for all who ask at once, and forgets a failure', async () => {
    const { state, document } = kept();
    state.isDown = true;
    const all = await Promise.allSettled([document.get(), document.get(), document.get()]);
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(state.reads).toBe(1);
    state.isDown = false;
    expect(await Promise.all([document.get(), document.get()])).toEqual([2, 2]);
  });
});
