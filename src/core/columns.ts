import { getTableColumns } from 'drizzle-orm';
import { type PgTable, timestamp, uuid } from 'drizzle-orm/pg-core';
import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562): unguessable enough for an id, ordered by time, never a secret. */
export function newId(): string {
  return v7();
}

/** The recurring columns. Every time is an instant with time zone; ids are UUIDv7 made by `newId`. */
export const id = () => uuid('id').primaryKey();
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
export const createdAt = () => moment('created_at').notNull();

/** `"email_key" as "emailKey", …`: what a statement of our own selects so that its rows are those of the table. */
export function selectList(table: PgTable): string {
  return Object.entries(getTableColumns(table))
    .map(([name, column]) => `"${column.name}" as "${name}"`)
    .join(', ');
}
