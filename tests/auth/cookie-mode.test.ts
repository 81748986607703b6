import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import { freshIp, login, MINUTE, refresh, SECOND } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness({
    config: { tokens: { refreshCookie: true }, server: { corsOrigins: ['https://app.example.com'] } },
  });
  h.clock.freeze();
});
afterAll(() => h.close());

const NAME = '__Host-credence_refresh';

/** The Set-Cookie header of an answer, if it has one. */
function setCookie(answer: Answer): string | undefined {
  const header = answer.headers['set-cookie'];
  return Array.isArray(header) ? header[0] : (header as string | undefined);
}

const tokenIn = (cookie: string | undefined) => cookie?.slice(NAME.length + 1).split(';')[0] ?? '';
const withCookie = (value: string) => ({ headers: { cookie: `${NAME}=${value}` } });

async function newcomer(): Promise<{ username: string; token: string; cookie: string }> {
  const username = uniqueName();
  const input = { username, email: `${username}@example.com`, password: PASSWORD };
  const register = `mutation($input: RegisterInput!) { register(input: $input) { accessToken refreshToken } }`;
  const answer = await h.graphql(register, { ip: freshIp(), variables: { input } });
  expect(answer.data.register.refreshToken).toBeNull();
  return { username, token: answer.data.register.accessToken, cookie: tokenIn(setCookie(answer)) };
}

describe('with REFRESH_COOKIE=true', () => {
  it('hands the refresh token over in a cookie that scripts and other sites cannot read, and nowhere else', async () => {
    const { username } = await newcomer();
    const answer = await login(h, { identifier: username });
    expect(answer.data.login.refreshToken).toBeNull();
    const attributes = setCookie(answer)?.split('; ').slice(1);
    expect(setCookie(answer)).toMatch(new RegExp(`^${NAME}=crd_rt_`));
    expect(attributes).toEqual(expect.arrayContaining(['Path=/', 'HttpOnly', 'Secure', 'SameSite=Strict']));
    // __Host- asks for no Domain.
    expect(attributes?.some((attribute) => /^domain/i.test(attribute))).toBe(false);
    expect(JSON.stringify(answer.data)).not.toContain('crd_rt_');
  });

  it('refreshes by the cookie and moves it on', async () => {
    const { cookie } = await newcomer();
    const answer = await refresh(h, undefined, withCookie(cookie));
    expect(answer.data.refreshToken.refreshToken).toBeNull();
    const moved = tokenIn(setCookie(answer));
    expect(moved).toMatch(/^crd_rt_/);
    expect(moved).not.toBe(cookie);
    expect((await refresh(h, undefined, withCookie(moved))).errors).toBeUndefined();
  });

  it('refuses a token in the argument, even beside the cookie', async () => {
    const { cookie } = await newcomer();
    for (const call of [{}, withCookie(cookie)]) {
      const answer = await refresh(h, cookie, call);
      expect([answer.status, answer.code]).toEqual([400, 'BAD_USER_INPUT']);
      expect(setCookie(answer)).toBeUndefined();
    }
  });

  it('says that nobody is signed in when there is no cookie', async () => {
    const answer = await refresh(h, undefined);
    expect([answer.status, answer.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('gives every one of twenty tabs the same cookie, and a losing answer clears none', async () => {
    const { cookie } = await newcomer();
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(h, undefined, withCookie(cookie))));
    expect(new Set(answers.map((answer) => tokenIn(setCookie(answer)))).size).toBe(1);
    // A tab that was asleep for longer than the grace loses; the cookie, shared with the others, is left alone.
    h.clock.advance(21 * SECOND);
    const late = await refresh(h, undefined, withCookie(cookie));
    expect(late.code).toBe('TOKEN_INVALID');
    expect(setCookie(late)).toBeUndefined();
  });

  it('clears the cookie at logout, and only then', async () => {
    const { token, cookie } = await newcomer();
    const answer = await h.graphql('mutation { logout { ok } }', { token, ...withCookie(cookie) });
    expect(setCookie(answer)).toMatch(new RegExp(`^${NAME}=;`));
    expect(setCookie(answer)).toContain('Expires=Thu, 01 Jan 1970');
    expect((await refresh(h, undefined, withCookie(cookie))).code).toBe('TOKEN_INVALID');
  });

  it('takes the cookie for nothing but a refresh', async () => {
    const { cookie } = await newcomer();
    expect((await h.graphql('{ currentSession { id } }', withCookie(cookie))).code).toBe('UNAUTHENTICATED');
    expect((await h.graphql('mutation { logout { ok } }', withCookie(cookie))).code).toBe('UNAUTHENTICATED');
  });

  it('never refreshes for what a page of another site can send', async () => {
    const { cookie } = await newcomer();
    const query = 'mutation { refreshToken { accessToken } }';
    const cookies = { [NAME]: cookie };
    const foreign = [
      { method: 'POST', headers: { 'content-type': 'text/plain' }, payload: JSON.stringify({ query }) },
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: `query=${encodeURIComponent(query)}`,
      },
      { method: 'GET', url: `/graphql?query=${encodeURIComponent(query)}` },
      {
        method: 'GET',
        url: `/graphql?query=${encodeURIComponent(query)}`,
        headers: { 'apollo-require-preflight': '1' },
      },
    ] as const;
    for (const request of foreign) {
      const response = await h.fastify.inject({ url: '/graphql', cookies, ...request });
      expect(response.statusCode).toBeGreaterThanOrEqual(400);
      expect(response.headers['set-cookie']).toBeUndefined();
    }
    h.clock.advance(1 * MINUTE);
    expect((await refresh(h, undefined, withCookie(cookie))).errors).toBeUndefined();
  });

  it('lets only the listed origin send the cookie', async () => {
    const preflight = (origin: string) =>
      h.fastify.inject({
        method: 'OPTIONS',
        url: '/graphql',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
      });
    const ours = await preflight('https://app.example.com');
    expect(ours.headers['access-control-allow-origin']).toBe('https://app.example.com');
    expect(ours.headers['access-control-allow-credentials']).toBe('true');
    for (const origin of ['https://app.example.com.evil.example', 'null', 'http://app.example.com']) {
      expect((await preflight(origin)).headers['access-control-allow-origin']).toBeUndefined();
    }
  });
});
