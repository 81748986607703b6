import { getTableColumns, getTableName, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { type PgColumn, PgDialect, type PgTable } from 'drizzle-orm/pg-core';
import type { App } from './context.js';
import { hasState } from './database.js';

const dialect = new PgDialect();

/**
 * Several writes as one statement: all of them or none, for one round trip and one commit, where a transaction would
 * take two of each. Not for use within a transaction.
 *
 * The writes see the database as it was when the statement began, not each other (PostgreSQL, 7.8.4), so whatever must
 * be looked at after a lock or a unique index was waited for belongs in a volatile function, such as `require_that`.
 *
 * @param writes by name, in no order but that one which another (or `answer`) reads from comes before it
 * @param answer what is asked for in the end
 */
export async function runTogether<Row>(
  app: App,
  writes: Record<string, NewRow | SQLWrapper>,
  answer: SQL,
): Promise<Row[]> {
  const params: unknown[] = [];
  const parts = Object.entries(writes).map(([name, write]) => `"${name}" as (${toText(write, params)})`);
  return app.sql.write<Row>(`with ${parts.join(', ')} ${toText(answer, params)}`, params);
}

/** The text of a part whose values go behind those of the parts before it. */
function toText(part: NewRow | SQLWrapper, params: unknown[]): string {
  if (part instanceof NewRow) return part.toText(params);
  const before = params.length;
  const query = dialect.sqlToQuery(part.getSQL());
  params.push(...query.params);
  return query.sql.replace(/\$(\d+)/g, (_, number) => `$${Number(number) + before}`);
}

/**
 * A row to be written with others, only where the condition holds if there is one: the part answers it as written.
 * Columns that are not named get their default. Drizzle's own insert says the same, but goes through all columns of the
 * table and takes twenty times as long to write down: a millisecond of a sign-up.
 */
export function newRow<T extends PgTable>(table: T, row: T['$inferInsert'], condition?: SQL): NewRow {
  return new NewRow(table, row, condition);
}

export class NewRow {
  readonly #table: PgTable;
  readonly #condition: SQL | undefined;
  readonly #columns: PgColumn[] = [];
  readonly #values: unknown[] = [];

  constructor(table: PgTable, row: Record<string, unknown>, condition: SQL | undefined) {
    this.#table = table;
    this.#condition = condition;
    const columns: Record<string, PgColumn> = getTableColumns(table);
    for (const [key, value] of Object.entries(row)) {
      const column = columns[key];
      if (value === undefined || column === undefined) continue;
      this.#columns.push(column);
      this.#values.push(value === null ? null : column.mapToDriverValue(value));
    }
  }

  toText(params: unknown[]): string {
    const before = params.length;
    params.push(...this.#values);
    const names = this.#columns.map(({ name }) => `"${name}"`);
    const places = this.#columns.map((column, index) => `$${before + index + 1}::${column.getSQLType()}`);
    const where = this.#condition && ` where ${toText(this.#condition, params)}`;
    return `insert into "${getTableName(this.#table)}" (${names.join(', ')}) select ${places.join(', ')}${where ?? ''} returning *`;
  }
}

/** Ends the statement, and so takes all of it back, when the condition does not hold: see `isRefused`. */
export function requireThat(condition: SQL): SQL {
  return sql`require_that(${condition})`;
}

/** Whether a statement ended because what it required did not hold. */
export function isRefused(error: unknown): boolean {
  return hasState(error, /^CR001$/);
}
