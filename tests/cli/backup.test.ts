import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBackup } from '../../src/cli/backup-file.js';
import { findPostgresServer } from '../support/database.js';
import { createPlace } from '../support/process.js';
import { credence, jsonOf } from './command.js';

let here: Awaited<ReturnType<typeof createPlace>>;
let there: Awaited<ReturnType<typeof createPlace>>;
let file: string;
const AVATAR = 'files/u/01890000-0000-7000-8000-00000000f0f0/01890000-0000-7000-8000-00000000f0f1.webp';

beforeAll(async () => {
  [here, there] = [await createPlace(), await createPlace({ empty: true })];
  file = join(here.dataDir, 'a.backup');
  if (findPostgresServer()) await credence(here.env, ['migrate', 'up']);
  await writeFile(join(here.dataDir, 'people.csv'), 'username,email,credits\nada,ada@example.com,7\n');
  await mkdir(join(here.dataDir, AVATAR, '..'), { recursive: true });
  await writeFile(join(here.dataDir, AVATAR), 'a picture');
  await credence(here.env, ['users', 'import', join(here.dataDir, 'people.csv')]);
  await credence(here.env, ['keys', 'rotate']);
}, 120_000);
afterAll(async () => {
  await here.dispose();
  await there.dispose();
});

it('a backup holds all there is, for its owner alone, and is back in an empty place with its books proven right', async () => {
  const written = await credence(here.env, ['backup', file, '--json']);
  expect(written.code).toBe(0);
  expect(jsonOf(written)).toMatchObject({ hasKey: true, files: 1 });
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(readdirSync(here.dataDir).filter((name) => name.endsWith('.part'))).toEqual([]);
  expect(await credence(here.env, ['backup', file])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is there already'),
  });

  const restored = await credence(there.env, ['restore', file, '--json']);
  expect(restored.code).toBe(0);
  expect(jsonOf(restored)).toMatchObject({
    ok: true,
    pending: 0,
    keysOpen: true,
    ledger: { ok: true, accounts: 1, transactions: 1 },
    audit: { ok: true, firstBroken: null },
  });
  expect(readFileSync(join(there.dataDir, 'encryption.key'))).toEqual(
    readFileSync(join(here.dataDir, 'encryption.key')),
  );
  expect(statSync(join(there.dataDir, 'encryption.key')).mode & 0o077).toBe(0);
  expect(readFileSync(join(there.dataDir, AVATAR), 'utf8')).toBe('a picture');
  const refused = await credence(there.env, ['restore', file, '--json']);
  expect(refused.code).toBe(1);
  expect(jsonOf(refused).error.code).toBe('NOT_EMPTY');
}, 300_000);

it('a backup that was cut off or changed is refused before anything is touched', async () => {
  const bytes = readFileSync(file);
  const damaged = join(here.dataDir, 'b.backup');
  for (const [contents, says] of [
    [bytes.subarray(0, bytes.length / 2), 'ends early'],
    [bytes.subarray(0, bytes.length - 4096), /ends early|manifest|not whole/],
    [Buffer.from(bytes).fill(1, 2_000, 2_001), 'was changed since it was written'],
    [Buffer.from('not a backup at all'.repeat(100)), 'not an archive'],
    [Buffer.alloc(0), 'ends early'],
  ] as const) {
    writeFileSync(damaged, contents);
    await expect(openBackup(damaged, () => undefined)).rejects.toThrow(says);
  }
});

it('without the key the backup says so, holds none, and with --force takes the place of what is there', async () => {
  const bare = join(here.dataDir, 'c.backup');
  const written = await credence(here.env, ['backup', bare, '--without-keys', '--without-files']);
  expect(written.stdout).toContain('holds no encryption key');
  const key = readFileSync(join(here.dataDir, 'encryption.key'), 'utf8').trim();
  expect(readFileSync(bare, 'latin1')).not.toContain(key);
  const { entries } = await openBackup(bare, () => undefined);
  expect([...entries.keys()].some((name) => name.startsWith('files/') || name.startsWith('keys/'))).toBe(false);
  const stranger = { ...there.env, ENCRYPTION_KEY: 'b3RoZXIga2V5IHdpdGggMzIgZGlzdGluY3QgYnl0ZXM=' };
  const restored = await credence(stranger, ['restore', bare, '--force', '--json']);
  expect(restored.code).toBe(1);
  expect(jsonOf(restored)).toMatchObject({ keysOpen: false, ledger: { ok: true, accounts: 1 }, audit: { ok: true } });
  if (!findPostgresServer())
    expect(readdirSync(there.dataDir).some((name) => name.startsWith('database.before-restore-'))).toBe(true);
}, 120_000);

it('a key of something else is not overwritten', async () => {
  const other = await createPlace({ empty: true });
  copyFileSync(file, join(other.dataDir, 'a.backup'));
  await writeFile(join(other.dataDir, 'encryption.key'), `${Buffer.alloc(32, 9).toString('base64')}\n`);
  const refused = await credence(other.env, ['restore', file, '--json']);
  expect(jsonOf(refused).error.code).toBe('OTHER_KEY');
  expect(existsSync(join(other.dataDir, 'database'))).toBe(false);
  await other.dispose();
}, 120_000);
