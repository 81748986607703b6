import { afterEach, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { publicRandom } from '../../src/core/random.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('ids', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are UUIDs of version 7 that sort in the order in which they were made, all of them different', () => {
    const ids = Array.from({ length: 20_000 }, newId);
    expect(ids.every((id) => UUID_V7.test(id))).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });

  it('begin with the time', () => {
    const before = Date.now();
    const millis = Number.parseInt(newId().replaceAll('-', '').slice(0, 12), 16);
    expect(millis).toBeGreaterThanOrEqual(before);
    expect(millis).toBeLessThanOrEqual(Date.now());
  });

  it('go on in order when the clock is set back', () => {
    const first = newId();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    const second = newId();
    expect(second > first).toBe(true);
  });
});

describe('random bytes for ids and nonces', () => {
  it('are never handed out twice, across fillings of the pool', () => {
    const drawn = Array.from({ length: 3_000 }, (_, at) => publicRandom(at % 2 === 0 ? 12 : 16).toString('hex'));
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(new Set(drawn.map((hex) => hex.length))).toEqual(new Set([24, 32]));
  });
});
