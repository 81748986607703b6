import { createReadStream, existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Config } from '../core/config.js';
import { type Database, openDatabase } from '../core/database.js';
import { listMigrations } from '../core/migrations.js';
import { packageVersion } from '../core/package-info.js';
import { createTar, type TarEntry, type TarWriter } from '../core/tar.js';
import { DATABASE_ENTRY, FILES_PREFIX, KEY_ENTRY, MANIFEST, type Manifest } from './backup-file.js';
import { CommandRefusal } from './failure.js';
import { commandLog, readConfig, requireExisting } from './opening.js';
import { dumpPostgres, requireTools } from './postgres-tools.js';
import type { Outcome } from './run.js';
import type { Ui } from './ui.js';

interface Options {
  file: string;
  withoutKeys?: boolean;
  withoutFiles?: boolean;
}

/** All that a Credence is: database, generated key, files. Under its own name the backup is whole or not there. */
export async function backup({ file, ...parts }: Options, ui: Ui): Promise<Outcome> {
  const config = readConfig();
  requireExisting(config);
  if (existsSync(file)) throw new CommandRefusal('EXISTS', `${file} is there already; give another name.`);
  const database = await openDatabase(config.database, commandLog(config));
  const draft = `${file}.part`;
  await rm(draft, { force: true });
  try {
    if (database.kind === 'postgres') await requireTools(database, ['pg_dump']);
    const tar = await createTar(draft);
    try {
      const manifest = await writeAll(tar, { config, database, ui, ...parts });
      await rename(draft, file);
      return describe(file, manifest, { bytes: (await stat(file)).size, config });
    } catch (error) {
      await tar.abandon().catch(() => undefined);
      throw error;
    }
  } finally {
    await rm(draft, { force: true });
    await database.close();
  }
}

type Source = { config: Config; database: Database; ui: Ui } & Omit<Options, 'file'>;

async function writeAll(
  tar: TarWriter,
  { config, database, ui, withoutKeys, withoutFiles }: Source,
): Promise<Manifest> {
  const migrations = (await listMigrations(database)).filter(({ appliedAt }) => appliedAt !== null);
  const entries: TarEntry[] = [];
  ui.note('Writing the database …');
  entries.push(await tar.add(DATABASE_ENTRY[database.kind], contentsOf(database, config)));
  ui.checkpoint('the unfinished backup was taken away.');
  const key = withoutKeys
    ? undefined
    : await readFile(resolve(config.dataDir, 'encryption.key')).catch(() => undefined);
  if (key) entries.push(await tar.add(KEY_ENTRY, [key]));
  if (!withoutFiles && config.storage.kind === 'local')
    for (const name of await listFiles(config.storage.directory)) {
      ui.checkpoint('the unfinished backup was taken away.');
      entries.push(await tar.add(FILES_PREFIX + name, createReadStream(join(config.storage.directory, name))));
    }
  const manifest: Manifest = {
    format: 1,
    version: packageVersion(),
    createdAt: new Date().toISOString(),
    database: database.kind,
    migrations: migrations.map(({ name }) => name),
    entries,
  };
  await tar.add(MANIFEST, [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)]);
  await tar.finish();
  return manifest;
}

async function* contentsOf(database: Database, config: Config): AsyncGenerator<Uint8Array> {
  if (config.database.kind === 'postgres') return yield* dumpPostgres(config.database.url);
  const dump = await database.dump?.();
  if (dump) yield* dump.stream() as AsyncIterable<Uint8Array>;
}

/** Avatars and exports, as the storage names them; drafts are of uploads that never ended. */
async function listFiles(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(directory.length + 1)
        .replaceAll('\\', '/'),
    )
    .filter((name) => !name.startsWith('drafts/'))
    .sort();
}

function describe(file: string, manifest: Manifest, { bytes, config }: { bytes: number; config: Config }): Outcome {
  const names = manifest.entries.map(({ name }) => name);
  const hasKey = names.includes(KEY_ENTRY);
  const files = names.filter((name) => name.startsWith(FILES_PREFIX)).length;
  const advice = hasKey
    ? 'It holds the encryption key beside the data: whoever reads it can sign tokens. Keep it like a password.'
    : 'It holds no encryption key. Without that key nothing sealed can be read again: keep it somewhere else.';
  const elsewhere = config.storage.kind === 's3' ? ['Avatars and exports are in the bucket, and not in here.'] : [];
  return {
    ok: true,
    result: { file, bytes, database: manifest.database, migrations: manifest.migrations.length, hasKey, files },
    text: [`Wrote ${file}: ${bytes} bytes, ${manifest.database} database, ${files} files.`, advice, ...elsewhere].join(
      '\n',
    ),
  };
}
