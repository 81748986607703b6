import { type SQL, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { badInput } from './errors.js';
import { isUuid } from './input.js';

/**
 * Relay connections over keyset cursors, for every list of the API.
 *
 *     const page = readPage(arguments, ['time', 'id']);
 *     rows = … where olderThan(columns, page.after) … order by created_at desc, id desc limit page.limit + 1
 *     return toConnection(rows, { page, keyOf: (row) => [row.createdAt, row.id], count: () => … });
 *
 * A cursor is the sort key of one row and nothing else. It grants nothing: the query still filters by owner, so a
 * forged or borrowed cursor only moves the caller about in a list that is theirs already (I11).
 */
export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

/** What one part of a sort key is: how it is written into a cursor, and which texts are let back in. */
interface Parts {
  time: Date;
  id: string;
  integer: number;
  text: string;
}

export type KeyKind = keyof Parts;
export type KeyOf<Kinds extends readonly KeyKind[]> = { -readonly [Index in keyof Kinds]: Parts[Kinds[Index]] };

export interface Page<Kinds extends readonly KeyKind[]> {
  readonly limit: number;
  readonly after: KeyOf<Kinds> | undefined;
}

export interface Connection<Node> {
  readonly edges: { cursor: string; node: Node }[];
  readonly nodes: Node[];
  readonly pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
  /** Counted only when somebody reads it. */
  readonly totalCount: number | Promise<number>;
}

export const DEFAULT_PAGE = 20;
export const LARGEST_PAGE = 100;
const LONGEST_CURSOR = 1024;
/** What PostgreSQL and a JavaScript Date can both hold. */
const EARLIEST = Date.parse('0001-01-01T00:00:00Z');
const LATEST = Date.parse('9999-12-31T00:00:00Z');

/**
 * Checks `first` (1–100, 20 when absent) and `after` against the list's sort key.
 * @throws BAD_USER_INPUT under `first` or `after`
 */
export function readPage<const Kinds extends readonly KeyKind[]>(asked: PageArguments, kinds: Kinds): Page<Kinds> {
  const limit = asked.first ?? DEFAULT_PAGE;
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) {
    throw badInput({ first: `must be between 1 and ${LARGEST_PAGE}` });
  }
  if (asked.after === null || asked.after === undefined) return { limit, after: undefined };
  const after = readCursor(asked.after, kinds);
  if (after === undefined) throw badInput({ after: 'must be a cursor of this list' });
  return { limit, after };
}

/**
 * @param rows the page's rows and one more when there are more: query with `limit: page.limit + 1`
 * @param options.keyOf the sort key of a row, in the order given to `readPage`
 * @param options.count how many rows the list has in all
 */
export function toConnection<Row, const Kinds extends readonly KeyKind[]>(
  rows: readonly Row[],
  options: {
    page: Page<Kinds>;
    keyOf: (row: Row) => KeyOf<Kinds>;
    count: () => number | Promise<number>;
  },
): Connection<Row> {
  const { page, keyOf, count } = options;
  const nodes = rows.slice(0, page.limit);
  const edges = nodes.map((node) => ({ cursor: writeCursor(keyOf(node)), node }));
  return {
    edges,
    nodes,
    pageInfo: {
      hasNextPage: rows.length > page.limit,
      hasPreviousPage: page.after !== undefined,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    get totalCount() {
      return count();
    },
  };
}

/** The condition for the rows after a cursor, in a list that is newest first; undefined on the first page. */
export function olderThan(
  columns: { time: AnyPgColumn; id: AnyPgColumn },
  after: readonly [time: Date, id: string] | undefined,
): SQL | undefined {
  if (after === undefined) return undefined;
  const { time, id } = columns;
  return sql`(${time}, ${id}) < (${sql.param(after[0], time)}, ${sql.param(after[1], id)})`;
}

/** The same page with each node as the schema shows it. The count stays uncounted until somebody reads it. */
export function mapConnection<From, To>(connection: Connection<From>, show: (node: From) => To): Connection<To> {
  const edges = connection.edges.map(({ cursor, node }) => ({ cursor, node: show(node) }));
  return {
    edges,
    nodes: edges.map((edge) => edge.node),
    pageInfo: connection.pageInfo,
    get totalCount() {
      return connection.totalCount;
    },
  };
}

export function writeCursor(key: readonly (Date | string | number)[]): string {
  const parts = key.map((part) => (part instanceof Date ? part.getTime() : part));
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readCursor<const Kinds extends readonly KeyKind[]>(cursor: string, kinds: Kinds): KeyOf<Kinds> | undefined {
  if (cursor.length > LONGEST_CURSOR || !/^[\w-]+$/.test(cursor)) return undefined;
  const parts = parseJson(Buffer.from(cursor, 'base64url').toString('utf8'));
  if (!Array.isArray(parts) || parts.length !== kinds.length) return undefined;
  const key = kinds.map((kind, index) => readPart(kind, parts[index]));
  return key.includes(undefined) ? undefined : (key as KeyOf<Kinds>);
}

function readPart(kind: KeyKind, part: unknown): Date | string | number | undefined {
  switch (kind) {
    case 'time':
      return Number.isSafeInteger(part) && Number(part) >= EARLIEST && Number(part) <= LATEST
        ? new Date(Number(part))
        : undefined;
    case 'integer':
      return Number.isSafeInteger(part) ? Number(part) : undefined;
    case 'id':
      return typeof part === 'string' && isUuid(part) ? part : undefined;
    case 'text':
      return typeof part === 'string' && part.isWellFormed() && !part.includes('\0') ? part : undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
