import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createServer } from '../../src/api/server.js';
import { closeApp, createApp } from '../../src/app.js';
import { newId } from '../../src/core/columns.js';
import { buildConfig, type Config } from '../../src/core/config.js';
import { type App, SYSTEM_ACTOR } from '../../src/core/context.js';
import { createLogger } from '../../src/core/logger.js';
import type { Letter } from '../../src/core/mail.js';
import { makeKey, sha256, startOfKey } from '../../src/core/secrets.js';
import { sendDueLetters } from '../../src/jobs/send-letters.js';
import { admins } from '../../src/modules/admin/admin.table.js';
import { openSession } from '../../src/modules/auth/sessions.service.js';
import { loadSigningKeys } from '../../src/modules/auth/signing-keys.service.js';
import { serviceKeys, services } from '../../src/modules/services/services.table.js';
import { staffMembers } from '../../src/modules/staff/staff.table.js';
import { createTestDatabase } from './database.js';

/** Parts of the configuration by concern, as tests change them. */
export type ConfigChanges = { [Concern in keyof Config]?: Partial<Config[Concern]> };

export interface Call {
  variables?: Record<string, unknown>;
  /** Access token or API key of a person, or an admin's access token. */
  token?: string | undefined;
  serviceKey?: string | undefined;
  headers?: Record<string, string>;
  ip?: string;
  operationName?: string;
}

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: tests walk answers freely; the schema is checked by the server.
  data: any;
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[] | undefined;
  /** Code of the first error. */
  code: string | undefined;
}

export interface Person {
  id: string;
  username: string;
  email: string;
  password: string;
  token: string;
  refreshToken: string;
}

export interface Harness {
  app: App;
  fastify: FastifyInstance;
  clock: {
    now(): Date;
    advance(milliseconds: number): void;
    set(date: Date): void;
    /** From now on time passes only by `advance` and `set`: a slow machine changes nothing. */
    freeze(): void;
  };
  graphql(query: string, call?: Call): Promise<Answer>;
  /** Sends what is due and answers all letters so far, oldest first; to one address if given. */
  letters(to?: string): Promise<Letter[]>;
  /** The token in the newest letter to the address (whose link has this path). */
  tokenFor(to: string, path?: string): Promise<string>;
  /** Signed up through the API; verified unless told otherwise. */
  person(options?: { verified?: boolean; username?: string; password?: string }): Promise<Person>;
  /** An admin with a live session. */
  admin(
    permissions: string[],
  ): Promise<{ id: string; username: string; email: string; password: string; token: string; refreshToken: string }>;
  /** A staff member of that level with a live session. */
  staff(
    level: number,
  ): Promise<{ id: string; username: string; email: string; password: string; token: string; refreshToken: string }>;
  service(scopes: string[]): Promise<{ id: string; key: string }>;
  close(): Promise<void>;
}

export const PASSWORD = 'violet tractor sings 77 at dusk';

let counter = 0;
/** A name nobody else in this run has. */
export function uniqueName(stem = 'person'): string {
  counter += 1;
  return `${stem}${process.pid}x${counter}`;
}

function testConfig(database: Config['database'], changes: ConfigChanges): Config {
  const base = buildConfig({
    NODE_ENV: 'test',
    PORT: '0',
    LOG_LEVEL: 'silent',
    ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
  });
  const config: Config = {
    ...base,
    database,
    // Cheap hashes: what is tested is what is done with them. tests/core/passwords has the real ones.
    passwords: { ...base.passwords, memoryKiB: 1024 },
    limits: { authPerMinute: 100_000, defaultPerMinute: 1_000_000 },
    storage: { kind: 'local', directory: join(tmpdir(), `credence-files-${process.pid}-${newId()}`) },
  };
  for (const [concern, change] of Object.entries(changes)) {
    const before = config[concern as keyof Config];
    Object.assign(config, {
      [concern]: typeof before === 'object' && before !== null ? { ...before, ...(change as object) } : change,
    });
  }
  return config;
}

function createClock() {
  let offset = 0;
  let frozenAt: number | undefined;
  const base = () => frozenAt ?? Date.now();
  return {
    now: () => new Date(base() + offset),
    advance(milliseconds: number) {
      offset += milliseconds;
    },
    set(date: Date) {
      offset = date.getTime() - base();
    },
    freeze() {
      frozenAt ??= Date.now();
    },
  };
}

