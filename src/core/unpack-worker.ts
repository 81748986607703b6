// A thread that unpacks the prepared database, started by prepared-database.ts: a thousand files are written while the
// server is still loading. It runs as built and, under the test runner, as it stands here (Node strips the types), so it
// imports nothing of ours.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';

export interface Unpacking {
  /** A tar file of ours, compressed by gzip: nothing in it is looked at with suspicion. */
  readonly archive: string;
  readonly directory: string;
}

const BLOCK = 512;
const DIRECTORY = '5';

const { archive, directory } = workerData as Unpacking;
const bytes = gunzipSync(readFileSync(archive));

/** A field of a header, which ends at its first zero byte. */
const field = (start: number, length: number) => bytes.toString('latin1', start, start + length).replace(/\0.*$/s, '');

for (let at = 0; bytes[at] !== 0 && at < bytes.length; ) {
  const path = join(directory, field(at, 100));
  const size = Number.parseInt(field(at + 124, 12), 8);
  const start = at + BLOCK;
  if (field(at + 156, 1) === DIRECTORY) mkdirSync(path, { recursive: true });
  else writeFileSync(path, bytes.subarray(start, start + size));
  at = start + Math.ceil(size / BLOCK) * BLOCK;
}
