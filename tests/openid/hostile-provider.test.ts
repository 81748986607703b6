import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createOpenId, type OpenId } from '../../src/core/openid.js';
import { createHarness, type Harness } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, startScriptedProvider, type Twist } from '../support/scripted-provider.js';
import {
  completeGoogleSignIn,
  linkGoogle,
  type Redirect,
  signInAt,
  startGoogleLink,
  startGoogleSignIn,
  subject,
} from './operations.js';

let h: Harness;
let provider: ScriptedProvider;

const returnUrls = ['https://app.example.com/google-sign-in'];
let openid: OpenId;

beforeAll(async () => {
  provider = await startScriptedProvider();
  const google = { ...CLIENT, issuer: provider.issuer, returnUrls };
  const delegate: OpenId = {
    authorizationUrl: (departure) => openid.authorizationUrl(departure),
    identify: (arrival, departure) => openid.identify(arrival, departure),
  };
  h = await createHarness({ config: { google }, overrides: { openid: delegate } });
});
afterAll(async () => {
  await h.close();
  await provider.close();
});

// A new client for each test: what is kept of an honest provider must not help a hostile one.
beforeEach(() => {
  const { log, database, config } = h.app;
  if (!config.google) throw new Error('no provider');
  openid = createOpenId(config.google, { log, requireOutside: database.requireOutside });
  Object.assign(provider.asked, { discovery: 0, keys: 0, token: 0, userinfo: 0 });
  for (const path of ['discovery', 'keys', 'token', 'userinfo'] as const) provider.replace(path, undefined);
});

const begin = async (): Promise<Redirect> => (await startGoogleSignIn(h)).data.startGoogleSignIn;
const sessions = async () =>
  (await h.app.database.sql.query('select from sessions where user_id is not null', [])).length;
const now = () => Math.floor(Date.now() / 1000);

describe('an ID token that is not what it should be', () => {
  const TOKENS: Record<string, Twist> = {
    'of another issuer': { claims: { iss: 'https://evil.example' } },
    'for another client': { claims: { aud: 'somebody-else' } },
    'for another client, too': { claims: { aud: [CLIENT.clientId, 'somebody-else'] } },
    'for several, given to another': { claims: { aud: [CLIENT.clientId, 'x'], azp: 'x' } },
    'for us, given to another': { claims: { azp: 'somebody-else' } },
    'with another nonce': { claims: { nonce: 'n'.repeat(43) } },
    'without a nonce': { claims: { nonce: undefined } },
    'that has expired': { claims: { exp: now() - 120 } },
    'without an end': { claims: { exp: undefined } },
    'with an end in words': { claims: { exp: 'tomorrow' } },
    'not valid yet': { claims: { nbf: now() + 3_600 } },
    'without a subject': { claims: { sub: undefined } },
    'with a number for a subject': { claims: { sub: 7 } },
    'with an empty subject': { claims: { sub: '' } },
    'with an endless subject': { claims: { sub: 's'.repeat(256) } },
    'with a subject beyond ASCII': { claims: { sub: 'ada\u202e' } },
    'signed by another key of the same name': { signedBy: 'another key' },
    'signed by a key nobody published': { header: { kid: 'unpublished' }, signedBy: 'another key' },
    'signed with the client secret': { header: { alg: 'HS256' }, signedBy: 'the client secret' },
    'signed by nobody': { signedBy: 'nobody' },
  };

  it.each(Object.entries(TOKENS))('%s: refused, and nobody is signed in', async (_name, twist) => {
    const before = await sessions();
    const { code } = await signInAt(h, provider, subject(), { twist });
    expect(code).toBe('TOKEN_INVALID');
    expect(await sessions()).toBe(before);
  });

  it('has teeth: the same way with an honest token signs in', async () => {
    const { data } = await signInAt(h, provider, subject(), { twist: { claims: { azp: CLIENT.clientId } } });
    expect(data.completeGoogleSignIn.__typename).toBe('AuthPayload');
  });
});