/** A whole Credence on a database of its own; only mail and the clock are not the real ones. */
export async function createHarness(
  options: { config?: ConfigChanges; overrides?: Partial<App> } = {},
): Promise<Harness> {
  const { dispose, ...database } = await createTestDatabase();
  const config = testConfig(database as Config['database'], options.config ?? {});
  const clock = createClock();
  const sent: Letter[] = [];
  const app = await createApp(config, {
    log: createLogger(config.log),
    now: clock.now,
    mailer: {
      send: async (letter) => {
        sent.push(letter);
      },
      close: async () => undefined,
    },
    ...options.overrides,
  });
  await loadSigningKeys(app);
  const { fastify } = await createServer(app);

  async function graphql(query: string, call: Call = {}): Promise<Answer> {
    const { variables, token, serviceKey, headers, ip, operationName } = call;
    const response = await fastify.inject({
      method: 'POST',
      url: '/graphql',
      remoteAddress: ip ?? '127.0.0.1',
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(serviceKey !== undefined && { 'x-api-key': serviceKey }),
        ...headers,
      },
      payload: JSON.stringify({ query, ...(variables && { variables }), ...(operationName && { operationName }) }),
    });
    const body = JSON.parse(response.payload) as { data?: unknown; errors?: Answer['errors'] };
    return {
      status: response.statusCode,
      headers: response.headers,
      data: body.data,
      errors: body.errors,
      code: body.errors?.[0]?.extensions.code as string | undefined,
    };
  }

  async function letters(to?: string): Promise<Letter[]> {
    while ((await sendDueLetters(app)) > 0);
    return sent.filter((letter) => to === undefined || letter.to === to);
  }

  async function tokenFor(to: string, path = '/'): Promise<string> {
    for (const letter of (await letters(to)).reverse()) {
      const link = /https?:\/\/\S+\?token=(\S+)/g;
      for (const match of letter.text.matchAll(link))
        if (match[0].includes(`${path.replace(/^\/?/, '/')}`) && match[1]) return match[1];
    }
    throw new Error(`No letter with a link to ${path} for ${to}`);
  }

  async function person(wanted: { verified?: boolean; username?: string; password?: string } = {}): Promise<Person> {
    const username = wanted.username ?? uniqueName();
    const password = wanted.password ?? PASSWORD;
    const email = `${username.toLowerCase()}@example.com`;
    const answer = await graphql(
      `mutation($input: RegisterInput!) { register(input: $input) { accessToken refreshToken user { id } } }`,
      // One address a person: the letters one network may cause are limited.
      {
        variables: { input: { username, email, password } },
        ip: `10.${counter >> 16}.${(counter >> 8) & 255}.${counter & 255}`,
      },
    );
    if (answer.errors) throw new Error(`register: ${JSON.stringify(answer.errors)}`);
    if (wanted.verified !== false) {
      const token = await tokenFor(email, '/verify-email');
      const verified = await graphql(
        `mutation($token: String!) { verifyEmail(token: $token) { user { emailVerified } } }`,
        { variables: { token } },
      );
      if (verified.errors) throw new Error(`verifyEmail: ${JSON.stringify(verified.errors)}`);
    }
    const { accessToken, refreshToken, user } = answer.data.register;
    return { id: user.id, username, email, password, token: accessToken, refreshToken };
  }

  async function admin(permissions: string[]) {
    const id = newId();
    const username = uniqueName('admin');
    const email = `${username}@example.com`;
    const passwordHash = await app.passwords.hash(PASSWORD);
    await app.db.insert(admins).values({
      id,
      username,
      usernameKey: username,
      email,
      emailKey: email,
      passwordHash,
      permissions,
      createdAt: app.now(),
    });
    const issued = await openSession(app, {
      account: { kind: 'admin', id, username },
      method: 'PASSWORD',
      actor: SYSTEM_ACTOR,
    });
    return { id, username, email, password: PASSWORD, token: issued.accessToken, refreshToken: issued.refreshToken };
  }

  async function staff(level: number) {
    const id = newId();
    const username = uniqueName('staff');
    const email = `${username}@example.com`;
    const passwordHash = await app.passwords.hash(PASSWORD);
    const names = { username, usernameKey: username, email, emailKey: email };
    await app.db.insert(staffMembers).values({ id, ...names, passwordHash, level, createdAt: app.now() });
    const issued = await openSession(app, {
      account: { kind: 'staff', id, username },
      method: 'PASSWORD',
      actor: SYSTEM_ACTOR,
    });
    return { id, username, email, password: PASSWORD, token: issued.accessToken, refreshToken: issued.refreshToken };
  }

  async function service(scopes: string[]) {
    const id = newId();
    const key = makeKey('svc');
    await app.db.insert(services).values({ id, name: uniqueName('service'), scopes, createdAt: app.now() });
    await app.db
      .insert(serviceKeys)
      .values({ id: newId(), serviceId: id, keyHash: sha256(key), start: startOfKey(key), createdAt: app.now() });
    return { id, key };
  }

  return {
    app,
    fastify,
    clock,
    graphql,
    letters,
    tokenFor,
    person,
    admin,
    staff,
    service,
    async close() {
      await fastify.close();
      await closeApp(app);
      if (config.storage.kind === 'local') await rm(config.storage.directory, { recursive: true, force: true });
      await dispose();
    },
  };
}
