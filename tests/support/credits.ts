import { closeApp, createApp } from '../../src/app.js';
import { newId } from '../../src/core/columns.js';
import { buildConfig } from '../../src/core/config.js';
import type { Actor, App } from '../../src/core/context.js';
import { type Database, openDatabase } from '../../src/core/database.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { addCredits } from '../../src/modules/credits/movements.service.js';
import { createTestDatabase, silentLog } from './database.js';
import { uniqueName } from './harness.js';

export interface Ledger {
  app: App;
  clock: { advance(milliseconds: number): void };
  close(): Promise<void>;
}

/** An App without its doors, on a database of its own, with a clock that stands still until it is put forward. */
export async function createLedger(): Promise<Ledger> {
  const { dispose, ...database } = await createTestDatabase();
  const config = buildConfig({ NODE_ENV: 'test', ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=' });
  let now = Date.now();
  const app = await createApp({ ...config, database }, { log: silentLog, now: () => new Date(now) });
  return {
    app,
    clock: {
      advance(milliseconds) {
        now += milliseconds;
      },
    },
    async close() {
      await closeApp(app);
      await dispose();
    },
  };
}

/** A service, as its movements name it. */
export function serviceActor(id = newId()): Actor {
  return { kind: 'SERVICE', id, ip: null, userAgent: null, requestId: 'request-1' };
}

/** Somebody with a verified address and so many credits, without the detour through sign-up. */
export async function createOwner(app: App, options: { balance?: number; verified?: boolean } = {}): Promise<string> {
  const id = newId();
  const name = uniqueName('owner');
  const email = `${name}@example.com`;
  const now = app.now();
  await app.db.insert(users).values({
    id,
    username: name,
    usernameKey: name,
    email,
    emailKey: email,
    emailVerifiedAt: options.verified === false ? null : now,
    createdAt: now,
    updatedAt: now,
  });
  if (options.balance) {
    await addCredits(app, {
      userId: id,
      amount: options.balance,
      idempotencyKey: `start:${id}`,
      actor: serviceActor(),
    });
  }
  return id;
}

/**
 * The same database as another process sees it: connections and a lane of its own. An embedded database has no other
 * processes, but two lanes over it meet all the same.
 */
export async function openSecondInstance(app: App): Promise<{ app: App; close(): Promise<void> }> {
  const { config } = app;
  if (config.database.kind === 'postgres') {
    const database = await openDatabase(config.database, silentLog);
    return { app: withDatabase(app, database), close: () => database.close() };
  }
  return { app: withDatabase(app, { ...app.database }), close: async () => undefined };
}

function withDatabase(app: App, database: Database): App {
  return { ...app, database, db: database.db, sql: database.sql };
}

/** The code of the error a call ends with, or `done`. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

/** How often each outcome came. */
export function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