describe('a way that is not one’s own', () => {
  it('a state works once, whatever came of it, and so does a code', async () => {
    const [first, second] = [await begin(), await begin()];
    const back = provider.comeBack(first.authorizationUrl, subject());
    const { browserSecret } = first;
    expect((await completeGoogleSignIn(h, { ...back, browserSecret })).errors).toBeUndefined();
    const asked = provider.asked.token;
    expect((await completeGoogleSignIn(h, { ...back, browserSecret })).code).toBe('TOKEN_INVALID');
    // The state was used up: the provider is not even asked.
    expect(provider.asked.token).toBe(asked);
    const replayed = { ...back, state: second.state, browserSecret: second.browserSecret };
    expect((await completeGoogleSignIn(h, replayed)).code).toBe('TOKEN_INVALID');
    // That try used the second state up, too.
    const honest = provider.comeBack(second.authorizationUrl, subject());
    expect((await completeGoogleSignIn(h, { ...honest, browserSecret: second.browserSecret })).code).toBe(
      'TOKEN_INVALID',
    );
  });

  it('a state of another browser is refused and stays good for its own', async () => {
    const [mine, theirs] = [await begin(), await begin()];
    const back = provider.comeBack(mine.authorizationUrl, subject());
    expect((await completeGoogleSignIn(h, { ...back, browserSecret: theirs.browserSecret })).code).toBe(
      'TOKEN_INVALID',
    );
    expect((await completeGoogleSignIn(h, back)).code).toBe('TOKEN_INVALID');
    expect((await completeGoogleSignIn(h, { ...back, browserSecret: mine.browserSecret })).errors).toBeUndefined();
  });

  it('a code that was injected from another way fails at the provider: the verifier stays here', async () => {
    const [victim, attacker] = [await begin(), await begin()];
    const { code, issuer } = provider.comeBack(attacker.authorizationUrl, subject());
    const injected = { code, issuer, state: victim.state, browserSecret: victim.browserSecret };
    expect((await completeGoogleSignIn(h, injected)).code).toBe('TOKEN_INVALID');
  });

  it('a state of another purpose or session links nothing and signs nobody in', async () => {
    const [ada, eve] = [await h.person(), await h.person()];
    const signIn = await begin();
    const linking: Redirect = (await startGoogleLink(h, ada.token)).data.startGoogleLink;
    const back = (way: Redirect) => ({
      ...provider.comeBack(way.authorizationUrl, subject()),
      browserSecret: way.browserSecret,
    });
    expect((await completeGoogleSignIn(h, back(linking), { token: ada.token })).code).toBe('TOKEN_INVALID');
    expect((await linkGoogle(h, ada.token, back(signIn))).code).toBe('TOKEN_INVALID');
    expect((await linkGoogle(h, eve.token, back(linking))).code).toBe('TOKEN_INVALID');
    const login = await h.graphql(
      `mutation { login(input: { identifier: "${ada.username}", password: "${ada.password}" }) { ... on AuthPayload { accessToken } } }`,
    );
    expect((await linkGoogle(h, login.data.login.accessToken, back(linking))).code).toBe('TOKEN_INVALID');
    expect((await linkGoogle(h, ada.token, back(linking))).errors).toBeUndefined();
  });

  it('after ten minutes it is over', async () => {
    const { authorizationUrl, browserSecret } = await begin();
    const back = provider.comeBack(authorizationUrl, subject());
    h.clock.advance(10 * 60_000 + 1);
    expect((await completeGoogleSignIn(h, { ...back, browserSecret })).code).toBe('TOKEN_EXPIRED');
  });

  it('an answer under another provider’s name, or under none, is refused (mix-up)', async () => {
    for (const issuer of ['https://evil.example', `${provider.issuer}/`, undefined]) {
      const { authorizationUrl, browserSecret } = await begin();
      const back = { ...provider.comeBack(authorizationUrl, subject()), issuer };
      const asked = provider.asked.token;
      expect((await completeGoogleSignIn(h, { ...back, browserSecret })).code, issuer).toBe('TOKEN_INVALID');
      expect(provider.asked.token).toBe(asked);
    }
  });

  it('a state that was begun with another provider is refused, after the operator changed it', async () => {
    const { authorizationUrl, browserSecret } = await begin();
    const back = provider.comeBack(authorizationUrl, subject());
    await h.app.database.sql.query("update oauth_states set issuer = 'https://former.example'", []);
    expect((await completeGoogleSignIn(h, { ...back, browserSecret })).code).toBe('TOKEN_INVALID');
  });
});

