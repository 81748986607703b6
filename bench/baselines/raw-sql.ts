import { finished } from 'node:stream/promises';
import { PGlite } from '@electric-sql/pglite';
import postgres from 'postgres';

// biome-ignore lint/suspicious/noExplicitAny: rows of statements that stand right beside their use.
export type Query = (text: string, params: unknown[]) => Promise<any[]>;

/** Prepared statements on two connections, or the embedded database in DATABASE_DIRECTORY. */
export async function openRawSql(): Promise<Query> {
  const { DATABASE_URL, DATABASE_DIRECTORY } = process.env;
  if (DATABASE_URL === undefined) {
    const pglite = await PGlite.create(DATABASE_DIRECTORY);
    return async (text, params) => (await pglite.query(text, params)).rows;
  }
  // Texts in, so that postgres.js asks the server for no types; arrays in PostgreSQL's own form.
  const client = postgres(DATABASE_URL, { max: 2, fetch_types: false, connection: { TimeZone: 'UTC', jit: 'off' } });
  const write = (value: unknown) => (Array.isArray(value) ? `{${value.join(',')}}` : value);
  return (text, params) => client.unsafe(text, params.map(write) as string[], { prepare: true });
}

/** COPY on one connection, one after the other: postgres.js sends what comes meanwhile into the text. PostgreSQL only. */
export function openRawCopy(statement: string): (text: string) => Promise<void> {
  const client = postgres(process.env.DATABASE_URL ?? '', { max: 1, fetch_types: false });
  const copy = async (text: string) => {
    const target = await client.unsafe(statement).writable();
    target.end(text);
    await finished(target);
  };
  let last: Promise<void> = Promise.resolve();
  return (text) => {
    last = last.then(() => copy(text));
    return last;
  };
}

/** Look-ups of one turn of the event loop in one statement with `= any($1)`; `key` names the column. */
export function batched(query: Query, { text, key }: { text: string; key: string }) {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  let waiting = new Map<string, PromiseWithResolvers<any>>();
  async function flush() {
    const batch = waiting;
    waiting = new Map();
    try {
      const rows = await query(text, [[...batch.keys()]]);
      for (const row of rows) batch.get(row[key])?.resolve(row);
      for (const asked of batch.values()) asked.resolve(undefined);
    } catch (error) {
      for (const asked of batch.values()) asked.reject(error);
    }
  }
  return (id: string) => {
    let asked = waiting.get(id);
    if (asked === undefined) {
      asked = Promise.withResolvers();
      waiting.set(id, asked);
      if (waiting.size === 1) setImmediate(flush);
    }
    return asked.promise;
  };
}
