import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sampleLetters } from '../../src/modules/mail/letter-samples.js';
import { LETTER_KINDS, renderLetter } from '../../src/modules/mail/letters.js';
import { chromiumPath, launchChromium } from '../support/chromium.js';
import { createHarness, type Harness } from '../support/harness.js';

const LANGUAGES = ['en', 'es', 'de', 'fr', 'pt', 'zh'];
const TOKEN = 'crd_verify_Q2nYb7Ws0pXcR4tGh8JkLmNzV5uEaD1fO3iPqTy6BxC9wS';
const PATHS = ['/verify-email', '/reset-password', '/confirm-email-change', '/undo-email-change', '/accept-invitation'];
/** With LETTER_PICTURES=<directory> the pictures are kept there, for people to look at. */
const PICTURES = process.env.LETTER_PICTURES;

const SCREENS = [
  ['phone', 'light'],
  ['phone', 'dark'],
  ['desktop', 'light'],
  ['desktop', 'dark'],
] as const;

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 });

/** Runs in the page; text, since these tests know no DOM. */
const COMPLAINTS = readFileSync(join(import.meta.dirname, '../support/page-complaints.js'), 'utf8');
const complaintsAbout = (page: Page) => page.evaluate<string[]>(COMPLAINTS);

describe.skipIf(!chromiumPath).each(SCREENS)('on a %s in the %s', (screen, scheme) => {
  let browser: Browser;
  let context: BrowserContext;
  let harness: Harness;
  let base: string;
  let page: Page;

  beforeAll(async () => {
    if (PICTURES) await mkdir(PICTURES, { recursive: true });
    harness = await createHarness();
    base = await harness.fastify.listen({ host: '127.0.0.1', port: 0 });
    browser = await launchChromium();
    const viewport = screen === 'phone' ? { width: 390, height: 844 } : { width: 1280, height: 800 };
    // Without script, as mail programs show letters and as the pages have to work.
    context = await browser.newContext({ viewport, colorScheme: scheme, javaScriptEnabled: false });
    page = await context.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await harness?.close();
  });

  const keep = async (name: string) => {
    if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}-${screen}-${scheme}.png`), fullPage: true });
  };

  it.each(LANGUAGES)('every letter in %s can be read', async (locale) => {
    const samples = sampleLetters({ now: new Date('2026-03-01T09:30:00Z'), baseUrl: 'https://accounts.example.com' });
    const found: string[] = [];
    for (const kind of LETTER_KINDS) {
      const letter = renderLetter(kind, samples[kind], { locale, timeZone: 'Europe/Berlin', brand: 'Acme Accounts' });
      await page.setContent(letter.html);
      found.push(...(await complaintsAbout(page)).map((complaint) => `${kind}: ${complaint}`));
      await keep(`letter-${kind}-${locale}`);
    }
    expect(found).toEqual([]);
  });

  it.each(LANGUAGES)('every page in %s can be read and used without script', async (language) => {
    await context.setExtraHTTPHeaders({ 'accept-language': language });
    const found: string[] = [];
    const look = async (name: string) => {
      found.push(...(await complaintsAbout(page)).map((complaint) => `${name}: ${complaint}`));
      await keep(`page-${name}-${language}`);
    };
    for (const path of PATHS) {
      await page.goto(`${base}${path}?token=${TOKEN}`);
      await look(path.slice(1));
    }
    // From the keyboard alone: both fields, then the button.
    await page.locator('#password').focus();
    await page.keyboard.type('paper lanterns over 9 quiet rivers');
    await page.keyboard.press('Tab');
    await page.keyboard.type('paper lanterns over 9 quiet streams');
    await page.keyboard.press('Enter');
    await page.locator('[role=alert]').waitFor();
    await look('two-passwords');
    await page.goto(`${base}/verify-email?token=${TOKEN}`);
    await page.locator('button').press('Enter');
    await page.locator('[role=alert]').waitFor();
    await look('used-link');
    await page.goto(`${base}/verify-email`);
    await look('incomplete');
    expect(found).toEqual([]);
  });
});
