// The product's whole edge as it is shipped (HTTP, limits, guards, resolvers, metrics), on a database that answers the
// statements of `me` at once from memory, and with a list of people that needs none: what is left is transport.
import type { Database } from '../../src/core/database.js';
import type { UserRow } from '../../src/modules/auth/auth.table.js';
import { built } from '../built.ts';
import { HUNDRED } from './hundred.ts';

const { buildConfig } = await built<typeof import('../../src/core/config.js')>('core/config.js');
const { createApp } = await built<typeof import('../../src/app.js')>('app.js');
const { createServer } = await built<typeof import('../../src/api/server.js')>('api/server.js');
const { makeSigningKey } = await built<typeof import('../../src/core/tokens.js')>('core/tokens.js');
const { UsersResolver } = await built<typeof import('../../src/modules/admin/users.resolver.js')>(
  'modules/admin/users.resolver.js',
);

const { toUser } = await built<typeof import('../../src/modules/auth/auth.present.js')>('modules/auth/auth.present.js');

const userId = '0198c2d4-7d5c-7000-8000-000000000001';
const adminId = '0198c2d4-7d5c-7000-8000-000000000002';
const now = new Date();
const later = new Date(Date.now() + 3_600_000);

const common = {
  ...{ username: 'ada', email: 'ada@example.com', email_verified: true, level: null, has_totp: false },
  ...{ authenticated_at: now, revoked_at: null, expires_at: later, suspended_at: null, suspended_until: null },
  ...{ impersonator_id: null, read_only: false },
};
const ofUser = { kind: 'user', account_id: userId, plan_code: 'free', time_zone: 'UTC', permissions: null };
const ofAdmin = { kind: 'admin', account_id: adminId, plan_code: null, time_zone: null, permissions: ['users:read'] };
const sessions = [
  { ...common, ...ofUser, session_id: userId },
  { ...common, ...ofAdmin, session_id: adminId },
];
const user = {
  ...{ id: userId, username: 'ada', email: 'ada@example.com', emailVerifiedAt: now, displayName: null, locale: 'en' },
  ...{ timeZone: 'UTC', avatarUrl: null, planCode: 'free', status: 'ACTIVE', suspendedAt: null, suspendedUntil: null },
  ...{ createdAt: now, updatedAt: now, lastLoginAt: null },
};
const database = {
  kind: 'postgres',
  sql: {
    async query(statement: string) {
      if (statement.includes('from sessions')) return sessions;
      return statement.includes('from users') ? [user] : [];
    },
  },
  // Nothing changes here, and that is heard.
  async listen(_channel: string, _onPayload: unknown, onLive: (live: boolean) => void) {
    onLive(true);
    return () => undefined;
  },
} as unknown as Database;

const people = HUNDRED.map((person) => ({ ...user, ...person, emailVerifiedAt: now }) as unknown as UserRow);
const nodes = people.map((row) => toUser(row, now));
const list = { nodes } as unknown as Awaited<ReturnType<InstanceType<typeof UsersResolver>['users']>>;
UsersResolver.prototype.users = async () => list;

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
for (const [kind, id] of [
  ['user', userId],
  ['admin', adminId],
] as const) {
  const { token } = await app.tokens.sign({ kind, subject: id, sessionId: id, username: 'ada', now });
  process.stdout.write(`${kind} ${token}\n`);
}
const { fastify } = await createServer(app);
process.stdout.write(`listens on ${await fastify.listen({ host: '127.0.0.1', port: 0 })}\n`);
process.on('SIGTERM', () => process.exit(0));
