import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { CsvError, parse } from 'csv-parse';
import { PERSON_COLUMNS, type PersonRecord } from '../modules/imports/import-input.js';
import { CommandRefusal } from './failure.js';
import { EXIT } from './run.js';

export type PeopleFormat = 'csv' | 'jsonl';

/** One record, with the line on which it begins; `record` is missing where the line holds none. */
export interface FileRecord {
  line: number;
  lastLine: number;
  record: PersonRecord | undefined;
  /** Why there is none. Never holds a value of the line. */
  problem: string;
}

/** A record is a person; whoever sends a megabyte in one sends something else. */
const LONGEST_RECORD = 65_536;

export function formatOf(file: string, given: PeopleFormat | undefined): PeopleFormat {
  if (given) return given;
  const ending = extname(file).toLowerCase();
  if (ending === '.csv') return 'csv';
  if (['.jsonl', '.ndjson'].includes(ending)) return 'jsonl';
  throw new CommandRefusal('USAGE', `What is in ${file}? Say --format csv or --format jsonl.`, EXIT.usage);
}

/** What tells this file from every other and from its own later versions, and about how many records it holds. */
export async function examine(file: string): Promise<{ fingerprint: string; lines: number }> {
  const hash = createHash('sha256');
  let lines = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
  }
  return { fingerprint: hash.digest('hex'), lines };
}

/** The records of the file in their order, read as they are asked for. @throws CommandRefusal for what is no such file */
export function readRecords(file: string, format: PeopleFormat): AsyncGenerator<FileRecord> {
  return format === 'csv' ? readCsv(file) : readJsonLines(file);
}

async function* readCsv(file: string): AsyncGenerator<FileRecord> {
  const source = createReadStream(file);
  const parser = source.pipe(
    parse({ info: true, bom: true, relax_column_count: true, skip_empty_lines: true, max_record_size: LONGEST_RECORD }),
  );
  // A stream does not hand its errors on to the one it is piped to.
  source.on('error', (error) => parser.destroy(error));
  let columns: string[] | undefined;
  let before = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      const place = { line: before + 1, lastLine: info.lines };
      before = info.lines;
      if (columns === undefined) columns = readHeader(record);
      else yield { ...place, ...toRecord(columns, record) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const reason = error.code.replaceAll('_', ' ').toLowerCase();
    throw new CommandRefusal('BAD_FILE', `${file} is no CSV after line ${before}: ${reason}.`);
  } finally {
    source.destroy();
  }
  if (columns === undefined)
    throw new CommandRefusal('BAD_FILE', `${file} is empty: its first line names the columns.`);
}

function readHeader(names: readonly string[]): string[] {
  const columns = names.map((name) => columnOf(name) ?? '');
  const unknown = names.filter((_, place) => columns[place] === '');
  if (unknown.length > 0) {
    const known = PERSON_COLUMNS.join(', ');
    const shown = unknown.map((name) => JSON.stringify(name.slice(0, 40))).join(', ');
    throw new CommandRefusal('BAD_FILE', `Columns that are not known: ${shown}. Known are ${known}.`);
  }
  if (new Set(columns).size < columns.length) throw new CommandRefusal('BAD_FILE', 'A column stands there twice.');
  for (const needed of ['username', 'email'])
    if (!columns.includes(needed)) throw new CommandRefusal('BAD_FILE', `The column ${needed} is missing.`);
  return columns;
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[\s_-]/g, '');
const COLUMN_BY_PLAIN_NAME = new Map<string, string>(PERSON_COLUMNS.map((name) => [plain(name), name]));

/** `password_hash`, `PasswordHash` and `password hash` are all the same column. */
function columnOf(name: string): string | undefined {
  return COLUMN_BY_PLAIN_NAME.get(plain(name));
}

function toRecord(columns: readonly string[], values: readonly string[]): Pick<FileRecord, 'record' | 'problem'> {
  if (values.length !== columns.length) {
    const hint = values.length > columns.length ? '; a value that holds commas needs quotes' : '';
    return { record: undefined, problem: `has ${values.length} values for ${columns.length} columns${hint}` };
  }
  const said = columns
    .map((column, place) => [column, values[place]?.trim() ?? ''])
    .filter(([, value]) => value !== '');
  return { record: Object.fromEntries(said), problem: '' };
}

async function* readJsonLines(file: string): AsyncGenerator<FileRecord> {
  const source = createReadStream(file);
  const lines = createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY });
  let line = 0;
  try {
    for await (const text of lines) {
      line += 1;
      const place = { line, lastLine: line };
      if (text.trim() !== '') yield { ...place, ...parseLine(text.replace(/^\uFEFF/, '')) };
    }
  } finally {
    source.destroy();
  }
}

function parseLine(text: string): Pick<FileRecord, 'record' | 'problem'> {
  const none = (problem: string) => ({ record: undefined, problem });
  if (text.length > LONGEST_RECORD) return none('is too long');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return none('is no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return none('is no JSON object');
  const record: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    const column = columnOf(name);
    if (column === undefined) return none('holds a field that is not known');
    if (value === null || value === '') continue;
    if (!['string', 'number', 'boolean'].includes(typeof value)) return none(`holds no plain value for ${column}`);
    record[column] = String(value).trim();
  }
  return { record, problem: '' };
}
