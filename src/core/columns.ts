import { getTableColumns } from 'drizzle-orm';
import { type PgTable, timestamp, uuid } from 'drizzle-orm/pg-core';
import { v7 } from 'uuid';
import { publicRandom } from './random.js';

let msecs = 0;
let seq = 0;

/** A new UUIDv7 (RFC 9562): unguessable enough for an id, ordered by when this process made it, never a secret. */
export function newId(): string {
  const random = publicRandom(16);
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // The clock's next tick comes long before the other half of the 32 bits is used up (RFC 9562, 6.2, method 1).
    seq = random.readUInt32BE(6) & 0x7fffffff;
  } else {
    seq += 1;
  }
  return v7({ random, msecs, seq });
}

/** The recurring columns. Every time is an instant with time zone; ids are UUIDv7 made by `newId`. */
export const id = () => uuid('id').primaryKey();
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
export const createdAt = () => moment('created_at').notNull();

const selectLists = new WeakMap<PgTable, string>();

/** `"email_key" as "emailKey", …`: what a statement of our own selects so that its rows are those of the table. */
export function selectList(table: PgTable): string {
  let list = selectLists.get(table);
  if (list === undefined) {
    const columns = Object.entries(getTableColumns(table));
    list = columns.map(([name, column]) => `"${column.name}" as "${name}"`).join(', ');
    selectLists.set(table, list);
  }
  return list;
}
