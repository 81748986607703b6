import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';
import { type OpenidServer, startOpenidServer } from '../support/openid-server.js';
import { CLIENT } from '../support/scripted-provider.js';

const CANDIDATES = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = CANDIDATES.find((path) => path && existsSync(path));
if (!executablePath) console.warn('tests/browser is NOT RUN: there is no Chromium on this machine.');
const ARGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** A single-page app as a developer would write it from the set-up guide; `API` is put in when it is served. */
const APP = `<!doctype html><html lang="en"><title>App</title><body style="font: 16px system-ui; margin: 10vh auto; max-width: 24rem">
<h1>App</h1><button id="mutations">Sign in with Google</button> <button id="doors">Sign in by the door</button>
<p id="who" role="status"></p>
<script type="module">
const say = (text) => { document.querySelector('#who').textContent = text };
async function ask(query, variables) {
  const answer = await fetch('API/graphql', { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(errors[0].extensions.code);
  return data;
}
document.querySelector('#mutations').onclick = async () => {
  const { startGoogleSignIn: begun } = await ask('mutation { startGoogleSignIn { authorizationUrl browserSecret } }');
  sessionStorage.setItem('browserSecret', begun.browserSecret);
  location.href = begun.authorizationUrl;
};
const encode = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
document.querySelector('#doors').onclick = async () => {
  const secret = encode(crypto.getRandomValues(new Uint8Array(32)));
  sessionStorage.setItem('browserSecret', secret);
  const challenge = encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret))));
  location.href = 'API/auth/google/login?challenge=' + challenge;
};
const back = new URLSearchParams(location.search.slice(1) || location.hash.slice(1));
if (back.has('code')) {
  history.replaceState(null, '', location.pathname);
  const input = { code: back.get('code'), state: back.get('state'), issuer: back.get('iss'),
    browserSecret: sessionStorage.getItem('browserSecret') };
  ask('mutation($input: CompleteGoogleSignInInput!) { completeGoogleSignIn(input: $input) { ... on AuthPayload { user { username email } } } }', { input })
    .then(({ completeGoogleSignIn: { user } }) => say('Signed in as ' + user.username + ' <' + user.email + '>'), (error) => say(error.message));
} else if (back.has('error')) say(back.get('error'));
</script></body></html>`;

const listen = (server: Server) =>
  new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Answer {
  data: { completeGoogleSignIn: { user: { username: string } } };
}

describe.skipIf(!executablePath)('signing in at a real OpenID provider, in Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let provider: OpenidServer;
  let appServer: Server;
  let app: string;
  let api: string;
  /** One with an app, one without. */
  let h: Harness;
  let appless: Harness;
  let applessApi: string;

  beforeAll(async () => {
    const [port, applessPort] = [await freePort(), await freePort()];
    api = `http://127.0.0.1:${port}`;
    applessApi = `http://127.0.0.1:${applessPort}`;
    appServer = createServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(APP.replaceAll('API', api)),
    );
    app = `http://127.0.0.1:${await listen(appServer)}`;
    const doors = [api, applessApi].map((base) => `${base}/auth/google/callback`);
    provider = await startOpenidServer([`${app}/google-sign-in`, ...doors]);
    const google = { ...CLIENT, issuer: provider.issuer };
    h = await createHarness({
      config: {
        google: { ...google, returnUrls: [`${app}/google-sign-in`] },
        server: { publicUrl: api, frontendUrl: app, corsOrigins: [app] },
      },
    });
    appless = await createHarness({
      config: {
        google: { ...google, returnUrls: [] },
        server: { publicUrl: applessApi },
        graphql: { playground: true, introspection: true },
      },
    });
    await h.fastify.listen({ host: '127.0.0.1', port });
    await appless.fastify.listen({ host: '127.0.0.1', port: applessPort });
    browser = await chromium.launch({ ...(executablePath && { executablePath }), args: ARGS });
  });

  afterAll(async () => {
    await browser?.close();
    await h?.close();
    await appless?.close();
    await provider?.close();
    await new Promise((resolve) => appServer?.close(resolve));
  });

  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 900, height: 600 } });
    page = await context.newPage();
  });
  afterEach(() => context.close());

  async function agreeAs(email: string): Promise<void> {
    await page.getByLabel('Email address').fill(email);
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  const picture = async (name: string) => {
    if (process.env.OPENID_PICTURES) await page.screenshot({ path: `${process.env.OPENID_PICTURES}/${name}.png` });
  };

  test('an app signs somebody in by mutations, and by the door the same person', async () => {
    await page.goto(app);
    await page.getByRole('button', { name: 'Sign in with Google' }).click();
    await picture('provider');
    await agreeAs('ada@example.com');
    await page.getByText('Signed in as ada <ada@example.com>').waitFor();
    await picture('signed-in');
    expect(page.url()).toBe(`${app}/google-sign-in`);
    // The provider knows them by now and asks nothing.
    await page.goto(app);
    await page.getByRole('button', { name: 'Sign in by the door' }).click();
    await page.getByText('Signed in as ada <ada@example.com>').waitFor();
    const people = await h.app.database.sql.query('select from users', []);
    expect(people).toHaveLength(1);
  });

  test('the cookie goes back to the door on the way from the provider, and from no other browser', async () => {
    await page.goto(`${applessApi}/auth/google/login`);
    const callbacks: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/auth/google/callback?')) callbacks.push(request.url());
    });
    await agreeAs('grace@example.com');
    await page.getByRole('heading', { name: 'Almost signed in' }).waitFor();
    await picture('one-time-code');
    const shown = await page.locator('pre').innerText();
    await page.goto(`${applessApi}/playground`);
    const answer = (await page.evaluate(
      (query) =>
        fetch('/graphql', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query }),
        }).then((response) => response.json()),
      shown,
    )) as Answer;
    expect(answer.data.completeGoogleSignIn.user.username).toBe('grace');
    // The address of the callback, opened by whoever got hold of it.
    const stranger = await (await browser.newContext()).newPage();
    const opened = await stranger.goto(callbacks[0] ?? '');
    expect(opened?.status()).toBe(401);
    await stranger.context().close();
  });

  test('an app that is sent somebody else’s one-time code is not signed in as them', async () => {
    await page.goto(`${app}/google-sign-in?code=stolen&state=stolen`);
    await page.getByText('TOKEN_INVALID').waitFor();
  });
});
