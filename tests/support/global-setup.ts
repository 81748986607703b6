import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/core/database.js';
import { createLogger } from '../../src/core/logger.js';
import { migrate } from '../../src/core/migrations.js';
import { databaseUrl, type MigratedTemplate, onServer } from './database.js';

const root = resolve(import.meta.dirname, '../..');
const log = createLogger({ level: 'silent', pretty: false });

/** Runs once before all tests: what they share is compiled and migrated here, and taken away at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await compile();
  const serverUrl = process.env.TEST_DATABASE_URL;
  const template = serverUrl ? await makePostgresTemplate(serverUrl) : await makePgliteDump();
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

/** Making and migrating an embedded database takes seconds, so the dump is kept for as long as nothing has changed. */
async function makePgliteDump(): Promise<MigratedTemplate> {
  const folder = join(root, 'node_modules/.cache/credence');
  const dumpFile = join(folder, `${await fingerprint()}.tar.gz`);
  if (existsSync(dumpFile)) return { kind: 'pglite', dumpFile };
  const database = await openDatabase({ kind: 'pglite', directory: undefined }, log);
  await migrate(database, { log });
  const dump = await database.dump?.();
  await database.close();
  if (!dump) throw new Error('PGlite gave no dump.');
  await mkdir(folder, { recursive: true });
  const unfinished = `${dumpFile}.${process.pid}`;
  await writeFile(unfinished, Buffer.from(await dump.arrayBuffer()));
  await rename(unfinished, dumpFile);
  return { kind: 'pglite', dumpFile };
}

/** Of everything that the dump depends on: PGlite itself and the migrations. */
async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  const files = (await readdir(join(root, 'drizzle'))).filter((name) => name.endsWith('.sql')).sort();
  const inputs = ['node_modules/@electric-sql/pglite/package.json', 'src/core/database-pglite.ts'];
  for (const file of [...inputs, ...files.map((name) => join('drizzle', name))]) {
    hash.update(`${file}\0`).update(await readFile(join(root, file)));
  }
  return hash.digest('hex').slice(0, 32);
}
