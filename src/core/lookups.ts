import type { App } from './context.js';

/**
 * Look-ups of one turn of the event loop, answered by one query. Nothing is remembered between turns: every
 * caller sees what the database says after it asked, so a revocation counts at once, on every instance.
 *
 * @param load answers a set of distinct keys; keys without a row are simply missing from the map
 */
export function createLookup<Value>(load: (keys: string[]) => Promise<Map<string, Value>>, maxBatch = 500) {
  let waiting = new Map<string, PromiseWithResolvers<Value | undefined>>();

  async function flush(): Promise<void> {
    const batch = waiting;
    waiting = new Map();
    try {
      const found = await load([...batch.keys()]);
      for (const [key, asked] of batch) asked.resolve(found.get(key));
    } catch (error) {
      for (const asked of batch.values()) asked.reject(error);
    }
  }

  return function lookup(key: string): Promise<Value | undefined> {
    let asked = waiting.get(key);
    if (asked === undefined) {
      asked = Promise.withResolvers<Value | undefined>();
      waiting.set(key, asked);
      if (waiting.size === 1) setImmediate(flush);
      else if (waiting.size >= maxBatch) flush();
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
