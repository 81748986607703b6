import { afterAll, beforeAll, expect, it } from 'vitest';
import { examineDatabase } from '../../src/cli/doctor-database.js';
import { buildConfig, type Environment } from '../../src/core/config.js';
import { createPostgresDatabase, createTestDatabase, findPostgresServer, onServer } from '../support/database.js';

const SERVER = findPostgresServer();
const ROLE = `credence_doctor_${process.pid}`;
let migrated: Awaited<ReturnType<typeof createTestDatabase>>;

beforeAll(async () => {
  if (!SERVER) return;
  migrated = await createTestDatabase();
  await onServer(SERVER, `create role ${ROLE} login`);
});
afterAll(async () => {
  if (!SERVER) return;
  await onServer(urlOf(), `drop owned by ${ROLE}`);
  await migrated.dispose();
  await onServer(SERVER, `drop role ${ROLE}`);
});

const urlOf = () => (migrated.kind === 'postgres' ? migrated.url : '');

async function examine(url: string, changes: Environment = {}): Promise<string[]> {
  const { database, findings } = await examineDatabase(
    buildConfig({ DATABASE_URL: url, LOG_LEVEL: 'silent', ...changes }),
  );
  await database?.close();
  return findings.map(({ level, sentence }) => `${level}: ${sentence}`);
}

it.skipIf(!SERVER)('a sound server is found sound', async () => {
  const found = await examine(urlOf());
  expect(found.filter((text) => !text.startsWith('ok'))).toEqual([]);
  expect(found.join('\n')).toMatch(/clocks[\s\S]*connections[\s\S]*tables and rows/);
});

it.skipIf(!SERVER)('more connections than the server has are a problem', async () => {
  await onServer(SERVER ?? '', 'select 1');
  const most = (await examine(urlOf(), { DATABASE_CONNECTIONS: '200' })).join('\n');
  expect(most).toMatch(/problem: One instance may hold 200 connections/);
});

it.skipIf(!SERVER)('a role without rights on the rows is a problem, and one with rows alone a warning', async () => {
  const url = new URL(urlOf());
  url.username = ROLE;
  await onServer(urlOf(), `grant select on credence_migrations to ${ROLE}`);
  expect((await examine(url.href)).join('\n')).toContain('problem: The role may not write the tables.');
  await onServer(urlOf(), `grant select, insert, update, delete on all tables in schema public to ${ROLE}`);
  expect((await examine(url.href)).join('\n')).toContain('warning: The role may change rows and not tables.');
});

it.skipIf(!SERVER)('a database without tables has its migrations pending', async () => {
  const empty = await createPostgresDatabase({ serverUrl: SERVER ?? '' });
  expect((await examine(empty.url)).join('\n')).toMatch(/problem: \d+ migrations are pending/);
  await empty.dispose();
});
