import type { App } from './context.js';

/** Keys in one query. */
const MAX_BATCH = 500;
/**
 * Queries of one look-up under way at once, as many as the prepared lane has connections: what arrives meanwhile waits
 * for one of them and goes together. So the busier it is, the fewer queries there are for a caller; a socket write
 * each was a quarter of the processor time of a busy instance.
 */
const MAX_UNDER_WAY = 2;

/**
 * Look-ups that arrive in one turn of the event loop, or while others are under way, answered by one query. Nothing
 * is remembered and nobody joins a query that was sent before they asked: every caller sees what the database says
 * after they asked, so a revocation counts at once, on every instance.
 *
 * @param load answers a set of distinct keys; keys without a row are simply missing from the map
 */
export function createLookup<Value>(load: (keys: string[]) => Promise<Map<string, Value>>) {
  let waiting = new Map<string, PromiseWithResolvers<Value | undefined>>();
  let underWay = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled || underWay >= MAX_UNDER_WAY || waiting.size === 0) return;
    isScheduled = true;
    setImmediate(send);
  }

  async function send(): Promise<void> {
    isScheduled = false;
    underWay += 1;
    const batch = take();
    try {
      const found = await load([...batch.keys()]);
      for (const [key, asked] of batch) asked.resolve(found.get(key));
    } catch (error) {
      for (const asked of batch.values()) asked.reject(error);
    }
    underWay -= 1;
    schedule();
  }

  function take(): Map<string, PromiseWithResolvers<Value | undefined>> {
    const all = waiting;
    waiting = new Map(all.size > MAX_BATCH ? [...all].slice(MAX_BATCH) : []);
    return all.size > MAX_BATCH ? new Map([...all].slice(0, MAX_BATCH)) : all;
  }

  return function lookup(key: string): Promise<Value | undefined> {
    let asked = waiting.get(key);
    if (asked === undefined) {
      asked = Promise.withResolvers<Value | undefined>();
      waiting.set(key, asked);
      schedule();
    }
    return asked.promise;
  };
}

/**
 * `createLookup` over one prepared statement, whose only parameter is the array of keys and in whose rows `keyOf`
 * finds them again. Reads outside of transactions.
 */
export function createRowLookup<Row>(statement: string, keyOf: (row: Row) => string) {
  const lookups = new WeakMap<App['database'], (key: string) => Promise<Row | undefined>>();
  return function find(app: App, key: string): Promise<Row | undefined> {
    let lookup = lookups.get(app.database);
    if (lookup === undefined) {
      const { sql } = app.database;
      lookup = createLookup(async (keys) => {
        const rows = await sql.query<Row>(statement, [keys]);
        return new Map(rows.map((row) => [keyOf(row), row]));
      });
      lookups.set(app.database, lookup);
    }
    return lookup(key);
  };
}
