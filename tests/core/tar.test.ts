import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTar, listTar } from '../../src/core/tar.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credence-tar-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SIZES = [0, 1, 511, 512, 513, 100_000];

async function archive(name: string): Promise<string> {
  const path = join(folder, name);
  const tar = await createTar(path);
  for (const size of SIZES) await tar.add(`part/${size}`, [Buffer.alloc(size, size % 251)]);
  await tar.finish();
  return path;
}

it('gives back what was put in, whatever its length', async () => {
  const entries = await listTar(await archive('a.tar'));
  expect(entries.map(({ name, bytes }) => [name, bytes])).toEqual(SIZES.map((size) => [`part/${size}`, size]));
  for (const { bytes, stream } of entries)
    expect((await buffer(stream())).equals(Buffer.alloc(bytes, bytes % 251)), String(bytes)).toBe(true);
});

it('is read by the tar of the machine', async ({ skip }) => {
  skip(spawnSync('tar', ['--version']).status !== 0, 'there is none');
  const { stdout, status } = spawnSync('tar', ['tf', await archive('b.tar')], { encoding: 'utf8' });
  expect({ status, names: stdout.trim().split('\n') }).toEqual({
    status: 0,
    names: SIZES.map((size) => `part/${size}`),
  });
});

it('writes over nothing, and reads nothing that is no archive', async () => {
  const path = await archive('c.tar');
  await expect(createTar(path)).rejects.toThrow('EEXIST');
  await writeFile(join(folder, 'd.tar'), 'x'.repeat(2_000));
  await expect(listTar(join(folder, 'd.tar'))).rejects.toThrow('not an archive');
});
