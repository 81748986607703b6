import { AppError } from './errors.js';

export interface Batcher<Item, Answer> {
  /**
   * Hands one item to the next batch and answers with its own answer, after the batch is done.
   * @throws what `send` answered for this item or threw; RETRY_LATER when too many wait already
   */
  add(item: Item): Promise<Answer>;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Shared commits: one batch is under way at a time, and what arrives meanwhile goes together in the next. Somebody who
 * comes alone goes at once, so nobody waits for company; the busier it is, the larger the batches, up to `maxBatch`.
 *
 * @param send answers for each item, in order: the answer, or an Error for that item alone. What it throws fails all.
 */
export function createBatcher<Item, Answer>(
  send: (items: Item[]) => Promise<(Answer | Error)[]>,
  options: { maxBatch: number; maxWaiting: number },
): Batcher<Item, Answer> {
  let waiting: Waiting<Item, Answer>[] = [];
  let isBusy = false;

  async function run(): Promise<void> {
    isBusy = waiting.length > 0;
    if (!isBusy) return;
    const batch = waiting.slice(0, options.maxBatch);
    waiting = waiting.slice(options.maxBatch);
    let settle: () => void;
    try {
      const answers = await send(batch.map(({ item }) => item));
      settle = () => {
        for (const [index, one] of batch.entries()) settleOne(one, answers[index]);
      };
    } catch (error) {
      settle = () => {
        for (const { reject } of batch) reject(error);
      };
    }
    // The next batch leaves before these callers go on: the database works while they do.
    void run();
    settle();
  }

  return {
    add(item) {
      if (waiting.length >= options.maxWaiting)
        return Promise.reject(new AppError('RETRY_LATER', { retryAfterSeconds: 1 }));
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        if (!isBusy) void run();
      });
    },
  };
}

function settleOne<Item, Answer>(one: Waiting<Item, Answer>, answer: Answer | Error | undefined): void {
  if (answer === undefined) one.reject(new Error('The batch gave no answer for an item.'));
  else if (answer instanceof Error) one.reject(answer);
  else one.resolve(answer);
}
