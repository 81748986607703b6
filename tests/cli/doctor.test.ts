import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examineDatabase } from '../../src/cli/doctor-database.js';
import { INSIDE_CHECKS } from '../../src/cli/doctor-inside.js';
import { OUTSIDE_CHECKS } from '../../src/cli/doctor-outside.js';
import type { Check, Finding } from '../../src/cli/doctor-scope.js';
import { readSettings, SETTING_CHECKS } from '../../src/cli/doctor-settings.js';
import { buildConfig, type Config, type Environment } from '../../src/core/config.js';
import type { App } from '../../src/core/context.js';
import { createSecrets } from '../../src/core/secrets.js';
import { admins } from '../../src/modules/admin/admin.table.js';
import { rotateDueSigningKeys } from '../../src/modules/auth/signing-keys.service.js';
import { createHarness, type Harness } from '../support/harness.js';
import { startSmtpServer } from '../support/smtp-server.js';

const PRODUCTION: Environment = {
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://id.example.com',
  FRONTEND_URL: 'https://app.example.com',
  ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
  DATABASE_URL: 'postgres://db.example.com/credence',
  REDIS_URL: 'redis://redis.example.com',
  SMTP_URL: 'smtps://mail.example.com:465',
  MAIL_FROM: 'Example <no-reply@example.com>',
  TRUST_PROXY: '10.0.0.0/8',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credence-doctor-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function ask(checks: readonly Check[], name: string, config: Config, app?: App): Promise<Finding[]> {
  const check = checks.find((one) => one.name === name);
  if (!check) throw new Error(`There is no check ${name}.`);
  return check.look({ config, app });
}

/** What a check of settings says of this environment. */
const settings = (name: string, environment: Environment) => ask(SETTING_CHECKS, name, buildConfig(environment));
const outside = (name: string, environment: Environment) =>
  ask(OUTSIDE_CHECKS, name, buildConfig({ DATA_DIR: folder, ...environment }));
const levels = (findings: readonly Finding[]) => findings.map(({ level }) => level);
const said = (findings: readonly Finding[]) => findings.map(({ sentence }) => sentence).join('\n');

describe('settings', () => {
  it('of a sound production are found sound', async () => {
    expect(levels(readSettings(PRODUCTION).findings)).toEqual(['ok']);
    for (const name of ['node', 'addresses', 'production', 'stripe'])
      expect(levels(await settings(name, PRODUCTION)), name).toEqual(['ok']);
  });

  it('that cannot be used are all named, and the others are looked at all the same, as production', () => {
    const { PUBLIC_URL: _, ENCRYPTION_KEY: __, ...lacking } = PRODUCTION;
    const { config, findings } = readSettings({ ...lacking, PORT: 'x', ACCESS_TOKEN_TTL: '1' });
    expect(new Set(levels(findings))).toEqual(new Set(['problem']));
    for (const name of ['PORT', 'ACCESS_TOKEN_TTL', 'PUBLIC_URL', 'ENCRYPTION_KEY'])
      expect(said(findings)).toContain(name);
    expect(config).toMatchObject({
      environment: 'production',
      redisUrl: PRODUCTION.REDIS_URL,
      mail: { transport: 'smtp' },
    });
  });

  it.each<[string, string, Environment, string, RegExp]>([
    [
      'addresses',
      'an app on this machine',
      { FRONTEND_URL: 'http://localhost:5173' },
      'problem',
      /FRONTEND_URL names this machine/,
    ],
    [
      'addresses',
      'links by plain http',
      { FRONTEND_URL: 'http://app.example.com' },
      'problem',
      /FRONTEND_URL is plain http/,
    ],
    [
      'addresses',
      'a public address of this machine',
      { PUBLIC_URL: 'https://localhost' },
      'problem',
      /PUBLIC_URL names this machine/,
    ],
    ['addresses', 'proxies that nobody listed', { TRUST_PROXY: '' }, 'warning', /TRUST_PROXY is empty/],
    ['addresses', 'proxies anywhere', { TRUST_PROXY: '0.0.0.0/0' }, 'problem', /believes everybody/],
    [
      'addresses',
      'a cookie across sites',
      { REFRESH_COOKIE: 'true', FRONTEND_URL: 'https://app.example.org' },
      'warning',
      /another site/,
    ],
    ['production', 'the embedded database', { DATABASE_URL: '' }, 'warning', /embedded/],
    ['production', 'no Redis', { REDIS_URL: '' }, 'warning', /REDIS_URL/],
    ['production', 'the mailbox', { MAIL_TRANSPORT: 'mailbox' }, 'problem', /mailbox/],
    ['production', 'the playground', { PLAYGROUND: 'true' }, 'warning', /PLAYGROUND/],
    [
      'stripe',
      'a test key',
      { STRIPE_SECRET_KEY: 'sk_test_aaaaaaaaaaaa', STRIPE_WEBHOOK_SECRET: 'whsec_aaaaaaaaaaaaaaaaaaaa' },
      'warning',
      /test mode/,
    ],
  ])('%s: %s in production', async (name, _, changes, level, sentence) => {
    // The production that lacks what the server itself refuses to start with is looked at, too.
    const { config } = readSettings({ ...PRODUCTION, ...changes });
    if (!config) throw new Error('Nothing could be read.');
    const findings = await ask(SETTING_CHECKS, name, config);
    expect(findings).toContainEqual({ level, sentence: expect.stringMatching(sentence), advice: expect.any(String) });
  });

  it('for development warn of a live key, of a webhook secret that is missing, and of an address in public', async () => {
    const live = await settings('stripe', { STRIPE_SECRET_KEY: 'sk_live_aaaaaaaaaaaa' });
    expect(levels(live)).toEqual(['problem', 'problem']);
    expect(said(live)).toMatch(/live mode[\s\S]*STRIPE_WEBHOOK_SECRET/);
    expect(said(live)).not.toContain('aaaa');
    expect(said(await settings('addresses', { PUBLIC_URL: 'https://id.example.com' }))).toContain(
      'NODE_ENV is development',
    );
  });

  it('name a key that others may read, and a directory that cannot be made', async () => {
    await writeFile(join(folder, 'encryption.key'), 'x');
    await chmod(join(folder, 'encryption.key'), 0o644);
    expect(said(await settings('data directory', { DATA_DIR: folder }))).toContain('Others on this machine may read');
    await chmod(join(folder, 'encryption.key'), 0o600);
    expect(levels(await settings('data directory', { DATA_DIR: folder }))).toEqual(['ok']);
    expect(levels(await settings('data directory', { DATA_DIR: '/proc/credence' }))).toContain('problem');
  });
});

describe('other machines', () => {
  const NOBODY = '127.0.0.1:1';

  it.each<[string, Environment]>([
    ['redis', { REDIS_URL: `redis://:hunter2@${NOBODY}` }],
    ['mail', { MAIL_TRANSPORT: 'smtp', SMTP_URL: `smtp://me:hunter2@${NOBODY}`, MAIL_FROM: 'a@example.com' }],
    ['openid', { GOOGLE_CLIENT_ID: 'x', GOOGLE_CLIENT_SECRET: 'hunter2', GOOGLE_ISSUER: `http://${NOBODY}` }],
    [
      'files',
      {
        STORAGE: 's3',
        S3_BUCKET: 'files',
        S3_ENDPOINT: `http://${NOBODY}`,
        AWS_ACCESS_KEY_ID: 'x',
        AWS_SECRET_ACCESS_KEY: 'hunter2',
      },
    ],
  ])('that do not answer are a problem, with what to do and without a secret: %s', async (name, environment) => {
    const findings = await outside(name, environment);
    expect(levels(findings)).toEqual(['problem']);
    expect(findings[0]?.advice).toBeTruthy();
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });

  it('that are not set are no problem', async () => {
    for (const { name } of OUTSIDE_CHECKS) expect(levels(await outside(name, {})), name).toEqual(['ok']);
  });

  it('a mail server is signed in to, and sent nothing', async () => {
    const server = await startSmtpServer();
    const environment = {
      MAIL_TRANSPORT: 'smtp',
      SMTP_URL: `smtp://me:hunter2@127.0.0.1:${server.port}`,
      MAIL_FROM: 'a@example.com',
    };
    expect(levels(await outside('mail', environment))).toEqual(['ok']);
    expect(server.commands.some((line) => line.startsWith('AUTH'))).toBe(true);
    expect(server.received).toEqual([]);
    server.answer = (command) => (command.startsWith('AUTH') ? '535 no' : undefined);
    const refused = await outside('mail', environment);
    expect(levels(refused)).toEqual(['problem']);
    expect(said(refused)).toContain('EAUTH');
    await server.close();
  });

  it('a Redis that throws counters out is a warning, and one that asks for a password says so', async () => {
    const sockets = new Set<{ destroy(): void }>();
    let policy = 'allkeys-lru';
    let refusal: string | undefined;
    const info = () => `redis_version:7.2.0\r\nloading:0\r\nmaxmemory:1000000\r\nmaxmemory_policy:${policy}\r\n`;
    const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        const count = data.toString().match(/^\*\d+/gm)?.length ?? 1;
        for (let n = 0; n < count; n += 1)
          socket.write(refusal ?? (/info/i.test(data.toString()) ? bulk(info()) : '+OK\r\n'));
      });
    });
    const port = await new Promise<number>((listening) =>
      server.listen(0, '127.0.0.1', () => listening((server.address() as { port: number }).port)),
    );
    const environment = { REDIS_URL: `redis://127.0.0.1:${port}` };
    const evicting = await outside('redis', environment);
    expect(levels(evicting)).toEqual(['warning']);
    expect(said(evicting)).toContain('allkeys-lru');
    policy = 'noeviction';
    expect(levels(await outside('redis', environment))).toEqual(['ok']);
    refusal = '-NOAUTH Authentication required.\r\n';
    expect(levels(await outside('redis', environment))).toEqual(['problem']);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it('a database that does not answer is a problem, within seconds, and its password is nowhere', async () => {
    const config = buildConfig({ DATABASE_URL: `postgres://me:hunter2@${NOBODY}/credence`, LOG_LEVEL: 'silent' });
    const { database, findings } = await examineDatabase(config);
    expect(database).toBeUndefined();
    expect(levels(findings)).toEqual(['problem']);
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });

  it('an embedded database that is not there yet is a warning, and is not made', async () => {
    const config = buildConfig({ DATA_DIR: join(folder, 'nowhere') });
    expect(levels((await examineDatabase(config)).findings)).toEqual(['warning']);
    expect(levels((await examineDatabase(config)).findings)).toEqual(['warning']);
  });
});

