import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
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

/** Runs once before all tests: what they share is compiled and migrated here, and taken away at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await compile();
  const serverUrl = process.env.TEST_DATABASE_URL;
  const template = serverUrl
    ? await makePostgresTemplate(serverUrl)
    : { kind: 'pglite' as const, dumpFile: await prepareDatabase(log) };
  project.provide('migratedTemplate', template);
  return async () => {
    if (template.kind === 'postgres')
      await onServer(template.serverUrl, `drop database ${template.template} with (force)`);
  };
}

/** Tests of the whole process start `dist/main.js`. Whether the types are right is for `npm run check` to say. */
async function compile(): Promise<void> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: root }).catch((error: unknown) => {
    if (!existsSync(join(root, 'dist/main.js'))) throw error;
  });
}

async function makePostgresTemplate(serverUrl: string): Promise<MigratedTemplate> {
  const template = `credence_template_${process.pid}_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `create database ${template}`);
  const database = await openDatabase({ kind: 'postgres', url: databaseUrl(serverUrl, template), connections: 4 }, log);
  await migrate(database, { log });
  await database.close();
  return { kind: 'postgres', serverUrl, template };
}
