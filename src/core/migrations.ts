import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Database, DatabaseRefusal, type Sql } from './database.js';
import type { Logger } from './logger.js';

/**
 * Our own runner over the files that drizzle-kit generates. Drizzle's takes no lock (28 of 40 simultaneous starts
 * failed) and silently skips a migration dated before the newest applied one (SECURITY 1.3). Here every migration is
 * one transaction together with its row in `credence_migrations`, alone among all instances; and the whole history,
 * names and hashes, must be what the files say before anything runs.
 */
export interface MigrationOptions {
  readonly log: Logger;
  /** Where `meta/_journal.json` is; the package's own `drizzle` by default. */
  readonly directory?: string;
}

interface Migration {
  readonly index: number;
  /** Also the file's name, without its ending. */
  readonly name: string;
  readonly text: string;
  readonly hash: string;
}

export interface MigrationState {
  readonly name: string;
  /** null: not yet */
  readonly appliedAt: Date | null;
}

interface AppliedRow {
  index: number;
  name: string;
  hash: string;
  applied_at: Date;
}

/**
 * Brings the database up to this build, one transaction a migration. Any number of processes may do so at once.
 * @returns the names of those that this call applied.
 * @throws DatabaseRefusal when the history does not fit the files, or one fails (it then has changed nothing).
 */
export async function migrate(database: Database, options: MigrationOptions): Promise<string[]> {
  const migrations = await readMigrations(options.directory);
  // Nothing to do is the usual case, and needs no lock to see.
  if (nextOf(migrations, await readApplied(database.sql)) === undefined) return [];
  const applied: string[] = [];
  for (;;) {
    const name = await database.alone((sql) => applyNext(sql, migrations));
    if (name === undefined) return applied;
    options.log.info({ migration: name }, 'migration applied');
    applied.push(name);
  }
}

/**
 * Takes back the newest `steps` migrations, one transaction each.
 * @returns their names, newest first; fewer than `steps` when there are no more.
 * @throws DatabaseRefusal as `migrate`, and when one has no way down.
 */
export async function revertMigrations(
  database: Database,
  options: MigrationOptions & { steps: number },
): Promise<string[]> {
  const directory = options.directory ?? findMigrationsDirectory();
  const migrations = await readMigrations(directory);
  const reverted: string[] = [];
  while (reverted.length < options.steps) {
    const name = await database.alone((sql) => revertLast(sql, { directory, migrations }));
    if (name === undefined) break;
    options.log.info({ migration: name }, 'migration reverted');
    reverted.push(name);
  }
  return reverted;
}

/** Every migration of this build, oldest first. Changes nothing. @throws DatabaseRefusal as `migrate`. */
export async function listMigrations(
  database: Database,
  options: Pick<MigrationOptions, 'directory'> = {},
): Promise<MigrationState[]> {
  const migrations = await readMigrations(options.directory);
  const applied = await readApplied(database.sql);
  nextOf(migrations, applied);
  return migrations.map(({ name, index }) => ({ name, appliedAt: applied[index]?.applied_at ?? null }));
}

/**
 * How many migrations of this build the database lacks. Newer ones besides do not count: during an upgrade instances of
 * two versions run side by side, and the older ones must stay ready.
 */
export async function countPendingMigrations(
  database: Database,
  options: Pick<MigrationOptions, 'directory'> = {},
): Promise<number> {
  const migrations = await readMigrations(options.directory);
  const applied = new Set((await readApplied(database.sql)).map(({ name }) => name));
  return migrations.filter(({ name }) => !applied.has(name)).length;
}

async function applyNext(sql: Sql, migrations: readonly Migration[]): Promise<string | undefined> {
  await sql.query(
    `create table if not exists credence_migrations (
       index integer primary key,
       name text not null unique,
       hash text not null,
       applied_at timestamptz not null default now()
     )`,
    [],
  );
  const next = nextOf(migrations, await readApplied(sql));
  if (next === undefined) return undefined;
  await runScript(sql, { file: `${next.name}.sql`, text: next.text });
  await sql.query('insert into credence_migrations (index, name, hash) values ($1, $2, $3)', [
    next.index,
    next.name,
    next.hash,
  ]);
  return next.name;
}

async function revertLast(
  sql: Sql,
  { directory, migrations }: { directory: string; migrations: readonly Migration[] },
): Promise<string | undefined> {
  const applied = await readApplied(sql);
  nextOf(migrations, applied);
  const last = applied.at(-1);
  if (last === undefined) return undefined;
  const file = `${last.name}.down.sql`;
  if (!existsSync(join(directory, file)))
    throw new DatabaseRefusal(`There is no way down from ${last.name}: ${file} is missing.`);
  await runScript(sql, { file, text: await readFile(join(directory, file), 'utf8') });
  await sql.query('delete from credence_migrations where index = $1', [last.index]);
  return last.name;
}

