import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { inject } from 'vitest';
import type { Config } from '../../src/core/config.js';
import { createLogger } from '../../src/core/logger.js';

/** What global-setup made once: a migrated PostgreSQL database to copy, or the dump of a migrated PGlite. */
export type MigratedTemplate =
  | { kind: 'postgres'; serverUrl: string; template: string }
  | { kind: 'pglite'; dumpFile: string };

declare module 'vitest' {
  interface ProvidedContext {
    migratedTemplate: MigratedTemplate;
  }
}

export type TestDatabase = Config['database'] & { dispose(): Promise<void> };

export const silentLog = createLogger({ level: 'silent', pretty: false });

/**
 * A migrated, empty database that nobody else uses: a PostgreSQL database with TEST_DATABASE_URL, PGlite in memory
 * without. Close what was opened on it before `dispose`.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const made = inject('migratedTemplate');
  if (made.kind === 'postgres') return createPostgresDatabase(made);
  const loadFrom = await readDump(made.dumpFile);
  return { kind: 'pglite', directory: undefined, loadFrom, dispose: async () => undefined };
}

/** Puts the migrated, empty PGlite database into a directory, as it was when it was closed. */
export async function fillDatabaseDirectory(directory: string): Promise<void> {
  const made = inject('migratedTemplate');
  if (made.kind !== 'pglite') throw new Error('Only without TEST_DATABASE_URL.');
  await mkdir(directory, { mode: 0o700, recursive: true });
  await promisify(execFile)('tar', ['-xf', made.dumpFile, '-C', directory]);
}

/** The server that the tests run on, when it is PostgreSQL. */
export function findPostgresServer(): string | undefined {
  const made = inject('migratedTemplate');
  return made.kind === 'postgres' ? made.serverUrl : undefined;
}

/** An empty database, without tables, on a PostgreSQL server; a copy of `template` if there is one. */
export async function createPostgresDatabase(options: {
  serverUrl: string;
  template?: string;
}): Promise<Extract<Config['database'], { kind: 'postgres' }> & { dispose(): Promise<void> }> {
  const { serverUrl, template = 'template1' } = options;
  const name = `credence_test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, `create database ${name} template ${template}`);
  return {
    kind: 'postgres',
    url: databaseUrl(serverUrl, name),
    connections: 8,
    dispose: () => onServer(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

/** The URL of another database on the same server. */
export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** One statement on the server's own database. */
export async function onServer(serverUrl: string, statement: string): Promise<void> {
  const client = postgres(serverUrl, { max: 1, onnotice: () => undefined });
  try {
    await client.unsafe(statement);
  } finally {
    await client.end();
  }
}

let dump: Promise<Blob> | undefined;

/** Read once, since one worker opens many databases. */
function readDump(dumpFile: string): Promise<Blob> {
  dump ??= readFile(dumpFile).then((bytes) => new Blob([bytes]));
  return dump;
}
