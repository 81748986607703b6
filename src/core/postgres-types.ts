import type postgres from 'postgres';

/** PostgreSQL's text form of an array, of any depth. Null and undefined elements are NULL. */
function writeArray(values: readonly unknown[]): string {
  return `{${values.map(writeElement).join(',')}}`;
}

function writeElement(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (Array.isArray(value)) return writeArray(value);
  const text = value instanceof Date ? value.toISOString() : String(value);
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Reads PostgreSQL's text form of a one-dimensional array. (postgres.js reads NULL as the string 'NULL'.) */
function readArray<T>(text: string, read: (element: string) => T): (T | null)[] {
  const elements: (T | null)[] = [];
  // An element in quotes, with backslashes before quotes and backslashes, or a bare one.
  for (const [, quoted, bare] of text.matchAll(/[{,](?:"((?:[^"\\]|\\.)*)"|([^{},"]+))/gs)) {
    if (quoted !== undefined) elements.push(read(quoted.replace(/\\(.)/gs, '$1')));
    else if (bare !== undefined) elements.push(bare === 'NULL' ? null : read(bare));
  }
  return elements;
}

/** As text, so that the server decides the type from the statement and not postgres.js from the value. */
export function writeParameter(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? writeArray(value) : value;
}

const writeAny = (value: unknown) => (Array.isArray(value) ? writeArray(value) : String(value));
const writeJson = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/**
 * How values travel: written out for postgres.js, which would otherwise ask the server for its array types on each new
 * connection, return bigint as a string, and quote JSON that already is text. PGlite does all this by itself.
 */
export const POSTGRES_TYPES = {
  bigint: { to: 20, from: [20], serialize: String, parse: Number },
  json: { to: 114, from: [114, 3802], serialize: writeJson, parse: (text: string) => JSON.parse(text) as unknown },
  // text[], varchar[], uuid[], numeric[]: as text, like their elements
  texts: {
    to: 1009,
    from: [1009, 1015, 1231, 2951],
    serialize: writeAny,
    parse: (text: string) => readArray(text, String),
  },
  // smallint[], integer[], bigint[], real[], double precision[]
  numbers: {
    to: 1007,
    from: [1005, 1007, 1016, 1021, 1022],
    serialize: writeAny,
    parse: (text: string) => readArray(text, Number),
  },
  booleans: {
    to: 1000,
    from: [1000],
    serialize: writeAny,
    parse: (text: string) => readArray(text, (element) => element === 't'),
  },
  // timestamp[], timestamptz[]
  moments: {
    to: 1185,
    from: [1115, 1185],
    serialize: writeAny,
    parse: (text: string) => readArray(text, (element) => new Date(element)),
  },
} satisfies Record<string, postgres.PostgresType>;
