import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CredenceClient, createCredenceClient } from '../../src/client/client.js';
import { makeKey } from '../../src/core/secrets.js';
import { ask, createPlace, type ServerProcess, startCredence } from '../support/process.js';
import { createReceiver } from '../support/receiver.js';
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { type ExampleApp, startExample } from './examples.js';

const ADMIN_PASSWORD = 'a lantern over 9 quiet rivers';
const SERVICE_KEY = makeKey('svc');
const MAX_STALENESS_MS = 1_000;

let place: Awaited<ReturnType<typeof createPlace>>;
let credence: ServerProcess;
/** Between the services and Credence. */
let proxy: TcpProxy;
let client: CredenceClient;
const apps: ExampleApp[] = [];

beforeAll(async () => {
  place = await createPlace();
  credence = await startCredence({ ...place.env, ADMIN_PASSWORD, INTERNAL_SERVICE_KEY: SERVICE_KEY });
  proxy = await createTcpProxy(credence.url);
  client = createCredenceClient({ url: credence.url, serviceKey: SERVICE_KEY });
  const env = {
    CREDENCE_URL: proxy.url,
    CREDENCE_SERVICE_KEY: SERVICE_KEY,
    MAX_STALENESS_MS: String(MAX_STALENESS_MS),
  };
  apps.push(...(await Promise.all(['express', 'fastify', 'hono', 'apollo'].map((name) => startExample(name, env)))));
}, 120_000);
afterAll(async () => {
  await Promise.all(apps.map((app) => app.stop()));
  client.close();
  await proxy.close();
  await credence.end('SIGTERM');
  await place.dispose();
});

async function run(query: string, options: { variables?: object; token?: string } = {}) {
  const { variables = {}, token } = options;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { data, code } = await ask(credence.url, { query, variables, headers });
  expect(code).toBeUndefined();
  return data;
}

