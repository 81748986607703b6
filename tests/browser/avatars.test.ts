import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromiumPath, launchChromium } from '../support/chromium.js';
import { createHarness, type Harness } from '../support/harness.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A port that was free a moment ago: the address of uploads has to be known before the server listens. */
async function findPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  return port;
}

const APP = readFileSync(new URL('avatar-app.js', import.meta.url), 'utf8');
const PAGE = `<!doctype html><title>App</title><script>${APP}</script>`;

describe.skipIf(!chromiumPath).each(['local', 's3'] as const)('avatars in Chromium, %s storage', (kind) => {
  let browser: Browser;
  let s3: S3Server;
  let harness: Harness;
  let app: Server;
  let page: Page;
  let api: string;

  beforeAll(async () => {
    s3 = await startS3Server();
    // A front end of another origin, as it is in the world.
    app = createServer((_, response) => response.setHeader('content-type', 'text/html').end(PAGE));
    const origin = `http://localhost:${await listen(app)}`;
    const port = await findPort();
    api = `http://127.0.0.1:${port}`;
    const server = { publicUrl: api, corsOrigins: [origin] };
    harness = await createHarness({ config: { server, ...(kind === 's3' && { storage: s3.config }) } });
    await harness.fastify.listen({ host: '127.0.0.1', port });
    browser = await launchChromium();
    page = await browser.newPage();
    await page.goto(origin);
  });

  const send = (token: string, type: string): Promise<string> =>
    page.evaluate(`drawAndSend(${JSON.stringify({ api, token, type })})`);

  afterAll(async () => {
    await browser?.close();
    await harness?.close();
    app?.close();
    await s3?.close();
  });

  test.each(['image/png', 'image/jpeg', 'image/webp'])(
    'an app of another origin sends and shows a %s',
    async (type) => {
      const { token } = await harness.person();
      const url = await send(token, type);
      expect(url.startsWith(`${api}/avatars/`)).toBe(true);
      expect(await page.evaluate(`sizeOfImage(${JSON.stringify(url)})`)).toBe('320x200');
    },
  );

  test('opened by itself, one is saved and not shown', async () => {
    const { token } = await harness.person();
    const url = await send(token, 'image/png');
    const other = await browser.newPage();
    const download = other.waitForEvent('download');
    await other.goto(url).catch(() => undefined);
    expect((await download).url()).toBe(url);
    await other.close();
  });
});