describe('what is stored', () => {
  let h: Harness;
  beforeAll(async () => {
    h = await createHarness();
  });
  afterAll(() => h.close());
  const inside = (name: string, app: App = h.app) => ask(INSIDE_CHECKS, name, app.config, app);

  it('opens with its encryption key, and with another one is a problem', async () => {
    expect(levels(await inside('keys'))).toEqual(['ok']);
    const other = { ...h.app, secrets: createSecrets(Buffer.alloc(32, 7)) };
    const findings = await inside('keys', other);
    expect(levels(findings)).toEqual(['problem']);
    expect(said(findings)).toContain('2 of 2 stored signing keys cannot be opened');
  });

  it('has a signing key that is changed in time, or a warning', async () => {
    await h.app.database.sql.query("update signing_keys set created_at = now() - interval '40 days'", []);
    expect(said(await inside('keys'))).toContain('40 days old');
    expect(levels(await inside('keys'))).toEqual(['warning']);
    await rotateDueSigningKeys(h.app);
    expect(levels(await inside('keys'))).toEqual(['ok']);
  });

  it('has an admin who can make others, or a warning', async () => {
    expect(levels(await inside('admins'))).toEqual(['warning']);
    await h.admin(['admins:manage']);
    expect(levels(await inside('admins'))).toEqual(['ok']);
    await h.app.db.update(admins).set({ disabledAt: new Date() });
    expect(levels(await inside('admins'))).toEqual(['warning']);
  });

  it('has letters that leave, or a warning of how long the oldest waits', async () => {
    expect(levels(await inside('letters'))).toEqual(['ok']);
    await h.person({ verified: false });
    await h.app.database.sql.query(
      "update outbox_emails set created_at = now() - interval '1 hour' where status = 'QUEUED'",
      [],
    );
    const late = await inside('letters');
    expect(levels(late)).toEqual(['warning']);
    expect(said(late)).toMatch(/has waited for 6\d minutes/);
  });
});