const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }`;

async function signUp(username: string): Promise<{ id: string; token: string; username: string }> {
  const input = { username, email: `${username}@example.com`, password: 'violet tractor sings 77 at dusk' };
  const { register } = await run(REGISTER, { variables: { input } });
  return { id: register.user.id, token: register.accessToken, username };
}

const VERIFY = `mutation($token: String!) { verifyEmail(token: $token) { user { id } } }`;

/** Signed up, and the link in the letter followed. */
async function verified(username: string): ReturnType<typeof signUp> {
  const person = await signUp(username);
  let link: string | undefined;
  while (link === undefined) {
    const answer = await fetch(`${credence.url}/dev/mailbox.json`);
    const letters = (await answer.json()) as { to: string; links: string[] }[];
    const theirs = letters.filter(({ to }) => to.includes(`${username}@`)).flatMap(({ links }) => links);
    link = theirs.find((at) => at.includes('token='));
  }
  await run(VERIFY, { variables: { token: new URL(link).searchParams.get('token') } });
  return person;
}

/** What the services say, one after the other, for `expect(…).toEqual` on what is alike. */
const codes = (call: (app: ExampleApp) => Promise<{ code: string }>) =>
  Promise.all(apps.map(async (app) => (await call(app)).code));
const alike = (code: string) => apps.map(() => code);

describe('services on Express, Fastify, Hono and Apollo, as processes beside a real Credence', () => {
  it('greet whoever has signed up, and strangers as such', async () => {
    const ada = await signUp('ada');
    for (const app of apps) {
      expect((await app.hello()).data).toEqual({ hello: 'stranger' });
      expect((await app.hello(ada.token)).data).toEqual({ hello: 'ada' });
      expect((await app.me(ada.token)).data).toEqual({ id: ada.id, username: 'ada', kind: 'USER' });
    }
  });

  it('ask for a token, and refuse one that is none, in the words of RFC 6750', async () => {
    expect(await codes((app) => app.me())).toEqual(alike('UNAUTHENTICATED'));
    for (const app of apps.filter(({ name }) => name !== 'apollo')) {
      const { status, headers } = await app.me();
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="credence"']);
    }
    expect(await codes((app) => app.hello('a.b.c'))).toEqual(alike('TOKEN_INVALID'));
    for (const app of apps) {
      const { status, headers } = await app.hello('a.b.c');
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toContain('error="invalid_token"');
    }
  });

  it('spend the credits of who is there until there are none', async () => {
    const bea = await verified('bea');
    await client.addCredits({ userId: bea.id, amount: 16 });
    const left: number[] = [];
    for (const app of apps) {
      const { data, code } = await app.chat(bea.token);
      expect(code, app.output()).toBe('OK');
      expect(data.reply).toBe('You said: hi');
      left.push(data.creditsLeft);
    }
    expect(left).toEqual([13, 10, 7, 4]);
    await client.useCredits({ userId: bea.id, amount: 4 });
    expect(await codes((app) => app.chat(bea.token))).toEqual(alike('INSUFFICIENT_CREDITS'));
    expect(await client.creditBalance(bea.id)).toEqual({ available: 0, balance: 0, held: 0 });
  });

  it('take API keys for what they are made for, and not for more', async () => {
    const cleo = await verified('cleo');
    await client.addCredits({ userId: cleo.id, amount: 100 });
    const keyOf = async (scopes: string[]) => {
      const create = `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }`;
      const variables = { input: { name: 'key', scopes } };
      return (await run(create, { variables, token: cleo.token })).createApiKey.key as string;
    };
    const [writer, reader] = [await keyOf(['chat:write']), await keyOf(['chat:read'])];
    expect(await codes((app) => app.chat(writer))).toEqual(alike('OK'));
    expect(await codes((app) => app.me(reader))).toEqual(alike('OK'));
    expect(await codes((app) => app.chat(reader))).toEqual(alike('INSUFFICIENT_SCOPE'));
  });

  it('take no credits of who has not verified their address', async () => {
    const fay = await signUp('fay');
    expect(await codes((app) => app.chat(fay.token))).toEqual(alike('EMAIL_NOT_VERIFIED'));
  });

  it('refuse, once the promised time has gone by, who has logged out', async () => {
    const dora = await signUp('dora');
    expect(await codes((app) => app.me(dora.token))).toEqual(alike('OK'));
    await run(`mutation { logout { ok } }`, { token: dora.token });
    const since = performance.now();
    // What is asked before may go either way; what is asked after may not.
    while (performance.now() - since <= MAX_STALENESS_MS) await codes((app) => app.me(dora.token));
    expect(await codes((app) => app.me(dora.token))).toEqual(alike('UNAUTHENTICATED'));
  });

  it('say that they cannot tell, and when to come back, while Credence is away; then go on', async () => {
    const eve = await signUp('eve');
    await proxy.goDown();
    for (const app of apps.filter(({ name }) => name !== 'express')) {
      const { code, status, headers, data } = await app.me(eve.token);
      expect([code, status]).toEqual(['UNAVAILABLE', 503]);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(JSON.stringify(data)).not.toMatch(/ECONN|127\.0\.0\.1/);
    }
    await proxy.comeUp();
    expect(await codes((app) => app.me(eve.token))).toEqual(alike('OK'));
  });
});

describe('a service that Credence tells what has ended', () => {
  it('refuses at once, long before the promised time', async () => {
    const login = `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`;
    const identity = { identifier: 'admin', password: ADMIN_PASSWORD };
    const { adminLogin } = await run(login, { variables: { input: identity } });
    const endpoint = await createReceiver();
    const create = `mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { secret } }`;
    const input = { url: endpoint.url, kinds: ['session.revoked'] };
    const { createWebhookEndpoint } = await run(create, { variables: { input }, token: adminLogin.accessToken });
    const app = await startExample('express', {
      CREDENCE_URL: credence.url,
      CREDENCE_SERVICE_KEY: SERVICE_KEY,
      MAX_STALENESS_MS: '600000',
      WEBHOOK_SECRET: createWebhookEndpoint.secret,
    });
    const gus = await signUp('gus');
    expect((await app.me(gus.token)).code).toBe('OK');
    await run(`mutation { logout { ok } }`, { token: gus.token });
    expect((await app.me(gus.token)).code).toBe('OK');
    while (endpoint.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const [event] = endpoint.received;
    const post = (body: string) =>
      fetch(`${app.url}/hooks`, {
        method: 'POST',
        headers: { ...event?.headers, 'content-type': 'application/json', 'content-length': `${body.length}` },
        body,
      });
    expect((await post('{}')).status).toBe(400);
    expect((await app.me(gus.token)).code).toBe('OK');
    expect((await post(event?.body ?? '')).status).toBe(204);
    expect((await app.me(gus.token)).code).toBe('UNAUTHENTICATED');
    await Promise.all([app.stop(), endpoint.close()]);
  });
});
