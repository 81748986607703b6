import { getTableColumns, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { PgDialect, type PgTable } from 'drizzle-orm/pg-core';
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
export async function runTogether<Row>(app: App, writes: Record<string, SQLWrapper>, answer: SQL): Promise<Row[]> {
  const parts = Object.entries(writes).map(([name, write]) => sql`${sql.identifier(name)} as (${write.getSQL()})`);
  const { sql: text, params } = dialect.sqlToQuery(sql`with ${sql.join(parts, sql`, `)} ${answer}`);
  return app.sql.write<Row>(text, params);
}

/** One row, written only where the condition holds. Columns that are not named get their default. */
export function insertWhere<T extends PgTable>(table: T, row: T['$inferInsert'], condition: SQL): SQL {
  const columns = Object.entries(getTableColumns(table)).filter(([name]) => Reflect.get(row, name) !== undefined);
  const names = columns.map(([, column]) => sql.identifier(column.name));
  const values = columns.map(
    ([name, column]) => sql`${sql.param(Reflect.get(row, name), column)}::${sql.raw(column.getSQLType())}`,
  );
  return sql`insert into ${table} (${sql.join(names, sql`, `)}) select ${sql.join(values, sql`, `)} where ${condition}`;
}

/** Ends the statement, and so takes all of it back, when the condition does not hold: see `isRefused`. */
export function requireThat(condition: SQL): SQL {
  return sql`require_that(${condition})`;
}

/** Whether a statement ended because what it required did not hold. */
export function isRefused(error: unknown): boolean {
  return hasState(error, /^CR001$/);
}
