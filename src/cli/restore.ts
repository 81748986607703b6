import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { blob, buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Config } from '../core/config.js';
import { lockDataDirectory } from '../core/data-directory-lock.js';
import { openDatabase } from '../core/database.js';
import { countPendingMigrations, listMigrations } from '../core/migrations.js';
import type { StoredEntry } from '../core/tar.js';
import { inspectSigningKeys } from '../modules/auth/signing-keys.service.js';
import { verifyAudit } from './audit-verify.js';
import { type Backup, DATABASE_ENTRY, FILES_PREFIX, KEY_ENTRY, openBackup } from './backup-file.js';
import { CommandRefusal } from './failure.js';
import { checkLedger } from './ledger-verify.js';
import { commandLog, readConfig, withApp, withDatabase } from './opening.js';
import { requireTools, restorePostgres } from './postgres-tools.js';
import { EXIT, type Outcome } from './run.js';
import type { Ui } from './ui.js';

interface Options {
  file: string;
  /** Take the place of what is there. */
  force?: boolean;
}

/** Puts a backup in the place of an empty database, and proves that what is there then adds up. */
export async function restore({ file, force = false }: Options, ui: Ui): Promise<Outcome> {
  const config = readConfig();
  if (!existsSync(file)) throw new CommandRefusal('USAGE', `There is no file ${file}.`, EXIT.usage);
  ui.note('Reading the backup …');
  const backup = await openBackup(file, () => ui.checkpoint('nothing was changed.'));
  if (backup.manifest.database !== config.database.kind) {
    const [has, here] = [NAMES[backup.manifest.database], NAMES[config.database.kind]];
    throw new CommandRefusal('OTHER_DATABASE', `The backup is of ${has}; what is configured here is ${here}.`);
  }
  const aside = `before-restore-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  await requireKeyFits(config, backup, force);
  const notes = await restoreDatabase(config, backup, { force, aside, ui });
  notes.push(...(await restoreKey(config, backup, aside)), ...(await restoreFiles(config, backup)));
  return prove({ backup, notes, ui });
}

const NAMES = { pglite: 'the embedded database (no DATABASE_URL)', postgres: 'a PostgreSQL server' };

type Terms = { force: boolean; aside: string; ui: Ui };

async function restoreDatabase(config: Config, backup: Backup, terms: Terms): Promise<string[]> {
  const entry = entryOf(backup, DATABASE_ENTRY[backup.manifest.database]);
  if (config.database.kind === 'postgres') return restoreServer(config.database, entry, { config, ...terms });
  const { directory } = config.database;
  if (directory === undefined) throw new Error('A command has no database in memory.');
  const notes = await clearDirectory(directory, terms);
  terms.ui.note('Restoring the database …');
  const loadFrom = await blob(entry.stream());
  await (await openDatabase({ kind: 'pglite', directory, loadFrom }, commandLog(config))).close();
  return notes;
}

/** What was there is moved, never deleted. */
async function clearDirectory(directory: string, { force, aside }: Pick<Terms, 'force' | 'aside'>): Promise<string[]> {
  await mkdir(dirname(directory), { recursive: true });
  const lock = await lockDataDirectory(directory);
  try {
    const isEmpty = !existsSync(directory) || (await readdir(directory)).length === 0;
    if (isEmpty) return [];
    if (!force) throw notEmpty(directory, 'moves it aside');
    const place = `${directory}.${aside}`;
    await rename(directory, place);
    return [`The database that was there is now ${place}.`];
  } finally {
    await lock.release();
  }
}

type Server = Extract<Config['database'], { kind: 'postgres' }>;

async function restoreServer(
  server: Server,
  entry: StoredEntry,
  { config, force, ui }: Terms & { config: Config },
): Promise<string[]> {
  const database = await openDatabase(server, commandLog(config));
  try {
    await requireTools(database, ['pg_restore', 'psql']);
    const [row] = await database.sql.query<{ tables: number }>(
      "select count(*)::int as tables from pg_tables where schemaname in ('public', 'pgboss')",
      [],
    );
    if ((row?.tables ?? 0) > 0 && !force) throw notEmpty('The database', 'replaces every table in it');
  } finally {
    await database.close();
  }
  ui.note('Restoring the database …');
  await restorePostgres(server.url, entry.stream());
  return [];
}

function notEmpty(what: string, happens: string): CommandRefusal {
  return new CommandRefusal(
    'NOT_EMPTY',
    `${what} is not empty. Stop every server, then restore with --force, which ${happens}.`,
  );
}

function entryOf({ entries }: Backup, name: string): StoredEntry {
  const entry = entries.get(name);
  if (!entry) throw new Error('The backup was checked for it.');
  return entry;
}

async function readKeyFile(config: Config): Promise<string | undefined> {
  return readFile(resolve(config.dataDir, 'encryption.key'), 'utf8').catch(() => undefined);
}

/** A key of something else is not thrown away without being asked. */
async function requireKeyFits(config: Config, backup: Backup, force: boolean): Promise<void> {
  const entry = backup.entries.get(KEY_ENTRY);
  const here = await readKeyFile(config);
  if (!entry || here === undefined || force) return;
  if ((await buffer(entry.stream())).toString().trim() === here.trim()) return;
  const file = resolve(config.dataDir, 'encryption.key');
  throw new CommandRefusal('OTHER_KEY', `${file} is another key than the backup's. With --force it is moved aside.`);
}

