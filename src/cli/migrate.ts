import { Command, InvalidArgumentError } from 'commander';
import { buildConfig, readEnvironment } from '../core/config.js';
import { type Database, openDatabase } from '../core/database.js';
import { createLogger, type Logger } from '../core/logger.js';
import { listMigrations, migrate, revertMigrations } from '../core/migrations.js';

/** `credence migrate up | down [--steps n] | status`, on the configured database. */
export function migrateCommand(): Command {
  const command = new Command('migrate').description('bring the database up or down, or say where it stands');
  command.command('up').description('apply every migration that is missing').action(migrateUp);
  command
    .command('down')
    .description('take the newest migrations back, with everything their tables hold')
    .option('--steps <n>', 'how many', parseSteps, 1)
    .action(migrateDown);
  command.command('status').description('list the migrations').action(migrateStatus);
  return command;
}

function parseSteps(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('A whole number from 1.');
  return Number(text);
}

async function migrateUp(): Promise<void> {
  await withDatabase(async (database, log) => {
    print(await migrate(database, { log }), 'applied', 'Nothing to apply: the database is up to date.');
  });
}

async function migrateDown({ steps }: { steps: number }): Promise<void> {
  await withDatabase(async (database, log) => {
    print(await revertMigrations(database, { log, steps }), 'reverted', 'Nothing to revert: no migration is applied.');
  });
}

async function migrateStatus(): Promise<void> {
  await withDatabase(async (database) => {
    for (const { name, appliedAt } of await listMigrations(database)) {
      process.stdout.write(`${name}  ${appliedAt ? `applied ${appliedAt.toISOString()}` : 'pending'}\n`);
    }
  });
}

async function withDatabase(work: (database: Database, log: Logger) => Promise<void>): Promise<void> {
  const config = buildConfig(readEnvironment());
  // The names are printed for people; warnings (waiting for the server) are all that the log is for here.
  const log = createLogger({ ...config.log, level: 'warn' });
  const database = await openDatabase(config.database, log);
  try {
    await work(database, log);
  } finally {
    await database.close();
  }
}

function print(names: readonly string[], verb: string, otherwise: string): void {
  for (const name of names) process.stdout.write(`${verb} ${name}\n`);
  if (names.length === 0) process.stdout.write(`${otherwise}\n`);
}
