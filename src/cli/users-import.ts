import { existsSync } from 'node:fs';
import type { App } from '../core/context.js';
import { type NewPerson, type Rejection, readPerson, toRejection } from '../modules/imports/import-input.js';
import {
  type BatchOutcome,
  beginImport,
  finishImport,
  type ImportBatch,
  type ImportOptions,
  importBatch,
} from '../modules/imports/imports.service.js';
import type { UserImportRow } from '../modules/imports/imports.table.js';
import { CommandRefusal } from './failure.js';
import { operator, withApp } from './opening.js';
import { examine, type FileRecord, formatOf, type PeopleFormat, readRecords } from './people-file.js';
import type { Progress } from './progress.js';
import { openRejectedFile } from './rejected-file.js';
import { EXIT, type Outcome } from './run.js';
import type { Ui } from './ui.js';

interface Options {
  file: string;
  format?: PeopleFormat;
  onConflict: ImportOptions['onConflict'];
  dryRun?: boolean;
  restart?: boolean;
  /** Where the report of rejected lines goes. */
  report?: string;
}

/** One transaction each: few enough to be over in a moment, many enough that commits do not matter. */
const BATCH = 500;

/** People from a file of another system, with the hashes of their passwords. Run again, it goes on. */
export async function usersImport(options: Options, ui: Ui): Promise<Outcome> {
  const { file } = options;
  if (!existsSync(file)) throw new CommandRefusal('USAGE', `There is no file ${file}.`, EXIT.usage);
  const format = formatOf(file, options.format);
  return withApp((app) => importPeople(app, { ...options, format }, ui));
}

export async function importPeople(app: App, options: Options & { format: PeopleFormat }, ui: Ui): Promise<Outcome> {
  const { file, format, dryRun = false, restart = false } = options;
  const report = options.report ?? `${file}${dryRun ? '.dry-run' : ''}.rejected.csv`;
  const { fingerprint, lines } = await examine(file);
  const begun = dryRun ? undefined : await beginImport(app, { fingerprint, restart });
  if (begun?.finishedAt) return describe({ ...begun, report }, 'This file has come in before; nothing was done');
  if (begun && begun.records > 0) ui.note(`Going on after ${begun.records} records.`);
  const rejectedFile = openRejectedFile(report, { lastLine: begun?.lastLine ?? 0 });
  const state = { records: 0, lastLine: 0, imported: 0, skipped: 0, rejected: 0, ...begun };
  const progress = ui.progress(dryRun ? 'Trying' : 'Importing', {
    total: Math.max(1, format === 'csv' ? lines - 1 : lines),
    unit: 'people',
    start: state.records,
  });
  const terms = { onConflict: options.onConflict, dryRun, actor: operator(), onRejected: rejectedFile.write };
  try {
    for await (const records of inBatches(readRecords(file, format), state.records)) {
      const batch = await readBatch(app, { fingerprint, from: state.records, records });
      add(state, await importBatch(app, batch, terms), batch);
      rejectedFile.keep();
      step(state, { progress, ui });
    }
    if (!dryRun) await finishImport(app, fingerprint);
  } finally {
    progress.stop();
    rejectedFile.close();
  }
  return describe({ ...state, report }, dryRun ? 'Tried and taken back' : 'Done');
}

type State = Pick<UserImportRow, 'records' | 'lastLine' | 'imported' | 'skipped' | 'rejected'>;

function add(state: State, outcome: BatchOutcome, { to, lastLine }: ImportBatch): void {
  state.records = to;
  state.lastLine = lastLine;
  for (const name of ['imported', 'skipped', 'rejected'] as const) state[name] += outcome[name];
}

function step(state: State, { progress, ui }: { progress: Progress; ui: Ui }): void {
  progress.reached(state.records);
  ui.checkpoint(`${state.records} records are dealt with. The same command goes on after line ${state.lastLine}.`);
}

async function* inBatches(records: AsyncIterable<FileRecord>, done: number): AsyncGenerator<FileRecord[]> {
  let batch: FileRecord[] = [];
  let place = 0;
  for await (const record of records) {
    place += 1;
    if (place <= done) continue;
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function readBatch(
  app: App,
  { fingerprint, from, records }: { fingerprint: string; from: number; records: readonly FileRecord[] },
): Promise<ImportBatch> {
  const people: { line: number; person: NewPerson }[] = [];
  const rejected: Rejection[] = [];
  for (const { line, record, problem } of records) {
    if (record === undefined) rejected.push({ line, code: 'LINE_INVALID', reason: `the line ${problem}` });
    else {
      try {
        people.push({ line, person: await readPerson(app, record) });
      } catch (error) {
        rejected.push(toRejection(line, error));
      }
    }
  }
  const lastLine = records.at(-1)?.lastLine ?? 0;
  return { fingerprint, from, to: from + records.length, lastLine, people, rejected };
}

function describe(state: State & { report: string }, verdict: string): Outcome {
  const { records, imported, skipped, rejected, report } = state;
  const sentence = `${verdict}: ${imported} people imported, ${skipped} there already, ${rejected} lines rejected.`;
  return {
    ok: rejected === 0,
    result: { records, imported, skipped, rejected, report: rejected > 0 ? report : null },
    text: rejected > 0 ? `${sentence}\nWhich lines and why: ${report}` : sentence,
  };
}
