import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountMailbox } from '../../src/api/doors/mailbox.js';
import { buildConfig, type Environment } from '../../src/core/config.js';
import type { App } from '../../src/core/context.js';
import type { Mailer } from '../../src/core/mail.js';
import { createMailer } from '../../src/core/mailer.js';
import { renderLetter } from '../../src/modules/mail/letters.js';

const link = 'http://127.0.0.1:4000/verify-email?token=crd_verify_abc';
let dataDir: string;
let mailer: Mailer;
let server: FastifyInstance;

function open(environment: Environment = {}): void {
  const config = buildConfig({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    PUBLIC_URL: 'https://id.example.org',
    ...environment,
  });
  mailer = createMailer(config);
  server = Fastify();
  mountMailbox(server, { config, mailer } as unknown as App);
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'credence-mailbox-'));
  open();
});
afterEach(async () => {
  await server.close();
  await rm(dataDir, { recursive: true, force: true });
});

const get = (url: string, host = 'localhost:4000') => server.inject({ method: 'GET', url, headers: { host } });

async function send(to: string, changes: { subject?: string } = {}): Promise<void> {
  const letter = renderLetter(
    'VERIFY_EMAIL',
    { username: 'ada', link },
    { locale: 'en', timeZone: 'UTC', brand: 'Credence' },
  );
  await mailer.send({ ...letter, ...changes, to, from: 'x@example.org', idempotencyKey: to });
}

describe('the development mailbox over HTTP', () => {
  it('answers its letters as JSON, newest first', async () => {
    expect((await get('/dev/mailbox.json')).json()).toEqual([]);
    await send('ada@example.com');
    await send('grace@example.com');
    const answer = await get('/dev/mailbox.json');
    expect(answer.headers['content-type']).toContain('application/json');
    const letters = answer.json() as Record<string, unknown>[];
    expect(letters.map(({ to }) => to)).toEqual(['grace@example.com', 'ada@example.com']);
    expect(letters[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      to: 'grace@example.com',
      subject: 'Verify your email address',
      text: expect.stringContaining(link),
      html: expect.stringContaining('<!doctype html>'),
      links: [link],
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    });
  });

  it('shows an empty mailbox, a list, and one letter with its links', async () => {
    expect((await get('/dev/mailbox')).body).toContain('No letters yet.');
    await send('ada@example.com');
    const [letter] = (await mailer.list?.()) ?? [];
    const list = await get('/dev/mailbox');
    expect(list.body).toContain(`href="/dev/mailbox/${letter?.id}"`);
    const page = await get(`/dev/mailbox/${letter?.id}`);
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('aria-current="page"');
    expect(page.body).toContain(`<a href="${link}" rel="noreferrer">`);
    expect(page.body).toMatch(/<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"/);
    expect(page.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; frame-src 'self';/,
    );
  });

  it('gives the letter itself an origin of its own, without script', async () => {
    await send('ada@example.com');
    const [letter] = (await mailer.list?.()) ?? [];
    const answer = await get(`/dev/mailbox/${letter?.id}/html`);
    expect(answer.body).toContain('<base target="_blank">');
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toMatch(/sandbox allow-popups allow-popups-to-escape-sandbox$/);
    expect(policy).not.toMatch(/script-src|allow-scripts|allow-same-origin/);
  });

  it('escapes whatever stands in a letter', async () => {
    await send('ada@example.com', { subject: '</title><script>alert(1)</script>' });
    const [letter] = (await mailer.list?.()) ?? [];
    for (const url of ['/dev/mailbox', `/dev/mailbox/${letter?.id}`])
      expect((await get(url)).body).not.toContain('<script');
  });

  it.each(['unknown', '..%2f..%2fencryption.key', '__proto__'])('knows no letter %s', async (id) => {
    expect((await get(`/dev/mailbox/${id}`)).statusCode).not.toBe(200);
    expect((await get(`/dev/mailbox/${id}/html`)).statusCode).not.toBe(200);
  });

  it('answers only under names that a stranger cannot make point here', async () => {
    const own = ['localhost', 'localhost:4000', '127.0.0.1:4000', '[::1]:4000', 'credence:4000', 'id.example.org'];
    const foreign = [
      'evil.example',
      'localhost.evil.example:4000',
      '127.0.0.1.evil.example',
      'id.example.org.evil.example',
    ];
    for (const url of ['/dev/mailbox', '/dev/mailbox.json']) {
      for (const host of own) expect((await get(url, host)).statusCode, host).toBe(200);
      for (const host of foreign) expect((await get(url, host)).statusCode, host).not.toBe(200);
    }
  });

  it('does not exist when letters leave by SMTP, nor in production unless it was asked for', async () => {
    const production = {
      NODE_ENV: 'production',
      ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
      SMTP_URL: 'smtps://mail.example.org',
      MAIL_FROM: 'Acme <no-reply@acme.example>',
    } as const;
    for (const environment of [{ MAIL_TRANSPORT: 'smtp', SMTP_URL: 'smtp://127.0.0.1:1' }, production]) {
      await server.close();
      open(environment);
      for (const url of ['/dev/mailbox', '/dev/mailbox.json']) expect((await get(url)).statusCode).toBe(404);
    }
    await server.close();
    open({ ...production, MAIL_TRANSPORT: 'mailbox' });
    expect((await get('/dev/mailbox')).statusCode).toBe(200);
  });
});
