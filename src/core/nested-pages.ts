import DataLoader from 'dataloader';
import { and, count, desc, eq, inArray, type SQL } from 'drizzle-orm';
import { type AnyPgColumn, type PgTable, unionAll } from 'drizzle-orm/pg-core';
import type { App, Context } from './context.js';
import { type Connection, olderThan, type Page, type PageArguments, readPage, toConnection } from './pages.js';

/**
 * A list, newest first, that hangs on every object of another list: the sessions of each of a hundred people. Pages
 * that are asked for at once, with the same arguments, are read by one statement.
 */
export interface NestedList<Row> {
  readonly table: PgTable;
  readonly columns: { readonly parent: AnyPgColumn; readonly time: AnyPgColumn; readonly id: AnyPgColumn };
  /** Which rows of the table are in the list at all. */
  readonly where?: (app: App) => SQL | undefined;
  readonly parentOf: (row: Row) => string | null;
  readonly keyOf: (row: Row) => [time: Date, id: string];
}

type TimePage = Page<readonly ['time', 'id']>;

interface Loaders<Row> {
  /** By page. */
  readonly pages: Map<string, DataLoader<string, Row[]>>;
  readonly counts: DataLoader<string, number>;
}

/**
 * One parent's page, batched within the request.
 * @throws BAD_USER_INPUT under `first` or `after`
 */
export async function loadNestedPage<Row>(
  context: Context,
  options: { list: NestedList<Row>; parentId: string; page: PageArguments },
): Promise<Connection<Row>> {
  const { list, parentId } = options;
  const page = readPage(options.page, ['time', 'id']);
  const { pages, counts } = loadersOf(context, list);
  const name = JSON.stringify(page);
  let rows = pages.get(name);
  if (rows === undefined) {
    rows = new DataLoader((parentIds) => loadRows(context.app, { list, parentIds, page }));
    pages.set(name, rows);
  }
  return toConnection(await rows.load(parentId), { page, keyOf: list.keyOf, count: () => counts.load(parentId) });
}

function loadersOf<Row>(context: Context, list: NestedList<Row>): Loaders<Row> {
  let loaders = context.loaders.get(list) as Loaders<Row> | undefined;
  if (loaders === undefined) {
    const counts = new DataLoader((parentIds: readonly string[]) => countRows(context.app, { list, parentIds }));
    loaders = { pages: new Map(), counts };
    context.loaders.set(list, loaders);
  }
  return loaders;
}

interface Wanted<Row> {
  list: NestedList<Row>;
  parentIds: readonly string[];
}

/** Each parent's page is a query of its own, which an index answers, and all of them are one statement. */
async function loadRows<Row>(app: App, { list, parentIds, page }: Wanted<Row> & { page: TimePage }): Promise<Row[][]> {
  const { table, columns, where, keyOf } = list;
  const [first, second, ...rest] = parentIds.map((parentId) =>
    app.db
      .select()
      .from(table)
      .where(and(eq(columns.parent, parentId), where?.(app), olderThan(columns, page.after)))
      .orderBy(desc(columns.time), desc(columns.id))
      .limit(page.limit + 1),
  );
  if (first === undefined) return [];
  const rows = (await (second === undefined ? first : unionAll(first, second, ...rest))) as Row[];
  const byParent = Map.groupBy(rows, list.parentOf);
  // UNION ALL promises no order, so it is made here.
  return parentIds.map((id) => (byParent.get(id) ?? []).sort((a, b) => compareKeys(keyOf(b), keyOf(a))));
}

function compareKeys(a: [Date, string], b: [Date, string]): number {
  return a[0].getTime() - b[0].getTime() || (a[1] < b[1] ? -1 : 1);
}

async function countRows<Row>(app: App, { list, parentIds }: Wanted<Row>): Promise<number[]> {
  const { table, columns, where } = list;
  const rows = await app.db
    .select({ parentId: columns.parent, rows: count() })
    .from(table)
    .where(and(inArray(columns.parent, [...parentIds]), where?.(app)))
    .groupBy(columns.parent);
  const counts = new Map(rows.map((row) => [row.parentId, row.rows]));
  return parentIds.map((id) => counts.get(id) ?? 0);
}
