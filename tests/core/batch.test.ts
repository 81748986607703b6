import { describe, expect, it } from 'vitest';
import { createBatcher } from '../../src/core/batch.js';

/** A batcher whose batches end when told to. */
function createSlow(options: { maxBatch?: number; maxWaiting?: number } = {}) {
  const sent: { items: number[]; end: PromiseWithResolvers<(string | Error)[]> }[] = [];
  const batcher = createBatcher<number, string>(
    (items) => {
      const end = Promise.withResolvers<(string | Error)[]>();
      sent.push({ items, end });
      return end.promise;
    },
    { maxBatch: options.maxBatch ?? 100, maxWaiting: options.maxWaiting ?? 100 },
  );
  const settle = async (place: number, answer: (item: number) => string | Error = String) => {
    sent[place]?.end.resolve(sent[place].items.map(answer));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { sent, settle, add: (item: number) => batcher.add(item) };
}

const itemsOf = (sent: { items: number[] }[]) => sent.map(({ items }) => items);

describe('a batcher', () => {
  it('sends the first at once and all that come meanwhile together, in their order', async () => {
    const { sent, settle, add } = createSlow();
    const answers = [add(1), add(2), add(3)];
    expect(itemsOf(sent)).toEqual([[1]]);
    await settle(0);
    expect(itemsOf(sent)).toEqual([[1], [2, 3]]);
    await settle(1);
    expect(await Promise.all(answers)).toEqual(['1', '2', '3']);
  });

  it('never has two batches under way, and rests when nothing waits', async () => {
    const { sent, settle, add } = createSlow();
    const first = add(1);
    await settle(0);
    expect(await first).toBe('1');
    expect(sent).toHaveLength(1);
    void add(2);
    expect(itemsOf(sent)).toEqual([[1], [2]]);
  });

  it('keeps batches within their size', async () => {
    const { sent, settle, add } = createSlow({ maxBatch: 2 });
    const answers = [1, 2, 3, 4, 5, 6].map(add);
    for (let place = 0; place < 4; place += 1) await settle(place);
    expect(itemsOf(sent)).toEqual([[1], [2, 3], [4, 5], [6]]);
    expect(await Promise.all(answers)).toHaveLength(6);
  });

  it('gives each its own answer, be it an error', async () => {
    const { settle, add } = createSlow();
    void add(0);
    const answers = Promise.allSettled([add(1), add(2), add(3)]);
    await settle(0);
    await settle(1, (item) => (item === 2 ? new Error('not two') : String(item)));
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('fails all of a batch that fails, and no other', async () => {
    const { sent, settle, add } = createSlow();
    const lost = Promise.allSettled([add(1)]);
    const kept = add(2);
    sent[0]?.end.reject(new Error('connection lost'));
    expect((await lost)[0]?.status).toBe('rejected');
    await settle(1);
    expect(await kept).toBe('2');
  });

  it('refuses with RETRY_LATER when too many wait', async () => {
    const { add } = createSlow({ maxWaiting: 2 });
    for (const item of [1, 2, 3]) void add(item);
    await expect(add(4)).rejects.toMatchObject({ code: 'RETRY_LATER' });
  });

  it('fails an item for which there is no answer', async () => {
    const batcher = createBatcher<number, string>(async () => [], { maxBatch: 1, maxWaiting: 1 });
    await expect(batcher.add(1)).rejects.toThrow('no answer');
  });
});