describe('a provider that does not answer as it should', () => {
  const PATHS = ['discovery', 'keys', 'token'] as const;

  async function signIn() {
    const begun = await startGoogleSignIn(h);
    if (begun.code) return begun.code;
    const { authorizationUrl, browserSecret } = begun.data.startGoogleSignIn;
    const back = provider.comeBack(authorizationUrl, subject());
    return (await completeGoogleSignIn(h, { ...back, browserSecret })).code;
  }

  it.each(PATHS)('%s: redirects are not followed', async (path) => {
    let followed = false;
    const elsewhere = await startScriptedProvider();
    elsewhere.replace('discovery', (response) => {
      followed = true;
      response.end('{}');
    });
    provider.replace(path, (response) => response.writeHead(307, { location: `${elsewhere.issuer}/stolen` }).end());
    expect(await signIn()).toBe('UPSTREAM_FAILED');
    expect(followed).toBe(false);
    await elsewhere.close();
  });

  it.each(PATHS)('%s: more than 256 KiB are not read', async (path) => {
    let written = 0;
    provider.replace(path, (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = () => {
        written += 65_536;
        if (written < 64 * 1024 * 1024 && !response.destroyed)
          response.write(' '.repeat(65_536), () => setImmediate(more));
      };
      more();
    });
    expect(await signIn()).toBe('UPSTREAM_FAILED');
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });

  it.each(PATHS)('%s: nonsense is refused', async (path) => {
    const before = await sessions();
    for (const body of ['<html>', '[]', 'null', '"x"', '{}', '']) {
      provider.replace(path, (response) => response.writeHead(200, { 'content-type': 'application/json' }).end(body));
      expect(['UPSTREAM_FAILED', 'TOKEN_INVALID'], body).toContain(await signIn());
    }
    expect(await sessions()).toBe(before);
  });

  it.each(PATHS)('%s: errors and closed connections are the provider’s fault', async (path) => {
    provider.replace(path, (response) => response.writeHead(500, { 'content-type': 'text/plain' }).end('down'));
    expect(await signIn()).toBe('UPSTREAM_FAILED');
    provider.replace(path, (response) => response.destroy());
    expect(await signIn()).toBe('UPSTREAM_FAILED');
  });

  it('an answer that drips is given up after five seconds, and holds no transaction meanwhile', {
    timeout: 40_000,
  }, async () => {
    const { authorizationUrl, browserSecret } = await begin();
    const back = provider.comeBack(authorizationUrl, subject());
    provider.replace('token', (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 200);
      response.on('close', () => clearInterval(drip));
    });
    const startedAt = performance.now();
    const waiting = completeGoogleSignIn(h, { ...back, browserSecret });
    await expect.poll(() => provider.asked.token, { timeout: 20_000 }).toBe(1);
    expect(h.app.database.load().waiting).toBe(0);
    expect((await h.graphql('{ serviceInfo { name } }')).errors).toBeUndefined();
    const idle = await h.app.database.sql.query(
      "select from pg_stat_activity where state like 'idle in transaction%' and datname = current_database()",
      [],
    );
    expect(idle).toEqual([]);
    const { code, status } = await waiting;
    expect([code, status]).toEqual(['UPSTREAM_FAILED', 502]);
    expect(performance.now() - startedAt).toBeGreaterThan(4_500);
  });

  it('a discovery document of another issuer is refused', async () => {
    provider.replace('discovery', (response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ issuer: 'https://evil.example', authorization_endpoint: 'https://evil.example/a' })),
    );
    expect((await startGoogleSignIn(h)).code).not.toBeUndefined();
  });

  it('plain http leads to no other machine', async () => {
    const elsewhere = 'http://192.0.2.1:9';
    provider.replace('discovery', (response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          issuer: provider.issuer,
          authorization_endpoint: `${provider.issuer}/authorize`,
          token_endpoint: `${elsewhere}/token`,
          jwks_uri: `${elsewhere}/keys`,
        }),
      ),
    );
    const startedAt = performance.now();
    expect(await signIn()).toBe('UPSTREAM_FAILED');
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });
});

describe('what is kept of the provider', () => {
  it('keys that are new are looked for, so that the provider may rotate them at any time', async () => {
    let ahead = 0;
    const { log, database, config } = h.app;
    if (!config.google) throw new Error('no provider');
    const now = () => Date.now() + ahead;
    openid = createOpenId(config.google, { log, requireOutside: database.requireOutside, now });
    await signInAt(h, provider, subject());
    await provider.rotateKeys();
    ahead = 61_000;
    expect((await signInAt(h, provider, subject())).errors).toBeUndefined();
    expect(provider.asked.keys).toBe(2);
  });

  it('lets people in while the provider’s documents cannot be read, for a day', async () => {
    let ahead = 0;
    const { log, database, config } = h.app;
    if (!config.google) throw new Error('no provider');
    const now = () => Date.now() + ahead;
    openid = createOpenId(config.google, { log, requireOutside: database.requireOutside, now });
    await signInAt(h, provider, subject());
    for (const path of ['discovery', 'keys'] as const) provider.replace(path, (response) => response.destroy());
    ahead = 23 * 3_600_000;
    expect((await signInAt(h, provider, subject())).errors).toBeUndefined();
    ahead = 25 * 3_600_000;
    expect((await startGoogleSignIn(h)).code).toBe('UPSTREAM_FAILED');
  });

  it('is asked for once, by any number at once', async () => {
    await Promise.all(Array.from({ length: 10 }, () => begin()));
    expect(provider.asked.discovery).toBe(1);
    await signInAt(h, provider, subject());
    await signInAt(h, provider, subject());
    expect(provider.asked).toMatchObject({ discovery: 1, keys: 1 });
  });
});
