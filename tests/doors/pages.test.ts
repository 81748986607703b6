import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mountPages, type PageActions } from '../../src/api/doors/pages.js';
import { buildConfig } from '../../src/core/config.js';
import type { App } from '../../src/core/context.js';
import { AppError } from '../../src/core/errors.js';
import { createLimiter } from '../../src/core/limiter.js';
import { createMetrics } from '../../src/core/metrics.js';
import { silentLog } from '../support/database.js';

const TOKEN = 'crd_verify_Q2nYb7Ws0pXcR4tGh8JkLmNzV5uEaD1fO3iPqTy6BxC9wS';
const PASSWORD = 'violet tractor sings 77 at dusk';

const SIMPLE = [
  ['/verify-email', 'verifyEmail'],
  ['/confirm-email-change', 'confirmEmailChange'],
  ['/undo-email-change', 'undoEmailChange'],
] as const;
const WITH_PASSWORD = [
  ['/reset-password', 'resetPassword', 'newPassword'],
  ['/accept-invitation', 'acceptInvitation', 'password'],
] as const;
const PATHS = [...SIMPLE, ...WITH_PASSWORD].map(([path]) => path);

let server: FastifyInstance;
const actions = {
  verifyEmail: vi.fn<PageActions['verifyEmail']>(),
  resetPassword: vi.fn<PageActions['resetPassword']>(),
  confirmEmailChange: vi.fn<PageActions['confirmEmailChange']>(),
  undoEmailChange: vi.fn<PageActions['undoEmailChange']>(),
  acceptInvitation: vi.fn<PageActions['acceptInvitation']>(),
};

function open(environment: Record<string, string> = {}): FastifyInstance {
  const config = buildConfig({ NODE_ENV: 'test', ...environment });
  const limiter = createLimiter({ redisUrl: undefined });
  const app = { config, limiter, metrics: createMetrics(), log: silentLog } as unknown as App;
  server = Fastify();
  server.decorateRequest('clientIp', '203.0.113.7');
  mountPages(server, app, actions);
  return server;
}

beforeEach(() => {
  for (const action of Object.values(actions)) action.mockReset().mockResolvedValue({});
  open();
});
afterEach(() => server.close());

const get = (url: string) => server.inject({ method: 'GET', url });
const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  server.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'Browser/1', ...headers },
    payload: new URLSearchParams(form).toString(),
  });

const twice = (password: string) => ({ token: TOKEN, password, repeated: password });
const calls = () => Object.values(actions).reduce((sum, action) => sum + action.mock.calls.length, 0);