const BREAKPOINT = '--> statement-breakpoint';

async function runScript(sql: Sql, { file, text }: { file: string; text: string }): Promise<void> {
  const statements = text.split(BREAKPOINT).map((statement) => statement.trim());
  for (const [position, statement] of statements.entries()) {
    if (statement === '') continue;
    try {
      await sql.query(statement, []);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DatabaseRefusal(
        `Migration ${file} failed at statement ${position + 1} (${shorten(statement)}): ${reason}. ` +
          'It has changed nothing.',
        { cause: error },
      );
    }
  }
}

const shorten = (statement: string) => statement.replace(/\s+/g, ' ').slice(0, 80);

async function readApplied(sql: Sql): Promise<AppliedRow[]> {
  const [table] = await sql.query<{ found: boolean }>(
    "select to_regclass('credence_migrations') is not null as found",
    [],
  );
  if (!table?.found) return [];
  return sql.query<AppliedRow>('select index, name, hash, applied_at from credence_migrations order by index', []);
}

/**
 * The migration to apply next, if any.
 * @throws DatabaseRefusal when what was applied is not, file by file, the beginning of what there is.
 */
function nextOf(migrations: readonly Migration[], applied: readonly AppliedRow[]): Migration | undefined {
  for (const [position, row] of applied.entries()) {
    const here = migrations[position];
    if (here?.name !== row.name) throw misplaced(row, { here, migrations });
    if (here.hash !== row.hash) {
      throw new DatabaseRefusal(
        `Migration ${row.name}.sql was edited after it had been applied to this database. ` +
          'Restore the file as it was, and put the change into a new migration.',
      );
    }
  }
  return migrations[applied.length];
}

function misplaced(
  row: AppliedRow,
  { here, migrations }: { here: Migration | undefined; migrations: readonly Migration[] },
): DatabaseRefusal {
  if (here && migrations.some(({ name }) => name === row.name)) {
    return new DatabaseRefusal(
      `Migration ${here.name}.sql stands before ${row.name}.sql, which this database has already. ` +
        'A new migration comes after all others: generate it again.',
    );
  }
  if (row.index < migrations.length) {
    return new DatabaseRefusal(`Migration ${row.name}.sql was applied to this database, but the file is missing.`);
  }
  return new DatabaseRefusal(
    `This database has migration ${row.name}.sql, which this build does not know. ` +
      'It belongs to a newer version: start that one, or let it take the migration back (migrate down).',
  );
}

interface Journal {
  entries: { idx: number; tag: string }[];
}

/** The files, oldest first. @throws DatabaseRefusal when they do not fit their journal. */
export async function readMigrations(directory = findMigrationsDirectory()): Promise<Migration[]> {
  const { entries } = JSON.parse(await readFile(join(directory, 'meta', '_journal.json'), 'utf8')) as Journal;
  const files = new Set(await readdir(directory));
  for (const [index, { idx, tag: name }] of entries.entries()) {
    if (idx !== index || Number(name.slice(0, 4)) !== index) {
      throw new DatabaseRefusal(`The migrations' journal is out of order at ${name}: expected number ${index}.`);
    }
    if (!files.delete(`${name}.sql`))
      throw new DatabaseRefusal(`Migration ${name}.sql is in the journal, but the file is missing.`);
  }
  const stranger = [...files].find((file) => file.endsWith('.sql') && !file.endsWith('.down.sql'));
  if (stranger !== undefined)
    throw new DatabaseRefusal(`Migration ${stranger} is not in the journal (meta/_journal.json).`);
  const read = async ({ tag: name }: Journal['entries'][number], index: number): Promise<Migration> => {
    // A checkout on Windows may end lines with CRLF: the same migration all the same.
    const text = (await readFile(join(directory, `${name}.sql`), 'utf8')).replaceAll('\r\n', '\n');
    return { index, name, text, hash: createHash('sha256').update(text).digest('hex') };
  };
  return Promise.all(entries.map(read));
}

/** `drizzle` of this package, from `src`, from `dist` and from a bundle alike. */
function findMigrationsDirectory(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const candidate = join(folder, 'drizzle');
    if (existsSync(join(candidate, 'meta', '_journal.json'))) return candidate;
    if (folder === dirname(folder)) {
      throw new DatabaseRefusal('The folder drizzle with the migrations is missing beside the program.');
    }
  }
}
