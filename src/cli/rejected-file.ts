import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import type { Rejection } from '../modules/imports/import-input.js';

/** The report of lines that stayed outside: CSV of line, code and reason, and nothing of the lines themselves. */
export interface RejectedFile {
  /** Replaces what was written since the last `keep`: a batch that is tried again is reported once. */
  write(rejections: readonly Rejection[]): void;
  keep(): void;
  /** A report without a line is no file. */
  close(): void;
}

const HEADER = 'line,code,reason\n';

/** Goes on with a report that is there already, up to the line that had been dealt with; anything behind is of a batch that was lost. */
export function openRejectedFile(path: string, { lastLine }: { lastLine: number }): RejectedFile {
  const before = lastLine > 0 ? readKept(path, lastLine) : '';
  const file = openSync(path, 'w', 0o600);
  let length = writeSync(file, before || HEADER);
  let end = length;
  return {
    write(rejections) {
      ftruncateSync(file, length);
      const text = rejections.map(({ line, code, reason }) => `${line},${code},"${reason.replaceAll('"', '""')}"\n`);
      end = length + writeSync(file, text.join(''), length);
    },
    keep() {
      length = end;
    },
    close() {
      ftruncateSync(file, length);
      closeSync(file);
      if (length === HEADER.length) rmSync(path);
    },
  };
}

function readKept(path: string, lastLine: number): string {
  try {
    const [header = '', ...rows] = readFileSync(path, 'utf8').split('\n');
    const kept = rows.filter((row) => row !== '' && Number.parseInt(row, 10) <= lastLine);
    return [header, ...kept].map((row) => `${row}\n`).join('');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
