import { and, desc, eq, getTableColumns, type SQL, sql } from 'drizzle-orm';
import { getTableConfig, type PgColumn, type PgTable, type SelectedFieldsFlat } from 'drizzle-orm/pg-core';
import type { App } from '../../core/context.js';
import { loginFailures } from '../auth/auth.table.js';
import { failuresOf } from '../auth/throttle.service.js';
import { findOpeningKeys } from '../data-keys/data-keys.service.js';
import { opened } from '../messages/message-logs.service.js';
import type { MessageLogRow } from '../messages/messages.table.js';
import type { HeldTable } from './privacy-map.js';

/** What the privacy map lets a person see of one row. */
export type HeldRow = Record<string, unknown>;

/** Of a column of a primary key. */
export type KeyValue = string | number | Date;

export interface HeldPage {
  rows: HeldRow[];
  /** Where the next page begins; undefined: there is no more. */
  next: KeyValue[] | undefined;
}

/** What is held about a person in one table, the newest first: ids are made in the order of time. */
export async function readHeldRows(
  app: App,
  options: { held: HeldTable; userId: string; limit: number; after?: readonly KeyValue[] | undefined },
): Promise<HeldPage> {
  const { held, userId, limit, after } = options;
  const table = held.table as PgTable;
  const columns = getTableColumns(table);
  const shown = Object.entries(columns).filter(([name]) => held.columns[name]?.exported);
  const key = keysOf(table);
  const rows = await app.db
    .select({
      shown: Object.fromEntries(shown) as SelectedFieldsFlat,
      key: Object.fromEntries(key.map((column) => [column.name, column])),
    })
    .from(table)
    .where(and(isOf(held, userId), after && isBefore(key, after)))
    .orderBy(...key.map((column) => desc(column)))
    .limit(limit);
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return {
    rows: await present(app, { held, userId, rows: rows.map((row) => row.shown as HeldRow) }),
    next: last && (Object.values(last.key) as KeyValue[]),
  };
}

/** Guesses are counted under keys that hold the person's id among other things. */
function isOf({ table, owner }: HeldTable, userId: string): SQL | undefined {
  if (table === loginFailures) return failuresOf(userId);
  const column = getTableColumns(table as PgTable)[owner];
  if (!column)
    throw new Error(`The privacy map names no column of ${getTableConfig(table as PgTable).name} as the owner’s.`);
  return eq(column, userId);
}

function keysOf(table: PgTable): PgColumn[] {
  const { columns, primaryKeys } = getTableConfig(table);
  const composed = primaryKeys[0]?.columns ?? [];
  return composed.length > 0 ? composed : columns.filter((column) => column.primary);
}

function isBefore(key: PgColumn[], after: readonly KeyValue[]): SQL {
  const values = key.map((column, index) => sql.param(after[index] ?? null, column));
  return sql`(${sql.join(key, sql`, `)}) < (${sql.join(values, sql`, `)})`;
}

async function present(
  app: App,
  { held, userId, rows }: { held: HeldTable; userId: string; rows: HeldRow[] },
): Promise<HeldRow[]> {
  if (held.section === 'securityHistory') return rows.map(withoutOperator);
  return held.section === 'messages' ? openMessages(app, { userId, rows }) : rows;
}

async function openMessages(app: App, options: { userId: string; rows: HeldRow[] }): Promise<HeldRow[]> {
  const { userId, rows } = options;
  const keys = (await findOpeningKeys(app, [userId])).get(userId);
  return rows.map((row) => {
    const { sealedContent, ...entry } = row;
    const { messages } = opened({ ...row, userId } as MessageLogRow, keys);
    return { ...entry, messages };
  });
}

/** Where operators sit and what they use is not the person's to know. */
function withoutOperator(row: HeldRow): HeldRow {
  const isOwn = row.actorKind === 'USER' || row.actorKind === 'ANONYMOUS';
  return isOwn ? row : { ...row, ip: null, userAgent: null };
}
