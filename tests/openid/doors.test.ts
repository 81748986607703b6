import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { totpCode } from '../second-factor/codes.js';
import { type ConfigChanges, createHarness, type Harness } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, type Subject, startScriptedProvider } from '../support/scripted-provider.js';
import { completeGoogleSignIn, startGoogleLink, subject } from './operations.js';

const APP = 'https://app.example.com/google-sign-in';
const ADMIN_APP = 'https://admin.example.com/back';
const SERVER = { publicUrl: 'https://id.example.com' };
const COOKIE = '__Host-credence_openid';

let provider: ScriptedProvider;
/** One with an app, in cookie mode and not, and one without an app. */
let h: Harness;
let cookieMode: Harness;
let appless: Harness;

beforeAll(async () => {
  provider = await startScriptedProvider();
  const google = { ...CLIENT, issuer: provider.issuer, returnUrls: [APP, ADMIN_APP] };
  const make = (config: ConfigChanges) => createHarness({ config: { google, server: SERVER, ...config } });
  h = await make({});
  cookieMode = await make({ tokens: { refreshCookie: true } });
  appless = await make({ google: { ...google, returnUrls: [] } });
});
afterAll(async () => {
  for (const harness of [h, cookieMode, appless]) await harness.close();
  await provider.close();
});

interface Visit {
  status: number;
  location: URL;
  fragment: URLSearchParams;
  cookies: Record<string, string>;
  body: string;
}

async function visit(harness: Harness, url: string, cookies: Record<string, string> = {}): Promise<Visit> {
  const cookie = Object.entries(cookies)
    .map(([name, value]) => `${name}=${value}`)
    .join('; ');
  const answer = await harness.fastify.inject({ url, headers: cookie ? { cookie } : {} });
  const location = new URL(String(answer.headers.location ?? 'about:blank'));
  return {
    status: answer.statusCode,
    location,
    fragment: new URLSearchParams(location.hash.slice(1)),
    cookies: Object.fromEntries(answer.cookies.map(({ name, value }) => [name, value])),
    body: answer.payload,
  };
}

const login = (harness: Harness, query: Record<string, string> = {}) =>
  visit(harness, `/auth/google/login?${new URLSearchParams(query)}`);

/** There and back again. */
async function walk(harness: Harness, who: Subject, query: Record<string, string> = {}) {
  const begun = await login(harness, query);
  const { code, state, issuer: iss } = provider.comeBack(begun.location.href, who);
  const callback = `/auth/google/callback?${new URLSearchParams({ code, state, iss })}`;
  return { callback, cookies: begun.cookies, end: await visit(harness, callback, begun.cookies) };
}

const tokensIn = (text: string) => /crd_rt_|crd_browser_|eyJ[\w-]+\.eyJ/.exec(text);