async function restoreKey(config: Config, backup: Backup, aside: string): Promise<string[]> {
  const entry = backup.entries.get(KEY_ENTRY);
  if (!entry)
    return ['The backup holds no encryption key: put the one it was made with in ENCRYPTION_KEY or DATA_DIR.'];
  const file = resolve(config.dataDir, 'encryption.key');
  const key = (await buffer(entry.stream())).toString();
  const here = await readKeyFile(config);
  if (here !== undefined && here.trim() !== key.trim()) await rename(file, `${file}.${aside}`);
  await mkdir(config.dataDir, { recursive: true });
  await writeFile(file, key, { mode: 0o600 });
  return config.encryptionKey ? ['ENCRYPTION_KEY is set, so the key of the backup is not the one that counts.'] : [];
}

async function restoreFiles(config: Config, { entries }: Backup): Promise<string[]> {
  const files = [...entries.values()].filter(({ name }) => name.startsWith(FILES_PREFIX));
  if (files.length === 0) return [];
  if (config.storage.kind !== 'local') return [`${files.length} files stayed in the backup: STORAGE is s3 here.`];
  for (const entry of files) {
    const path = resolve(config.storage.directory, entry.name.slice(FILES_PREFIX.length));
    // Whoever made the archive chose the names.
    if (!path.startsWith(join(config.storage.directory, '/'))) throw new Error('A name leads out of the folder.');
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await pipeline(entry.stream(), createWriteStream(path, { mode: 0o600 }));
  }
  return [`${files.length} files are back in ${config.storage.directory}.`];
}

/** The journal of migrations, then every book, the whole audit log, and whether what is sealed can be opened. */
async function prove({ backup, notes, ui }: { backup: Backup; notes: string[]; ui: Ui }): Promise<Outcome> {
  const head = [`Restored what was backed up at ${backup.manifest.createdAt}.`, ...notes];
  const pending = await withDatabase(async (database) => {
    await listMigrations(database);
    return countPendingMigrations(database);
  });
  if (pending > 0) {
    const text = `It lacks ${pending} migrations of this build: run "credence migrate up", then "ledger verify" and "audit verify".`;
    return { ok: true, result: { notes, pending, ledger: null, audit: null }, text: [...head, text].join('\n') };
  }
  return withApp(async (app) => {
    const ledger = await checkLedger(app, ui);
    const audit = await verifyAudit(app, ui);
    const { sealed, opened } = await inspectSigningKeys(app);
    const keys = sealed > opened ? [LOCKED_OUT] : [];
    return {
      ok: ledger.ok && audit.ok && keys.length === 0,
      result: { notes, pending, keysOpen: keys.length === 0, ledger: ledger.result, audit: audit.result },
      text: [...head, ledger.text, audit.text, ...keys].join('\n'),
    };
  });
}

const LOCKED_OUT =
  'The encryption key here is NOT the one that this backup was made with: put that one in ENCRYPTION_KEY or DATA_DIR, or no server starts.';
