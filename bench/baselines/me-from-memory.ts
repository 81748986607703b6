// The product's whole edge as it is shipped (HTTP, limits, guards, resolvers, metrics), on a database that answers the
// statements of `me` at once from memory: what is left is transport.
import type { Database } from '../../src/core/database.js';
import { built } from '../built.ts';

const { buildConfig } = await built<typeof import('../../src/core/config.js')>('core/config.js');
const { createApp } = await built<typeof import('../../src/app.js')>('app.js');
const { createServer } = await built<typeof import('../../src/api/server.js')>('api/server.js');
const { makeSigningKey } = await built<typeof import('../../src/core/tokens.js')>('core/tokens.js');

const id = '0198c2d4-7d5c-7000-8000-000000000001';
const sessionId = '0198c2d4-7d5c-7000-8000-000000000002';
const later = new Date(Date.now() + 3_600_000);
const now = new Date();
const session = { session_id: sessionId, user_id: id, account_id: id, username: 'ada', email: 'ada@example.com' };
const account = { email_verified: true, plan_code: 'free', time_zone: 'UTC', permissions: null, suspended_at: null };
const times = { authenticated_at: now, revoked_at: null, expires_at: later, suspended_until: null };
const user = {
  ...{ id, username: 'ada', email: 'ada@example.com', emailVerifiedAt: now, displayName: null, locale: 'en' },
  ...{ timeZone: 'UTC', avatarUrl: null, planCode: 'free', status: 'ACTIVE', suspendedAt: null, suspendedUntil: null },
  ...{ createdAt: now, updatedAt: now, lastLoginAt: null },
};

const rowsOf = (statement: string) =>
  statement.includes('from sessions') ? [{ ...session, ...account, ...times }] : [user];
const database = {
  kind: 'postgres',
  sql: { query: async (statement: string) => rowsOf(statement) },
} as unknown as Database;

const config = buildConfig({
  PORT: '0',
  NODE_ENV: 'test',
  ENCRYPTION_KEY: 'a1b2c3d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff00',
  RATE_LIMIT_DEFAULT: '10000000',
  ACCESS_TOKEN_TTL: '3600',
  LOG_LEVEL: 'error',
});
const app = await createApp(config, { database });
await app.tokens.loadKeys([{ ...(await makeSigningKey('EdDSA')), state: 'CURRENT' }]);
const { token } = await app.tokens.sign({ kind: 'user', subject: id, sessionId, username: 'ada', now });
const { fastify } = await createServer(app);
const url = await fastify.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`token ${token}\nlistens on ${url}\n`);
process.on('SIGTERM', () => process.exit(0));