describe('the pages that letters lead to', () => {
  it.each(PATHS)('GET %s changes nothing and offers one button', async (path) => {
    const page = await get(`${path}?token=${TOKEN}`);
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.body).toContain(`<form method="post" action="${path}">`);
    expect(page.body).toContain(`value="${TOKEN}"`);
    expect(page.body.match(/<button/g)).toHaveLength(1);
    expect(page.body).not.toMatch(/<script|javascript:|onclick|https?:/i);
    expect(calls()).toBe(0);
  });

  it.each(PATHS)('%s cannot be framed, runs no script and loads nothing', async (path) => {
    for (const page of [await get(`${path}?token=${TOKEN}`), await get(path), await post(path, { token: TOKEN })]) {
      const policy = String(page.headers['content-security-policy']);
      expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; /);
      for (const part of ["form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
        expect(policy).toContain(part);
      expect(policy).not.toMatch(/unsafe|script-src|\*/);
    }
  });

  it.each(SIMPLE)('POST %s calls %s with the token and who asked', async (path, action) => {
    const page = await post(path, { token: TOKEN });
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('Done');
    const actor = {
      kind: 'ANONYMOUS',
      id: null,
      ip: '203.0.113.7',
      userAgent: 'Browser/1',
      requestId: expect.any(String),
    };
    expect(actions[action].mock.calls).toEqual([[{ token: TOKEN, actor }]]);
    expect(calls()).toBe(1);
  });

  it.each(WITH_PASSWORD)('POST %s calls %s with the new password, unchanged', async (path, action, field) => {
    const password = '  Pâss & wörd=<1>+%20 \u{1F680} ';
    const page = await post(path, twice(password));
    expect(page.statusCode).toBe(200);
    expect(actions[action]).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ token: TOKEN, [field]: password }),
    );
    expect(page.body).not.toContain('wörd');
    expect(page.body).not.toContain(TOKEN);
  });

  it.each(WITH_PASSWORD)('POST %s asks again when the two passwords differ', async (path) => {
    const page = await post(path, { ...twice(PASSWORD), repeated: `${PASSWORD}!` });
    expect(page.statusCode).toBe(422);
    expect(page.body).toContain('role="alert"');
    expect(page.body).toContain('not the same');
    expect(page.body).toContain(`value="${TOKEN}"`);
    expect(page.body).not.toContain(PASSWORD);
    expect(calls()).toBe(0);
  });

  it('shows the rule and keeps the link when the password is too weak', async () => {
    actions.resetPassword.mockRejectedValue(
      new AppError('WEAK_PASSWORD', { fields: { newPassword: 'must not be a <b>' } }),
    );
    const page = await post('/reset-password', twice('password1234'));
    expect(page.statusCode).toBe(422);
    expect(page.body).toContain('The password must not be a &lt;b&gt;.');
    expect(page.body).toContain(`value="${TOKEN}"`);
    expect(page.body).toContain('<title>Problem: Set a new password</title>');
  });

  it.each(['TOKEN_INVALID', 'TOKEN_EXPIRED'] as const)('says that the link is used up: %s', async (code) => {
    actions.verifyEmail.mockRejectedValue(new AppError(code));
    const page = await post('/verify-email', { token: TOKEN });
    expect(page.statusCode).toBe(401);
    expect(page.body).toContain(code === 'TOKEN_INVALID' ? 'This link is not valid.' : 'This link has expired.');
    expect(page.body).toContain('Ask for a new letter');
    expect(page.body).not.toContain('<form');
  });

  it('masks what it did not expect', async () => {
    actions.verifyEmail.mockRejectedValue(new Error('select * from users where secret'));
    const page = await post('/verify-email', { token: TOKEN });
    expect(page.statusCode).toBe(500);
    expect(page.body).toContain('Something went wrong on our side.');
    expect(page.body).not.toContain('secret');
  });

  it.each([
    '',
    '?token=',
    '?token=short',
    '?token=%3Cscript%3Ealert(1)%3C/script%3E',
    `?token=${TOKEN}&token=${TOKEN}`,
    `?token=${'a'.repeat(201)}`,
    `?token[]=${TOKEN}`,
    '?token=%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00',
  ])('says that a link is incomplete: %j', async (query) => {
    const page = await get(`/verify-email${query}`);
    expect(page.statusCode).toBe(400);
    expect(page.body).toContain('This link is incomplete');
    expect(page.body).not.toContain('alert(1)');
  });

  it('acts on no form without a whole token', async () => {
    for (const token of ['', 'short', '"><script>', `${TOKEN}\u0000`]) {
      expect((await post('/verify-email', { token })).statusCode).toBe(400);
    }
    expect((await server.inject({ method: 'POST', url: `/verify-email?token=${TOKEN}` })).statusCode).toBe(400);
    expect(calls()).toBe(0);
  });

  it('reads forms of at most 8 KiB, nothing else, and only here', async () => {
    server.post('/elsewhere', async () => 'read');
    expect((await post('/verify-email', { token: TOKEN, more: 'x'.repeat(9_000) })).statusCode).toBe(413);
    const types = ['application/json', 'text/plain', 'multipart/form-data; boundary=x'];
    for (const type of types)
      expect((await post('/verify-email', { token: TOKEN }, { 'content-type': type })).statusCode).toBe(415);
    expect((await post('/elsewhere', { token: TOKEN })).statusCode).toBe(415);
    expect(calls()).toBe(0);
  });

  it('stops a guesser at the limit of the sign-in family and says when to come back', async () => {
    await server.close();
    open({ RATE_LIMIT_AUTH: '5' });
    const statuses = [];
    for (let attempt = 0; attempt < 7; attempt += 1)
      statuses.push((await post('/verify-email', { token: TOKEN })).statusCode);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
    const page = await post('/verify-email', { token: TOKEN });
    expect(Number(page.headers['retry-after'])).toBeGreaterThan(0);
    expect(actions.verifyEmail).toHaveBeenCalledTimes(5);
  });

  it('does not exist when there is a front end', async () => {
    await server.close();
    open({ FRONTEND_URL: 'https://app.example.com' });
    for (const path of PATHS) expect((await get(`${path}?token=${TOKEN}`)).statusCode).toBe(404);
  });
});

