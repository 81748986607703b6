import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { openDatabase } from './database.js';
import type { Logger } from './logger.js';
import { migrate, readMigrations } from './migrations.js';
import { packageRoot } from './package-info.js';
import type { Unpacking } from './unpack-worker.js';

// Making an embedded database and migrating it takes seconds, and its outcome is always the same: it is made once, when
// the package is built, and copied at a first start. It holds tables and nothing else, so nothing of it is secret.

const PREFIX = 'database-';

/** Beside what was compiled; named after all that it depends on, so that one of another build is never taken. */
async function preparedFile(): Promise<string> {
  const hash = createHash('sha256');
  const pglite = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const { version } = JSON.parse(await readFile(`${dirname(pglite)}/../package.json`, 'utf8')) as { version: string };
  hash.update(version);
  for (const migration of await readMigrations()) hash.update(`\0${migration.name}\0${migration.hash}`);
  return fileURLToPath(new URL(`dist/${PREFIX}${hash.digest('hex').slice(0, 32)}.tar.gz`, packageRoot));
}

/**
 * Puts the database that was made when this was built into a new directory, by a thread of its own. Answers false when
 * none was made, which costs the first start some seconds.
 *
 * @param onStarted called when there is nothing to do here until the thread is done
 */
export async function unpackPreparedDatabase(directory: string, onStarted?: () => void): Promise<boolean> {
  const archive = await preparedFile();
  if (!existsSync(archive)) return false;
  const file = import.meta.url.endsWith('.ts') ? './unpack-worker.ts' : './unpack-worker.js';
  const worker = new Worker(fileURLToPath(new URL(file, import.meta.url)), {
    workerData: { archive, directory } satisfies Unpacking,
    env: {},
    execArgv: [],
  });
  onStarted?.();
  await new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
  return true;
}

/** Makes it, unless it is there, and answers the path of its file. Those of earlier migrations are deleted. */
export async function prepareDatabase(log: Logger): Promise<string> {
  const file = await preparedFile();
  if (existsSync(file)) return file;
  const database = await openDatabase({ kind: 'pglite', directory: undefined }, log);
  await migrate(database, { log });
  const dump = await database.dump?.();
  await database.close();
  if (!dump) throw new Error('PGlite gave no dump.');
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, Buffer.from(await dump.arrayBuffer()));
  await rename(unfinished, file);
  for (const name of await readdir(folder)) {
    if (name.startsWith(PREFIX) && name.endsWith('.tar.gz') && name !== basename(file)) await rm(`${folder}/${name}`);
  }
  return file;
}
