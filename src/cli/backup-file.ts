import { createHash } from 'node:crypto';
import { json } from 'node:stream/consumers';
import { listTar, type StoredEntry, TarDamaged, type TarEntry } from '../core/tar.js';
import { CommandRefusal } from './failure.js';

/** The last file of a backup: without it the backup is not whole. */
export const MANIFEST = 'manifest.json';
export const KEY_ENTRY = 'keys/encryption.key';
export const FILES_PREFIX = 'files/';

export type DatabaseKind = 'pglite' | 'postgres';

/** How the database stands in the archive: a data directory, or what pg_dump writes (custom format). */
export const DATABASE_ENTRY: Record<DatabaseKind, string> = { pglite: 'database.tar.gz', postgres: 'database.dump' };

export interface Manifest {
  format: 1;
  /** Of Credence. */
  version: string;
  createdAt: string;
  database: DatabaseKind;
  /** Applied by then, oldest first. */
  migrations: string[];
  entries: TarEntry[];
}

export interface Backup {
  manifest: Manifest;
  entries: ReadonlyMap<string, StoredEntry>;
}

/**
 * Opens a backup and reads all of it once: what is restored from it afterwards is what was written, to the byte.
 *
 * @throws CommandRefusal for a file that is truncated, changed, or no backup
 */
export async function openBackup(file: string, onBytes: (bytes: number) => void): Promise<Backup> {
  const refuse = (why: string) => new CommandRefusal('BAD_BACKUP', `${file} cannot be restored: ${why}.`);
  const listed = await listTar(file).catch((error: unknown) => {
    if (error instanceof TarDamaged) throw refuse(error.message);
    throw error;
  });
  const entries = new Map(listed.map((entry) => [entry.name, entry]));
  const manifest = await readManifest(entries.get(MANIFEST));
  if (manifest === undefined) throw refuse(`it holds no ${MANIFEST}, so it is no backup of Credence`);
  if (manifest.format !== 1) throw refuse('it was made by a newer version');
  let done = 0;
  for (const { name, bytes, sha256 } of manifest.entries) {
    const entry = entries.get(name);
    if (entry?.bytes !== bytes) throw refuse(`${name} is not whole`);
    const hash = createHash('sha256');
    for await (const chunk of entry.stream() as AsyncIterable<Buffer>) {
      hash.update(chunk);
      done += chunk.length;
      onBytes(done);
    }
    if (hash.digest('hex') !== sha256) throw refuse(`${name} was changed since it was written`);
  }
  if (!entries.has(DATABASE_ENTRY[manifest.database])) throw refuse('the database is missing');
  return { manifest, entries };
}

async function readManifest(entry: StoredEntry | undefined): Promise<Manifest | undefined> {
  if (entry === undefined || entry.bytes === 0) return undefined;
  return (await json(entry.stream()).catch(() => undefined)) as Manifest | undefined;
}
