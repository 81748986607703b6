import { afterEach, describe, expect, it } from 'vitest';
import { closeApp, createApp } from '../../src/app.js';
import { ConfigError } from '../../src/core/config.js';
import { makeKey } from '../../src/core/secrets.js';
import { admins } from '../../src/modules/admin/admin.table.js';
import { bootstrap } from '../../src/modules/admin/bootstrap.service.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import { serviceKeys, services } from '../../src/modules/services/services.table.js';
import { findPostgresServer } from '../support/database.js';
import { type ConfigChanges, createHarness, type Harness } from '../support/harness.js';

let h: Harness;
afterEach(() => h.close());

async function start(config: ConfigChanges = {}) {
  h = await createHarness({ config });
  return h.app;
}

const STRONG = 'seven quiet herons cross the fjord';

async function signIn(identifier: string, password: string) {
  const query = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { admin { username permissions } } } }`;
  return h.graphql(query, { variables: { input: { identifier, password } } });
}

const validate = (serviceKey: string) => h.graphql(`{ validateToken(token: "x") { code } }`, { serviceKey });

describe('the first start', () => {
  it('makes an admin with every permission and a service with every scope, both usable with what is printed', async () => {
    const app = await start();
    const { adminUsername, adminPassword = '', serviceKey = '' } = await bootstrap(app);
    expect(adminUsername).toBe('admin');
    // 24 characters of 6 bits: more than 128.
    expect(adminPassword).toMatch(/^[\w-]{24}$/);
    const { data } = await signIn(adminUsername, adminPassword);
    expect(data.adminLogin.admin).toEqual({ username: 'admin', permissions: [...PERMISSIONS] });
    expect((await validate(serviceKey)).data.validateToken.code).toBe('MALFORMED');
    expect(await app.db.select().from(services)).toMatchObject([{ name: 'default', scopes: [...SERVICE_SCOPES] }]);
    const rows = await app.db.select().from(auditEvents);
    expect(rows.map(({ action, actorKind }) => `${actorKind} ${action}`)).toEqual(
      expect.arrayContaining(['SYSTEM admin.created', 'SYSTEM service.created']),
    );
  });

  it('stores neither password nor key, and prints them once', async () => {
    const app = await start();
    const first = await bootstrap(app);
    expect(await bootstrap(app)).toEqual({ adminUsername: 'admin' });
    const everything = JSON.stringify([
      await app.db.select().from(admins),
      await app.db.select().from(services),
      await app.db.select().from(serviceKeys),
      await app.db.select().from(auditEvents),
    ]);
    expect(everything).not.toContain(first.adminPassword);
    expect(everything).not.toContain(first.serviceKey);
  });

  it('takes password and key from the configuration, and does not print those', async () => {
    const key = makeKey('svc');
    const firstAdmin = { username: 'chief', email: 'chief@example.com', password: STRONG };
    const app = await start({ firstAdmin, firstServiceKey: key as never });
    expect(await bootstrap(app)).toEqual({ adminUsername: 'chief' });
    expect((await signIn('chief@example.com', STRONG)).errors).toBeUndefined();
    expect((await validate(key)).errors).toBeUndefined();
  });

  it('of eight instances at once one makes them, and only that one prints them', async () => {
    const app = await start();
    const server = findPostgresServer();
    const shared = { log: app.log, mailer: app.mailer };
    const apps = server ? await Promise.all(Array.from({ length: 7 }, () => createApp(app.config, shared))) : [];
    const starters = server ? [app, ...apps] : Array.from({ length: 8 }, () => app);
    const answers = await Promise.all(starters.map((starter) => bootstrap(starter)));
    expect(answers.filter(({ adminPassword }) => adminPassword !== undefined)).toHaveLength(1);
    expect(answers.filter(({ serviceKey }) => serviceKey !== undefined)).toHaveLength(1);
    expect([await app.db.$count(admins), await app.db.$count(services), await app.db.$count(serviceKeys)]).toEqual([
      1, 1, 1,
    ]);
    await Promise.all(apps.map(closeApp));
  });
});

describe('a configuration that cannot be used', () => {
  it.each([
    ['a short password', { firstAdmin: { password: 'short' } }, /ADMIN_PASSWORD/],
    ['a common password', { firstAdmin: { password: 'password1234' } }, /ADMIN_PASSWORD/],
    [
      'the user name for a password',
      { firstAdmin: { username: 'longadminname', password: 'longadminname' } },
      /ADMIN_PASSWORD/,
    ],
    ['a user name that is none', { firstAdmin: { username: 'a b' } }, /ADMIN_USERNAME/],
    ['an address that is none', { firstAdmin: { email: 'nowhere' } }, /ADMIN_EMAIL/],
    ['a key of our own making', { firstServiceKey: 'my-shared-secret' as never }, /INTERNAL_SERVICE_KEY.*make-key/],
    ['a key of another kind', { firstServiceKey: makeKey('key') as never }, /INTERNAL_SERVICE_KEY/],
    [
      'a key with a typing error',
      { firstServiceKey: `${makeKey('svc').slice(0, -1)}_` as never },
      /INTERNAL_SERVICE_KEY/,
    ],
  ])('%s stops the start with a sentence, and never shows the value', async (_, config: ConfigChanges, says) => {
    const app = await start(config);
    const error = await bootstrap(app).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    const { message } = error as ConfigError;
    expect(message).toMatch(says);
    const secret = config.firstAdmin?.password ?? config.firstServiceKey;
    if (secret) expect(message).not.toContain(secret);
    expect([await app.db.$count(admins), await app.db.$count(serviceKeys)]).not.toContain(2);
  });

  it('all complaints come at once', async () => {
    const app = await start({
      firstAdmin: { username: '!', email: '!', password: '!' },
      firstServiceKey: '!' as never,
    });
    const error = (await bootstrap(app).catch((thrown: unknown) => thrown)) as ConfigError;
    expect(error.complaints).toHaveLength(4);
    expect(await app.db.$count(admins)).toBe(0);
  });
});
