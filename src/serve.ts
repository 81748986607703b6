import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { Server } from './api/server.js';
import { closeApp, createApp } from './app.js';
import type { Config } from './core/config.js';
import type { App } from './core/context.js';
import { migrate } from './core/migrations.js';
import { unpackPreparedDatabase } from './core/prepared-database.js';
import { startExpireHolds } from './jobs/expire-holds.js';
import { startFollowSigningKeys } from './jobs/follow-signing-keys.js';
import { startLinkAuditEvents } from './jobs/link-audit-events.js';
import { startSchedule } from './jobs/schedule.js';
import { startSendEvents } from './jobs/send-events.js';
import { startSendLetters } from './jobs/send-letters.js';
import { startSpareMemory } from './jobs/spare-memory.js';
import { type Bootstrapped, beginBootstrap } from './modules/admin/bootstrap.service.js';
import { loadSigningKeys } from './modules/auth/signing-keys.service.js';

export interface Running {
  readonly app: App;
  /** Where it listens, for whoever asked for port 0. */
  readonly url: string;
  /** Says "not ready", stops accepting, finishes what runs, flushes and lets go. */
  stop(): Promise<void>;
}

/** How long load balancers get to see "not ready" before connections are refused. */
const NOTICE_MS = 2_000;
/** How long their open connections are kept after that; theirs should be given up sooner when idle. */
const LINGER_MS = 2_000;

function listenUrl(config: Config, address: AddressInfo): string {
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${config.server.host.includes(':') ? host : config.server.host}:${address.port}`;
}

/**
 * What was made at the first start, kept for its owner beside the other generated keys, so that the demo can play
 * without being told. Never in production, where it is printed and nothing else.
 */
function keepFirstCredentials(config: Config, made: Bootstrapped): void {
  if (config.environment === 'production') return;
  writeFileSync(resolve(config.dataDir, 'first-credentials.json'), `${JSON.stringify(made, null, 2)}\n`, {
    mode: 0o600,
  });
}

/** A new data directory gets the database that was made when this was built. */
function withPreparedDatabase(config: Config, onStarted: () => void): Config {
  if (config.database.kind !== 'pglite') return config;
  const fill = (directory: string) => unpackPreparedDatabase(directory, onStarted);
  return { ...config, database: { ...config.database, fill } };
}

/** The edge is most of what there is to load. */
async function loadEdge(): Promise<(app: App) => Promise<Server>> {
  const [{ createServer }, { createSchema }] = await Promise.all([
    import('./api/server.js'),
    import('./api/schema.js'),
  ]);
  const schema = createSchema();
  return (app) => createServer(app, schema);
}

/**
 * A whole server: database migrated, first accounts made, keys loaded, jobs running, port open.
 *
 * @param onFirstCredentials told what was just generated, before anything else can fail: nobody can ask for it again
 */
export async function serve(config: Config, onFirstCredentials: (made: Bootstrapped) => void): Promise<Running> {
  let edge: ReturnType<typeof loadEdge> | undefined;
  const edgeLoads = () => (edge ??= loadEdge());
  const opening = createApp(withPreparedDatabase(config, edgeLoads));
  // While others work on the database, there is time: PostgreSQL, or the thread that unpacks a new one.
  if (config.database.kind === 'postgres') edgeLoads();
  const app = await opening;
  try {
    await migrate(app.database, { log: app.log });
    const finishBootstrap = await beginBootstrap(app);
    // Put together while the first password is hashed, in another process.
    const makingServer = edgeLoads().then((createServer) => createServer(app));
    makingServer.catch(() => undefined);
    const made = await finishBootstrap();
    if (made.adminPassword || made.serviceKey) {
      onFirstCredentials(made);
      keepFirstCredentials(config, made);
    }
    await loadSigningKeys(app);
    const server = await makingServer;
    await server.fastify.listen({ host: config.server.host, port: config.server.port });
    const jobs = [
      startFollowSigningKeys(app),
      startSendEvents(app),
      startSendLetters(app),
      startExpireHolds(app),
      startLinkAuditEvents(app),
      startSchedule(app),
      startSpareMemory(),
    ];
    const url = listenUrl(config, server.fastify.server.address() as AddressInfo);
    return {
      app,
      url,
      async stop() {
        server.drain();
        const isBalanced = config.environment === 'production';
        if (isBalanced) await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
        await server.close({ lingerMs: isBalanced ? LINGER_MS : 0 });
        await Promise.all(jobs.map((job) => job.stop()));
        await closeApp(app);
      },
    };
  } catch (error) {
    await closeApp(app).catch(() => undefined);
    throw error;
  }
}
