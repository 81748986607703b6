import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';

const THREADS = 4;
const ROUNDS = 100;

/** Asks for the key of each folder when all the others are about to do the same, and answers what it got. */
const ASKING = `
  const { parentPort, workerData } = require('node:worker_threads');
  const arrived = new Int32Array(workerData.arrived);
  import(workerData.module).then(({ loadEncryptionKey }) => {
    const keys = Array.from({ length: ${ROUNDS} }, (_, round) => {
      Atomics.add(arrived, 0, 1);
      while (Atomics.load(arrived, 0) < ${THREADS} * (round + 1));
      return loadEncryptionKey({ dataDir: workerData.folder + '/' + round }).toString('base64');
    });
    parentPort.postMessage(keys);
  });
`;

it('is made once, whole and for its owner alone, however many start on one data directory at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'credence-keys-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const module = resolve(import.meta.dirname, '../../dist/core/secrets.js');
  const arrived = new SharedArrayBuffer(4);
  const ask = () =>
    new Promise<string[]>((found, failed) => {
      const worker = new Worker(ASKING, { eval: true, workerData: { module, folder, arrived } });
      // Or the others would wait for ever for one that failed.
      onTestFinished(async () => void (await worker.terminate()));
      worker.once('message', found).once('error', failed);
    });
  const [first, ...others] = await Promise.all(Array.from({ length: THREADS }, ask));
  expect(new Set(first).size).toBe(ROUNDS);
  for (const keys of others) expect(keys).toEqual(first);
  for (const place of await readdir(folder)) {
    expect(await readdir(join(folder, place))).toEqual(['encryption.key']);
    expect((await stat(join(folder, place, 'encryption.key'))).mode & 0o777).toBe(0o600);
  }
});
