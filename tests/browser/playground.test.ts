import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMailbox } from '../../src/core/mailbox.js';
import { chromiumPath, launchChromium } from '../support/chromium.js';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 90_000 });

describe.skipIf(!chromiumPath)('the playground in Chromium', () => {
  let browser: Browser;
  let harness: Harness;
  let directory: string;
  let mailbox: ReturnType<typeof createMailbox>;
  let base: string;
  let page: Page;
  /** Whatever a person would call a fault: errors on the console, exceptions, requests that leave the server. */
  let faults: string[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'credence-playground-'));
    mailbox = createMailbox(directory);
    harness = await createHarness({
      config: { graphql: { playground: true, introspection: true } },
      overrides: { mailer: mailbox },
    });
    base = await harness.fastify.listen({ host: '127.0.0.1', port: 0 });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await harness?.close();
    await rm(directory, { recursive: true, force: true });
  });

  beforeEach(async () => {
    faults = [];
    page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    page.on('console', (message) => message.type() === 'error' && faults.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => faults.push(`exception: ${error.message}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${base}/`) && !request.url().startsWith('data:'))
        faults.push(`outside: ${request.url()}`);
    });
    await page.goto(`${base}/playground`);
    await page.locator('button.ready-operation').first().waitFor();
  });

  afterEach(async () => {
    await page.context().close();
  });

  /** Verified with the letter in the mailbox, which the playground reads too. */
  async function verifiedPerson(username: string) {
    const person = await harness.person({ verified: false, username });
    await harness.letters();
    const [link] = (await mailbox.list()).find(({ to }) => to === person.email)?.links ?? [];
    const token = new URL(link ?? '').searchParams.get('token');
    await harness.graphql('mutation($token: String!) { verifyEmail(token: $token) { user { id } } }', {
      variables: { token },
    });
    return person;
  }

  const chooseRole = (name: string) => page.getByRole('tab', { name, exact: true }).click();

  /** Opens a ready operation, runs it, and answers with what GraphiQL shows once it contains `expected`. */
  async function run(operation: string, expected: string): Promise<string> {
    await page.locator('button.ready-operation', { has: page.getByText(operation, { exact: true }) }).click();
    await page.locator('.graphiql-tab-active', { hasText: operation }).waitFor();
    const result = page.locator('.result-window', { hasText: expected });
    for (let tries = 1; ; tries += 1) {
      await page.getByRole('button', { name: /Execute query/ }).click();
      if (
        await result.waitFor({ timeout: 8_000 }).then(
          () => true,
          () => false,
        )
      )
        break;
      // GraphiQL does nothing with a click that comes before it has read the operation.
      const shown = await page.locator('.result-window').innerText();
      if (shown.trim() !== '' || tries === 3)
        throw new Error(`${operation} did not answer with ${expected} but: ${shown}`);
    }
    return result.innerText();
  }

  /** Writes into one of GraphiQL's editors. */
  async function write(section: 'Variables' | 'Headers' | 'Query Editor', text: string): Promise<void> {
    await page.locator(`section[aria-label="${section}"] :not(.hidden) > .CodeMirror`).evaluate((element, value) => {
      (element as unknown as { CodeMirror: { setValue(text: string): void } }).CodeMirror.setValue(value);
    }, text);
  }

  test('a newcomer signs up, proves the address and sees the account, without typing a token', async () => {
    await run('Register', '"accessToken"');
    await harness.letters();
    expect(await run('VerifyEmail', '"emailVerified": true')).not.toContain('errors');
    await chooseRole('Signed-in person');
    expect(await run('Me', '"ada@example.com"')).toContain('"balance": 0');
    expect(faults).toEqual([]);
  });

  test('a service checks a token and moves credits; an operator finds the person', async () => {
    const { key } = await harness.service([
      'tokens:validate',
      'credits:read',
      'credits:grant',
      'credits:use',
      'users:read',
    ]);
    const admin = await harness.admin(['users:read', 'users:write']);
    const person = await verifiedPerson('grace');
    await chooseRole('Service');
    await page.getByLabel('serviceKey').fill(key);
    await page.getByLabel('accessToken').fill(person.token);
    expect(await run('ValidateToken', '"valid": true')).toContain(person.username);
    if (process.env.PLAYGROUND_PICTURE) await page.screenshot({ path: process.env.PLAYGROUND_PICTURE });
    await run('AddCredits', '"balanceAfter": 100');
    await run('UseCredits', '"balanceAfter": 97');
    await run('HoldCredits', '"available": 92');
    await run('CaptureCredits', '"CAPTURED"');

    await chooseRole('Operator');
    await page.locator('button.ready-operation', { hasText: 'AdminLogin' }).click();
    await write('Variables', JSON.stringify({ input: { identifier: admin.username, password: PASSWORD } }));
    await run('AdminLogin', '"AdminAuthPayload"');
    await run('Users', '"totalCount"');
    expect(faults).toEqual([]);
  });

  test('an operation whose values are missing is not sent; the page says which are and where they come from', async () => {
    await chooseRole('Service');
    const shown = await run('ValidateToken', 'Not sent');
    expect(shown).toContain('serviceKey (printed at the first start)');
    expect(shown).toContain('accessToken (from register or login)');
    expect(faults).toEqual([]);
  });

  test('the documentation explorer shows each field’s level', async () => {
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.getByRole('link', { name: 'Query', exact: true }).click();
    await page.getByRole('link', { name: 'me', exact: true }).click();
    await page.getByText('Level: VERIFIED').waitFor();
    expect(faults).toEqual([]);
  });

  test('headers can be written by hand', async () => {
    const person = await verifiedPerson('joan');
    await page.getByRole('button', { name: 'Headers' }).click();
    await write('Headers', JSON.stringify({ Authorization: `Bearer ${person.token}` }));
    await write('Query Editor', '{ me { username } }');
    await page.getByRole('button', { name: /Execute query/ }).click();
    await page.locator('.result-window', { hasText: person.username }).waitFor();
    expect(faults).toEqual([]);
  });

  test('nothing stays behind: no token, nor anything else, is in storage that outlives the tab', async () => {
    const { token } = await verifiedPerson('mary');
    await chooseRole('Service');
    await page.getByLabel('accessToken').fill(token);
    await page.reload();
    await page.getByLabel('accessToken').waitFor();
    expect(await page.getByLabel('accessToken').inputValue()).toBe(token);
    expect(await page.evaluate('JSON.stringify([Object.keys(localStorage), document.cookie])')).toBe('[[],""]');
    const other = await page.context().newPage();
    await other.goto(`${base}/playground`);
    expect(await other.evaluate('sessionStorage.getItem("credence:values")')).toBeNull();
  });
});
