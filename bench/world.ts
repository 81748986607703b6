// The database that both sides of a comparison find: people with sessions and credits, and one service's key.
import { randomBytes, randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { App } from '../src/core/context.js';
import { built } from './built.ts';

export interface Person {
  readonly id: string;
  readonly username: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

export interface World {
  readonly kind: 'postgres' | 'pglite';
  /** For `node dist/main.js`. */
  readonly env: Record<string, string>;
  /** For our own programs on the same rows. PGlite lets one process in, so there they get a copy. */
  readonly rawEnv: Record<string, string>;
  /** With a live session each. */
  readonly people: readonly Person[];
  /** With credits: the people, and more. */
  readonly accountIds: readonly string[];
  readonly serviceKey: string;
  readonly password: string;
  /** Statements beside the servers; PostgreSQL only. */
  readonly databaseUrl: string | undefined;
  dispose(): Promise<void>;
}

const PEOPLE = 1_000;
const ACCOUNTS = 10_000;
/** As a password manager makes them; a long sentence costs the policy's estimate several times as much. */
const PASSWORD = 'k7Vq2-mTz9pL-w4Rb';

/** Settings that take the limits out of the way; all else is what a production server has. */
function productEnv(directory: string, databaseUrl: string | undefined): Record<string, string> {
  return {
    NODE_ENV: 'production',
    PORT: '0',
    PUBLIC_URL: 'https://bench.example.com',
    MAIL_TRANSPORT: 'mailbox',
    ADMIN_PASSWORD: PASSWORD,
    DATA_DIR: directory,
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    ACCESS_TOKEN_TTL: '3600',
    RATE_LIMIT_AUTH: '1000000',
    RATE_LIMIT_DEFAULT: '10000000',
    LOG_LEVEL: 'error',
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
  };
}

/** A database of its own on the server of `serverUrl`, or an embedded one in a temporary directory. */
export async function createWorld(
  serverUrl: string | undefined,
  { accounts = ACCOUNTS }: { accounts?: number } = {},
): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'credence-bench-'));
  const database = serverUrl === undefined ? undefined : await createDatabase(serverUrl);
  const dispose = async () => {
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const env = productEnv(directory, database?.url);
    const filled = await fill(env, accounts);
    const rawEnv = { JWKS: filled.jwks, ...(await rawDatabase(directory, database?.url)) };
    return { kind: database ? 'postgres' : 'pglite', env, rawEnv, databaseUrl: database?.url, dispose, ...filled };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function rawDatabase(directory: string, databaseUrl: string | undefined): Promise<Record<string, string>> {
  if (databaseUrl !== undefined) return { DATABASE_URL: databaseUrl };
  const copy = join(directory, 'raw');
  await cp(join(directory, 'database'), copy, { recursive: true });
  return { DATABASE_DIRECTORY: copy };
}

async function createDatabase(serverUrl: string) {
  const name = `credence_bench_${randomBytes(6).toString('hex')}`;
  const run = async (statement: string) => {
    const client = postgres(serverUrl, { max: 1, onnotice: () => undefined });
    await client.unsafe(statement).finally(() => client.end());
  };
  await run(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`drop database if exists ${name} with (force)`) };
}

/** Through the product's own code wherever it decides what a row looks like. */
async function fill(env: Record<string, string>, accounts: number) {
  const { buildConfig } = await built<typeof import('../src/core/config.js')>('core/config.js');
  const { createApp, closeApp } = await built<typeof import('../src/app.js')>('app.js');
  const { migrate } = await built<typeof import('../src/core/migrations.js')>('core/migrations.js');
  const { bootstrap } = await built<typeof import('../src/modules/admin/bootstrap.service.js')>(
    'modules/admin/bootstrap.service.js',
  );
  const { loadSigningKeys } = await built<typeof import('../src/modules/auth/signing-keys.service.js')>(
    'modules/auth/signing-keys.service.js',
  );
  const { loadEncryptionKey } = await built<typeof import('../src/core/secrets.js')>('core/secrets.js');
  const config = buildConfig(env);
  loadEncryptionKey(config);
  const app = await createApp(config);
  try {
    await migrate(app.database, { log: app.log });
    const { serviceKey = '' } = await bootstrap(app);
    await loadSigningKeys(app);
    const users = await addUsers(app, accounts);
    await addCredits(app, users);
    const people = await openSessions(app, users.slice(0, PEOPLE));
    await app.db.execute('analyze');
    const jwks = JSON.stringify(app.tokens.publicJwks());
    return { serviceKey, people, accountIds: users.map(({ id }) => id), password: PASSWORD, jwks };
  } finally {
    await closeApp(app);
  }
}

interface User {
  readonly id: string;
  readonly username: string;
}

async function addUsers(app: App, count: number): Promise<User[]> {
  const { users } = await built<typeof import('../src/modules/auth/auth.table.js')>('modules/auth/auth.table.js');
  const { newId } = await built<typeof import('../src/core/columns.js')>('core/columns.js');
  const passwordHash = await app.passwords.hash(PASSWORD);
  const now = app.now();
  const made = Array.from({ length: count }, (_, index) => ({ id: newId(), username: `person${index}` }));
  for (let at = 0; at < made.length; at += 500) {
    const rows = made.slice(at, at + 500).map(({ id, username }) => {
      const email = `${username}@example.com`;
      const keys = { username, usernameKey: username, email, emailKey: email };
      return {
        id,
        ...keys,
        passwordHash,
        locale: 'en',
        timeZone: 'UTC',
        emailVerifiedAt: now,
        createdAt: now,
        updatedAt: now,
      };
    });
    await app.db.insert(users).values(rows);
  }
  return made;
}

async function addCredits(app: App, users: readonly User[]): Promise<void> {
  const { moveCredits } = await built<typeof import('../src/modules/credits/ledger.service.js')>(
    'modules/credits/ledger.service.js',
  );
  const { SYSTEM_ACTOR } = await built<typeof import('../src/core/context.js')>('core/context.js');
  const movement = { operation: 'ADD', kind: 'GRANT', amount: 1_000_000, actor: SYSTEM_ACTOR } as const;
  for (let at = 0; at < users.length; at += 1_000) {
    const some = users.slice(at, at + 1_000);
    await Promise.all(
      some.map(({ id }) => moveCredits(app, { ...movement, userId: id, idempotencyKey: randomUUID() })),
    );
  }
}

async function openSessions(app: App, users: readonly User[]): Promise<Person[]> {
  const { openSession } = await built<typeof import('../src/modules/auth/sessions.service.js')>(
    'modules/auth/sessions.service.js',
  );
  const { SYSTEM_ACTOR } = await built<typeof import('../src/core/context.js')>('core/context.js');
  const people: Person[] = [];
  for (const user of users) {
    const account = { kind: 'user', ...user } as const;
    const { accessToken, refreshToken } = await openSession(app, { account, method: 'PASSWORD', actor: SYSTEM_ACTOR });
    people.push({ ...user, accessToken, refreshToken });
  }
  return people;
}