const LANGUAGES = ['en', 'es', 'de', 'fr', 'pt', 'zh'];
/** Words on the page, without markup. */
const wordsOf = (body: string) =>
  body
    .slice(body.indexOf('<body'))
    .split(/<[^>]+>/)
    .map((text) => text.trim())
    .filter((text) => text !== '');

describe('the language of the pages', () => {
  const inLanguage = (url: string, language: string) =>
    server.inject({ method: 'GET', url, headers: { 'accept-language': language } });

  it.each([
    ['de-AT,de;q=0.9,en;q=0.5', 'de'],
    ['cy, fr;q=0.4, es;q=0.8', 'es'],
    ['pt', 'pt-BR'],
    ['zh-TW', 'zh-Hans'],
    ['DE', 'de'],
    ['de;q=0, fr;q=0.1', 'fr'],
    ['de;q=nonsense, fr;q=0.1', 'fr'],
    ['cy', 'en'],
    ['*', 'en'],
    ['', 'en'],
    ['__proto__', 'en'],
    [',,;;q=', 'en'],
    ['x'.repeat(4_000), 'en'],
  ])('for a browser that asks for %j is %s', async (wish, language) => {
    const page = await inLanguage(`/verify-email?token=${TOKEN}`, wish);
    expect(page.body).toContain(`<html lang="${language}">`);
    expect(page.headers['content-language']).toBe(language);
    expect(page.headers.vary).toContain('accept-language');
  });

  it.each(PATHS)('%s has words of its own in each', async (path) => {
    const pages = await Promise.all(LANGUAGES.map((language) => inLanguage(`${path}?token=${TOKEN}`, language)));
    const words = pages.map((page) => wordsOf(page.body));
    for (const [at, [title, intro]] of words.entries()) {
      expect(words[at]).toHaveLength(words[0]?.length ?? 0);
      expect(words.filter((others) => others.includes(title ?? '') || others.includes(intro ?? ''))).toHaveLength(1);
    }
  });

  it.each(LANGUAGES)('is kept in %s when something is wrong, and no English comes up', async (language) => {
    const headers = { 'accept-language': language };
    const english = { 'accept-language': 'en' };
    const refused = async (error: AppError) => {
      actions.resetPassword.mockRejectedValue(error);
      const [page, plain] = [
        await post('/reset-password', twice(PASSWORD), headers),
        await post('/reset-password', twice(PASSWORD), english),
      ];
      expect(page.statusCode).toBe(plain.statusCode);
      const ids = /[0-9a-f-]{36}|req-\w+/g;
      const [own, others] = [page, plain].map(({ body }) => wordsOf(body).map((text) => text.replace(ids, '')));
      if (language !== 'en') expect(own?.filter((text) => others?.includes(text))).toEqual([]);
    };
    for (const code of ['TOKEN_INVALID', 'TOKEN_EXPIRED', 'ACCOUNT_SUSPENDED', 'RATE_LIMITED', 'RETRY_LATER'] as const)
      await refused(new AppError(code));
    await refused(new AppError('DATABASE_UNAVAILABLE'));
    await refused(new AppError('INTERNAL_SERVER_ERROR'));
    await refused(new AppError('WEAK_PASSWORD', { fields: { password: 'must not be built from your own name' } }));
  });
});
