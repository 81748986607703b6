import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, openAsBlob } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/core/database.js';
import { createLogger } from '../../src/core/logger.js';
import { migrate } from '../../src/core/migrations.js';
import { prepareDatabase } from '../../src/core/prepared-database.js';
import { databaseUrl, type MigratedTemplate, onServer } from './database.js';

const root = resolve(import.meta.dirname, '../..');
const log = createLogger({ level: 'silent', pretty: false });
const run = promisify(execFile);

interface Made {
  template: MigratedTemplate;
  dispose(): Promise<void>;
}

/** Runs once before all tests: what they share is compiled and migrated here, and taken away at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await compile();
  const dumpFile = await prepareDatabase(log);
  await runNode('build/bundle.ts');
  const serverUrl = process.env.TEST_DATABASE_URL;
  const { template, dispose } = await (serverUrl ? makePostgresTemplate(serverUrl) : makePgliteTemplate(dumpFile));
  project.provide('migratedTemplate', template);
  return dispose;
}

const runNode = (...args: string[]) => run(process.execPath, args, { cwd: root });

/** Tests of the whole process start `dist/main.js`. Whether the types are right is for `npm run check` to say. */
async function compile(): Promise<void> {
  await runNode('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json').catch((error: unknown) => {
    if (!existsSync(join(root, 'dist/main.js'))) throw error;
  });
}

async function makePostgresTemplate(serverUrl: string): Promise<Made> {
  const template = `credence_template_${process.pid}_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `create database ${template}`);
  const database = await openDatabase({ kind: 'postgres', url: databaseUrl(serverUrl, template), connections: 4 }, log);
  await migrate(database, { log });
  await database.close();
  return {
    template: { kind: 'postgres', serverUrl, template },
    dispose: () => onServer(serverUrl, `drop database ${template} with (force)`),
  };
}

/** What the build has prepared, but opened in half of the time, which hundreds of openings are worth. */
async function makePgliteTemplate(prepared: string): Promise<Made> {
  const folder = await mkdtemp(join(tmpdir(), 'credence-template-'));
  const directory = join(folder, 'database');
  const database = await openDatabase({ kind: 'pglite', directory, loadFrom: await openAsBlob(prepared) }, log);
  // Half of the files belong to databases that nobody connects to.
  await database.sql.query('update pg_database set datistemplate = false', []);
  for (const name of ['template0', 'template1']) await database.sql.query(`drop database ${name}`, []);
  // A database that was closed has nothing to recover, other than one that was dumped while it ran.
  await database.close();
  const dumpFile = join(folder, 'database.tar');
  await run('tar', ['-cf', dumpFile, '-C', directory, '.']);
  await rm(directory, { recursive: true });
  return { template: { kind: 'pglite', dumpFile }, dispose: () => rm(folder, { recursive: true }) };
}
