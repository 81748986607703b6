import { AsyncLocalStorage } from 'node:async_hooks';

/** Raised before anything was sent: every connection stayed busy for longer than a caller is asked to wait. */
export class DatabaseBusyError extends Error {
  readonly code = 'DATABASE_BUSY';

  constructor() {
    super('Every database connection is busy.');
    this.name = 'DatabaseBusyError';
  }
}

/**
 * Keeps the outer handle out of a running transaction. PGlite has one connection, so the outer handle would wait for
 * the transaction that waits for it, for ever; on PostgreSQL the statement would silently run outside the transaction.
 */
export interface TransactionGuard {
  /** @throws Error at once when called from within a transaction on this database. */
  requireOutside(): void;
  /** Runs `work` marked as being within a transaction; the mark ends with it, also for work it left behind. */
  runInside<T>(work: () => Promise<T>): Promise<T>;
}

export function createTransactionGuard(): TransactionGuard {
  const marks = new AsyncLocalStorage<{ open: boolean }>();
  return {
    requireOutside() {
      if (marks.getStore()?.open) {
        throw new Error(
          'The outer database handle or another server was used inside a transaction: use the app that transact hands to its callback, and its db only.',
        );
      }
    },
    async runInside(work) {
      const mark = { open: true };
      try {
        return await marks.run(mark, work);
      } finally {
        mark.open = false;
      }
    },
  };
}

interface Waiter {
  readonly enter: () => void;
  readonly timer: NodeJS.Timeout;
}

/** Lets `permits` callers in at once; the others wait in a bounded line for a bounded time (SECURITY Q5). */
export class Gate {
  readonly #waiting = new Set<Waiter>();
  readonly #waitMs: number;
  readonly #line: number;
  readonly #size: number;
  #free: number;

  constructor(options: { permits: number; waitMs: number; line: number }) {
    this.#size = options.permits;
    this.#free = options.permits;
    this.#waitMs = options.waitMs;
    this.#line = options.line;
  }

  load(): { size: number; free: number; waiting: number } {
    return { size: this.#size, free: this.#free, waiting: this.#waiting.size };
  }

  /** @throws DatabaseBusyError when the line is full or the wait is over. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #wait(): Promise<void> {
    if (this.#waiting.size >= this.#line) return Promise.reject(new DatabaseBusyError());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        enter: resolve,
        timer: setTimeout(() => {
          this.#waiting.delete(waiter);
          reject(new DatabaseBusyError());
        }, this.#waitMs),
      };
      this.#waiting.add(waiter);
    });
  }

  /** The permit goes straight to the next in line, so that nobody overtakes. */
  #leave(): void {
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter);
      clearTimeout(waiter.timer);
      waiter.enter();
      return;
    }
    this.#free += 1;
  }
}

/** Whether `ask` is fulfilled within the time. Never throws. */
export async function answersWithin(milliseconds: number, ask: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, milliseconds, false);
  });
  const answer = ask().then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** A channel's name goes into LISTEN as it is, so it may be nothing but a plain identifier. */
export function requireChannel(channel: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(channel)) throw new Error(`Not a channel name: ${channel}`);
  return channel;
}