describe('/auth/google/login', () => {
  it('sends the browser to the provider, with a cookie that only this server gets back', async () => {
    const answer = await h.fastify.inject('/auth/google/login');
    expect(answer.statusCode).toBe(303);
    const location = new URL(String(answer.headers.location));
    expect(location.origin).toBe(provider.issuer);
    expect(location.searchParams.get('redirect_uri')).toBe('https://id.example.com/auth/google/callback');
    expect(answer.cookies).toEqual([
      expect.objectContaining({ name: COOKIE, httpOnly: true, secure: true, sameSite: 'Lax', path: '/', maxAge: 600 }),
    ]);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('keeps one secret for a browser, so that two tabs do not put each other out', async () => {
    const first = await login(h);
    const second = await visit(h, '/auth/google/login', first.cookies);
    expect(second.cookies).toEqual(first.cookies);
    const forged = await visit(h, '/auth/google/login', { [COOKIE]: 'chosen-by-somebody-else' });
    expect(forged.cookies[COOKIE]).not.toBe('chosen-by-somebody-else');
  });

  it('leads to no page that the operator did not list', async () => {
    for (const target of ['https://evil.example', `${APP}?x`, '//evil.example', 'javascript:alert(1)', `${APP}%2f`]) {
      const { status, location, body } = await login(h, { target });
      expect([status, location.href]).toEqual([400, 'about:blank']);
      expect(body).not.toContain(target);
    }
    expect((await login(h, { challenge: 'short' })).status).toBe(400);
    const twice = await visit(h, `/auth/google/login?target=${APP}&target=https://evil.example`);
    expect(twice.status).toBe(303);
  });

  it('says so on a page when the provider is away', async () => {
    const down = await createHarness({
      config: { google: { ...CLIENT, issuer: 'http://127.0.0.1:1', returnUrls: [] }, server: SERVER },
    });
    const { status, body } = await login(down);
    expect(status).toBe(502);
    expect(body).toContain('did not answer as it should');
    await down.close();
  });
});

describe('/auth/google/callback', () => {
  it('hands an app that keeps a secret a one-time code, which is worth nothing without it', async () => {
    const secret = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(secret).digest('base64url');
    const who = subject();
    const { end } = await walk(h, who, { challenge, target: ADMIN_APP });
    expect([end.status, end.location.href.split('#')[0]]).toEqual([303, ADMIN_APP]);
    const code = end.fragment.get('code') ?? '';
    expect(code).toMatch(/^crd_handover_/);
    expect(tokensIn(end.location.href)).toBeNull();
    for (const stranger of [{}, { browserSecret: 'x' }, { browserSecret: challenge }]) {
      expect((await completeGoogleSignIn(h, { code, ...stranger })).code).toBe('TOKEN_INVALID');
    }
    const { data } = await completeGoogleSignIn(h, { code, browserSecret: secret });
    expect(data.completeGoogleSignIn.user.email).toBe(who.email);
    expect((await completeGoogleSignIn(h, { code, browserSecret: secret })).code).toBe('TOKEN_INVALID');
  });

  it('gives the one-time code two minutes', async () => {
    const secret = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(secret).digest('base64url');
    const { end } = await walk(h, subject(), { challenge });
    h.clock.advance(120_001);
    const late = await completeGoogleSignIn(h, { code: end.fragment.get('code'), browserSecret: secret });
    expect(late.code).toBe('TOKEN_EXPIRED');
  });

  it('in cookie mode signs in by the cookie alone', async () => {
    const { end } = await walk(cookieMode, subject());
    expect([end.status, end.location.href]).toEqual([303, `${APP}#done=SIGNED_IN`]);
    const refreshToken = end.cookies['__Host-credence_refresh'] ?? '';
    const headers = { cookie: `__Host-credence_refresh=${refreshToken}` };
    const { data } = await cookieMode.graphql('mutation { refreshToken { accessToken user { id } } }', { headers });
    expect(data.refreshToken.user.id).toEqual(expect.any(String));
  });

  it('in cookie mode hands over the question for the second factor', async () => {
    const who = subject();
    const first = await walk(cookieMode, who);
    const refreshed = await cookieMode.graphql('mutation { refreshToken { accessToken } }', {
      headers: { cookie: `__Host-credence_refresh=${first.end.cookies['__Host-credence_refresh']}` },
    });
    const token = refreshed.data.refreshToken.accessToken;
    const { secret } = (await cookieMode.graphql('mutation { startTotpEnrollment { secret } }', { token })).data
      .startTotpEnrollment;
    await cookieMode.graphql('mutation($code: String!) { confirmTotpEnrollment(code: $code) { backupCodes } }', {
      token,
      variables: { code: totpCode(secret, cookieMode.clock.now()) },
    });
    const { end, cookies } = await walk(cookieMode, who);
    expect(end.cookies['__Host-credence_refresh']).toBeUndefined();
    const headers = { cookie: `${COOKIE}=${cookies[COOKIE]}` };
    const { data } = await completeGoogleSignIn(cookieMode, { code: end.fragment.get('code') }, { headers });
    expect(data.completeGoogleSignIn).toMatchObject({ __typename: 'SecondFactorRequired', methods: expect.any(Array) });
  });

  it('shows the one-time code on its own page when no app could redeem it, and only this browser can', async () => {
    for (const harness of [h, appless]) {
      const { end, cookies } = await walk(harness, subject());
      expect([end.status, end.location.href]).toEqual([200, 'about:blank']);
      const code = /crd_handover_\w+/.exec(end.body)?.[0];
      expect((await completeGoogleSignIn(harness, { code })).code).toBe('TOKEN_INVALID');
      const headers = { cookie: `${COOKIE}=${cookies[COOKIE]}` };
      const { data } = await completeGoogleSignIn(harness, { code }, { headers });
      expect(data.completeGoogleSignIn.__typename).toBe('AuthPayload');
    }
  });

  it('refuses another browser, a second time, and a state of nobody, without asking the provider', async () => {
    const begun = await login(h);
    const { code, state, issuer: iss } = provider.comeBack(begun.location.href, subject());
    const callback = `/auth/google/callback?${new URLSearchParams({ code, state, iss })}`;
    const asked = provider.asked.token;
    const stranger = (await login(h)).cookies;
    for (const cookies of [{}, stranger, { [COOKIE]: '' }]) {
      expect((await visit(h, callback, cookies)).status).toBe(401);
    }
    expect((await visit(h, `/auth/google/callback?code=x&state=y`, begun.cookies)).status).toBe(401);
    expect((await visit(h, '/auth/google/callback', begun.cookies)).status).toBe(401);
    expect(provider.asked.token).toBe(asked);
    expect((await visit(h, callback, begun.cookies)).status).toBe(200);
    expect((await visit(h, callback, begun.cookies)).status).toBe(401);
    expect(provider.asked.token).toBe(asked + 1);
  });

  it('is not used up by a look (HEAD)', async () => {
    const begun = await login(h);
    const { code, state, issuer: iss } = provider.comeBack(begun.location.href, subject());
    const url = `/auth/google/callback?${new URLSearchParams({ code, state, iss })}`;
    const cookie = `${COOKIE}=${begun.cookies[COOKIE]}`;
    expect((await h.fastify.inject({ method: 'HEAD', url, headers: { cookie } })).statusCode).toBe(404);
    expect((await visit(h, url, begun.cookies)).status).toBe(200);
  });

  it('tells the app what went wrong, by a code and nothing else', async () => {
    const unproven = await walk(cookieMode, subject({ email_verified: false }));
    expect(unproven.end.location.href).toBe(`${APP}#error=EMAIL_NOT_VERIFIED`);
    const begun = await login(h);
    const state = begun.location.searchParams.get('state') ?? '';
    const said = new URLSearchParams({ state, error: 'access_denied', error_description: '<script>' });
    const refused = await visit(h, `/auth/google/callback?${said}`, begun.cookies);
    expect(refused.location.href).toBe(`${APP}#error=FORBIDDEN`);
  });

  it('ends on a page of its own when there is no app, without a word that the browser brought', async () => {
    const begun = await login(appless);
    const state = begun.location.searchParams.get('state') ?? '';
    const said = new URLSearchParams({ state, error: 'access_denied', error_description: 'look&here' });
    const { status, body } = await visit(appless, `/auth/google/callback?${said}`, begun.cookies);
    expect(status).toBe(403);
    expect(body).not.toContain('look');
    expect(body).toContain('did not confirm who you are');
  });

  it('links for the session that began, as long as it is there', async () => {
    for (const isLive of [true, false]) {
      const person = await appless.person();
      const begun = await startGoogleLink(appless, person.token);
      const { authorizationUrl, browserSecret } = begun.data.startGoogleLink;
      const { code, state, issuer: iss } = provider.comeBack(authorizationUrl, subject());
      if (!isLive) await appless.graphql('mutation { logout { ok } }', person);
      const callback = `/auth/google/callback?${new URLSearchParams({ code, state, iss })}`;
      expect((await visit(appless, callback)).status).toBe(401);
      const { status, body } = await visit(appless, callback, { [COOKIE]: browserSecret });
      expect(status).toBe(isLive ? 200 : 401);
      expect(body.includes('is linked with yours')).toBe(isLive);
    }
  });

  it('sets the cookie from startGoogleLink, too, for browsers that come back this way', async () => {
    const person = await appless.person();
    for (const headers of [{}, { origin: 'https://id.example.com' }]) {
      const { headers: answered } = await startGoogleLink(appless, person.token, { headers });
      expect(String(answered['set-cookie'])).toContain(COOKIE);
    }
  });

  it('counts with the sign-in family', async () => {
    const few = await createHarness({
      config: {
        google: { ...CLIENT, issuer: provider.issuer, returnUrls: [APP] },
        limits: { authPerMinute: 3, defaultPerMinute: 1_000 },
      },
    });
    for (let count = 0; count < 3; count += 1) expect((await login(few)).status).toBe(303);
    const answer = await few.fastify.inject('/auth/google/login');
    expect(answer.statusCode).toBe(429);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    await few.close();
  });

  it('over plain http on this machine the cookie goes without its prefix', async () => {
    const local = await createHarness({
      config: {
        google: { ...CLIENT, issuer: provider.issuer, returnUrls: [] },
        server: { publicUrl: 'http://127.0.0.1:4000' },
      },
    });
    const answer = await local.fastify.inject('/auth/google/login');
    expect(answer.cookies).toEqual([
      expect.objectContaining({ name: 'credence_openid', httpOnly: true, sameSite: 'Lax' }),
    ]);
    expect(answer.cookies[0]).not.toHaveProperty('secure');
    await local.close();
  });
});
