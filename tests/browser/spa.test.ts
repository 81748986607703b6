import type { Browser, BrowserContext, Page, Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { totpCode, wrongCode } from '../second-factor/codes.js';
import { chromiumPath, launchChromium } from '../support/chromium.js';
import { PASSWORD, type Person, uniqueName } from '../support/harness.js';
import { type Spa, startSpa } from '../support/spa.js';

// A browser on a busy machine takes its time.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const MINUTE = 60_000;

const WELCOME = 1_500;
const USES = [
  [12, 'Chat: a poem about the sea'],
  [40, 'Translation of 8 pages'],
  [6, 'Chat: what to cook today'],
  [25, 'Picture: a fox in the snow'],
  [80, 'Transcript of an interview'],
  [10, 'Chat: names for a boat'],
] as const;
const DEVICES = [
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0',
];

describe.skipIf(!chromiumPath)('examples/spa in Chromium', () => {
  let spa: Spa;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** Whatever a person would call a fault: exceptions, errors on the console (a breach of the policy is one). */
  let faults: string[];

  beforeAll(async () => {
    spa = await startSpa();
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await spa?.close();
  });

  async function newDevice(): Promise<BrowserContext> {
    const device = await browser.newContext({ viewport: { width: 760, height: 900 } });
    device.on('console', (message) => {
      // The browser writes down every refusal. Wrong passwords and tokens that have run out are refused.
      const isRefusal = /^Failed to load resource: .* status of 4\d\d/.test(message.text());
      if (message.type() === 'error' && !isRefusal) faults.push(message.text());
    });
    device.on('weberror', (error) => faults.push(error.error().message));
    return device;
  }

  beforeEach(async () => {
    faults = [];
    context = await newDevice();
    page = await context.newPage();
  });

  afterEach(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });

  const click = (name: string, where = page) => where.getByRole('button', { name, exact: true }).click();
  const fill = (label: string, value: string, where = page) => where.getByLabel(label, { exact: true }).fill(value);
  const heading = (name: string, where = page) => where.getByRole('heading', { name, exact: true }).waitFor();
  const section = (name: string) => page.getByRole('region', { name });

  async function signIn(person: { username: string; password?: string }, where = page): Promise<void> {
    await where.goto(spa.url);
    await fill('User name or email address', person.username, where);
    await fill('Password', person.password ?? PASSWORD, where);
    await click('Sign in', where);
  }

  async function signedIn(where = page, username?: string): Promise<Person> {
    const person = await spa.harness.person({ ...(username && { username }) });
    await signIn(person, where);
    await heading(`Hello, ${person.username}`, where);
    return person;
  }

  /** From a device of which nothing is seen here. */
  async function login(identifier: string, userAgent: string): Promise<void> {
    const mutation = 'mutation($input: LoginInput!) { login(input: $input) { __typename } }';
    const variables = { input: { identifier, password: PASSWORD } };
    const { errors } = await spa.harness.graphql(mutation, { variables, headers: { 'user-agent': userAgent } });
    expect(errors).toBeUndefined();
  }

  async function openLetter(to: string, path: string): Promise<void> {
    await page.goto(`${spa.url}${path}?token=${await spa.harness.tokenFor(to, path)}`);
    // Not in the address bar, nor in the history.
    expect(page.url()).toBe(`${spa.url}${path}`);
  }

  /** What the app does when a person comes back to its tab. */
  const comeBack = (tab: Page) => tab.evaluate('void document.dispatchEvent(new Event("visibilitychange"))');
  const asks = (operation: string) => (request: Request) => request.postDataJSON()?.operationName === operation;

  /** For docs/images, with SPA_PICTURES=docs/images. */
  async function picture(name: string, height: number): Promise<void> {
    const place = process.env.SPA_PICTURES;
    const clip = { x: 0, y: 0, width: page.viewportSize()?.width ?? 0, height };
    if (place) await page.screenshot({ path: `${place}/spa-${name}.png`, clip });
  }

  test('a newcomer signs up, opens the letter’s link, and has an account', async () => {
    const username = 'grace';
    const email = `${username}@example.com`;
    await page.goto(spa.url);
    await page.getByRole('link', { name: 'Sign up' }).click();
    await page.getByText('At least 12 characters').waitFor();
    await fill('User name', username);
    await fill('Email address', email);
    await fill('Password', 'password password');
    await click('Create account');
    await page.getByText('Please choose another password.').waitFor();
    const field = page.getByLabel('Password', { exact: true });
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await page.evaluate('document.activeElement.name')).toBe('password');
    await picture('sign-up', 710);
    await fill('Password', PASSWORD);
    await click('Create account');
    await heading('Look into your mailbox');

    await openLetter(email, '/verify-email');
    await click('Verify');
    await heading('Your address is verified.');
    await page.getByRole('link', { name: 'To your account' }).click();
    await heading(`Hello, ${username}`);
    await page.getByText('Nothing yet').waitFor();
  });

  test('a letter that went astray is sent again; a link that was opened twice says so', async () => {
    const { username, email } = await spa.harness.person({ verified: false });
    await signIn({ username });
    await heading('Look into your mailbox');
    await click('I have opened it');
    await page.getByText('It is not verified yet.').waitFor();
    await click('Send another letter');
    await page.getByText('Another letter is on its way.').waitFor();
    const token = await spa.harness.tokenFor(email, '/verify-email');
    const verify = 'mutation($token: String!) { verifyEmail(token: $token) { user { id } } }';
    await spa.harness.graphql(verify, { variables: { token } });
    await click('I have opened it');
    await heading(`Hello, ${username}`);
    await page.goto(`${spa.url}/verify-email?token=${token}`);
    await click('Verify');
    await page.getByText('This link has been used already').waitFor();
  });

  test('where addresses are confirmed first, sign-up says the same to everybody and signs nobody in', async () => {
    const { email } = await spa.harness.person();
    const { registration } = spa.harness.app.config;
    registration.confirmFirst = true;
    await page.goto(`${spa.url}/sign-up`);
    await fill('User name', uniqueName());
    await fill('Email address', email);
    await fill('Password', PASSWORD);
    await click('Create account');
    await heading('Look into your mailbox');
    registration.confirmFirst = false;
    await page.getByRole('link', { name: 'sign in' }).click();
    await heading('Sign in');
    expect(await context.cookies()).toEqual([]);
  });

  test('who was invited by an admin sets a password and signs in with it', async () => {
    const { token } = await spa.harness.admin(['users:write']);
    const input = { username: 'invited', email: 'invited@example.com' };
    const create = 'mutation($input: CreateUserInput!) { createUser(input: $input) { user { id } } }';
    expect((await spa.harness.graphql(create, { token, variables: { input } })).errors).toBeUndefined();
    await openLetter(input.email, '/accept-invitation');
    await page.reload();
    await fill('New password', PASSWORD);
    await click('Set password');
    await heading('Your password is set');
    await signIn(input);
    await heading('Hello, invited');
  });

  test('a second tab is signed in by itself, and no storage holds anything that opens the account', async () => {
    const { username, id } = await signedIn();
    const tab = await context.newPage();
    await tab.goto(spa.url);
    await heading(`Hello, ${username}`, tab);
    await tab.reload();
    await heading(`Hello, ${username}`, tab);
    expect(await tab.evaluate('[JSON.stringify({ ...localStorage }), sessionStorage.length, document.cookie]')).toEqual(
      [JSON.stringify({ 'example:user': id }), 0, ''],
    );
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ name: '__Host-credence_refresh', httpOnly: true, secure: true, sameSite: 'Strict' });
  });

  test('access tokens that run out in two tabs at once are renewed in silence, time and again', async () => {
    const { username } = await signedIn();
    const tab = await context.newPage();
    await tab.goto(spa.url);
    await heading(`Hello, ${username}`, tab);
    for (let round = 0; round < 3; round += 1) {
      spa.harness.clock.advance(11 * MINUTE);
      const answers = [page, tab].map((each) =>
        each.waitForResponse((response) => asks('CurrentSession')(response.request()) && response.ok()),
      );
      await Promise.all([page, tab].map(comeBack));
      await Promise.all(answers);
    }
    await heading(`Hello, ${username}`, page);
    await heading(`Hello, ${username}`, tab);
    expect(
      await spa.harness.app.database.sql.query(`select from audit_events where action = 'session.reuse_detected'`, []),
    ).toEqual([]);
  });

  test('tabs take turns: while one asks for a new token the others wait, and none is signed out', async () => {
    const { username } = await signedIn();
    const tab = await context.newPage();
    await tab.goto(spa.url);
    await heading(`Hello, ${username}`, tab);
    let underWay = 0;
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await context.route('**/graphql', async (route) => {
      if (asks('RefreshToken')(route.request())) {
        underWay += 1;
        expect(underWay).toBe(1);
        await held;
        underWay -= 1;
      }
      await route.continue();
    });
    spa.harness.clock.advance(11 * MINUTE);
    const answers = [page, tab].map((each) =>
      each.waitForResponse((response) => asks('CurrentSession')(response.request()) && response.ok()),
    );
    await Promise.all([page, tab].map(comeBack));
    const locks = 'navigator.locks.query().then(({ held, pending }) => [held.length, pending.length])';
    await expect.poll(() => tab.evaluate(locks), { timeout: 20_000 }).toEqual([1, 1]);
    release();
    await Promise.all(answers);
    await heading(`Hello, ${username}`);
  });

  test('a session that is ended from another device ends in both tabs', async () => {
    const { username } = await signedIn();
    const tab = await context.newPage();
    await tab.goto(spa.url);
    await heading(`Hello, ${username}`, tab);
    const device = await newDevice();
    const other = await device.newPage();
    await signIn({ username }, other);
    await other.getByText('This browser').waitFor();
    await click('End all others', other);
    await other.getByText('All other sessions were ended.').waitFor();
    await device.close();

    await comeBack(tab);
    await heading('Sign in', tab);
    await heading('Sign in', page);
  });

  test('signing out and in happens in all tabs; somebody else finds nothing of the one before', async () => {
    const first = await signedIn();
    const tab = await context.newPage();
    await tab.goto(spa.url);
    await heading(`Hello, ${first.username}`, tab);
    await click('Sign out', tab);
    await heading('Sign in', page);
    expect(await context.cookies()).toEqual([]);
    const second = await signedIn(tab);
    await heading(`Hello, ${second.username}`, page);
    expect(await page.getByText(first.username).count()).toBe(0);
  });

  test('a server that is away signs nobody out, and the page says what is wrong', async () => {
    const { username } = await signedIn();
    await context.route('**/graphql', (route) => route.abort());
    await click('Sign out');
    await page.getByText('The server cannot be reached.').first().waitFor();
    await comeBack(page);
    await page.getByRole('button', { name: 'Try again' }).first().waitFor();
    await context.unroute('**/graphql');
    await page.reload();
    await heading(`Hello, ${username}`);
    faults = faults.filter((fault) => !fault.includes('net::ERR_FAILED'));
  });

  test('a forgotten password is set anew by the letter, and no session outlives it', async () => {
    const { username, email } = await signedIn();
    const device = await newDevice();
    const other = await device.newPage();
    await other.goto(spa.url);
    await other.getByRole('link', { name: 'Forgotten your password?' }).click();
    await fill('Email address', email, other);
    await click('Send the letter', other);
    await other.getByText('a letter is on its way').waitFor();
    await device.close();

    await openLetter(email, '/reset-password');
    await fill('New password', `${PASSWORD} again`);
    await click('Set password');
    await heading('Your password is set');
    await page.getByRole('link', { name: 'sign in' }).click();
    await signIn({ username, password: PASSWORD });
    await page.getByText('User name or password is not right.').waitFor();
    await signIn({ username, password: `${PASSWORD} again` });
    await heading(`Hello, ${username}`);
  });

  test('the account shows and changes what the person may: profile, address, password, other sessions', async () => {
    const { username, token, email } = await signedIn();
    const profile = section('Profile');
    await profile.getByLabel('Name that others see').fill('Ada Lovelace');
    await profile.getByLabel('Time zone').fill('Middle/Earth');
    await profile.getByRole('button', { name: 'Save' }).click();
    await profile.getByText('Must be an IANA time zone').waitFor();
    await profile.getByLabel('Time zone').fill('Europe/London');
    await profile.getByRole('button', { name: 'Save' }).click();
    await profile.getByText('Saved.').waitFor();

    const sessions = section('Where you are signed in');
    await sessions.getByRole('button', { name: /^End the session/ }).click();
    await sessions.getByText('This session was ended.').waitFor();
    expect((await spa.harness.graphql('{ me { id } }', { token })).code).toBe('UNAUTHENTICATED');

    const password = section('Password');
    await password.getByText('Change it').click();
    await password.getByLabel('Current password').fill(PASSWORD);
    await password.getByLabel('New password').fill(PASSWORD);
    await password.getByRole('button').click();
    await password.getByText('Must differ from the current password').waitFor();
    await password.getByLabel('New password').fill(`${PASSWORD} again`);
    await password.getByRole('button').click();
    await password.getByText('Changed.').waitFor();

    const address = section('Email address');
    await address.getByText('Change it').click();
    await address.getByLabel('New address').fill(`new-${email}`);
    await address.getByLabel('Your password').fill(`${PASSWORD} again`);
    await address.getByRole('button').click();
    await address.getByText('Open the link in the letter').waitFor();
    await openLetter(`new-${email}`, '/confirm-email-change');
    await click('Confirm');
    await page.getByRole('link', { name: 'To your account' }).click();
    await heading(`Hello, ${username}`);
    await section('Email address').getByText(`new-${email}`).waitFor();
    expect(await section('Profile').getByLabel('Time zone').inputValue()).toBe('Europe/London');
  });

  test('credits and sessions are shown, page by page, on a phone as on a wide screen', async () => {
    const { id, username, token } = await signedIn(page, 'ada');
    await spa.harness.graphql('mutation { logout { ok } }', { token });
    const { key: serviceKey } = await spa.harness.service(['credits:grant', 'credits:use']);
    const move = (field: string, input: object) =>
      spa.harness.graphql(
        `mutation($input: ${field === 'addCredits' ? 'AddCreditsInput' : 'UseCreditsInput'}!) { ${field}(input: $input) { replayed } }`,
        { serviceKey, variables: { input: { userId: id, idempotencyKey: uniqueName('key'), ...input } } },
      );
    await move('addCredits', { amount: WELCOME, description: 'Welcome' });
    for (const [amount, description] of USES) await move('useCredits', { amount, description });
    for (const device of DEVICES) await login(username, device);
    await page.reload();
    await heading(`Hello, ${username}`);
    const credits = section('Credits');
    await credits.getByText('1,327').first().waitFor();
    expect(await credits.getByRole('row').count()).toBe(7);
    await picture('account', 710);
    await credits.getByRole('button', { name: 'Show older' }).click();
    await credits.getByText('Welcome').waitFor();
    expect(await credits.getByRole('row').count()).toBe(8);
    expect(await credits.getByRole('button').count()).toBe(0);

    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 360, height: 710 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const sessions = section('Where you are signed in');
    await sessions.getByText('Safari on iOS').waitFor();
    await sessions.getByText('Firefox on Windows').waitFor();
    await sessions.getByRole('button', { name: 'End all others' }).scrollIntoViewIfNeeded();
    await picture('phone', 710);
  });

  test('a second step at sign-in is set up after proving the password, and is asked for from then on', async () => {
    const { username } = await signedIn();
    const factor = section('Second step at sign-in');
    spa.harness.clock.advance(11 * MINUTE);
    await factor.getByRole('button', { name: 'Set it up' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await factor.getByText('Confirm your password').waitFor();
    await factor.getByRole('button', { name: 'Set it up' }).click();
    await dialog.getByLabel('Your password').fill('not this one');
    await dialog.getByRole('button', { name: 'Confirm' }).click();
    await dialog.getByText('This password is not right.').waitFor();
    await dialog.getByLabel('Your password').fill(PASSWORD);
    await dialog.getByRole('button', { name: 'Confirm' }).click();
    const secret = (await factor.locator('code').innerText()).replaceAll(' ', '');
    await factor.getByLabel('Code').fill(totpCode(secret, spa.harness.clock.now()));
    await factor.getByRole('button', { name: 'Switch on' }).click();
    const backupCode = await factor.locator('li code').first().innerText();
    await factor.getByText('Signing in takes your password and a code').waitFor();

    await click('Sign out');
    await signIn({ username });
    await heading('Second step');
    await fill('Code', wrongCode(secret, spa.harness.clock.now()));
    await click('Sign in');
    await page.getByText('This code is not right').waitFor();
    await fill('Code', backupCode);
    await click('Sign in');
    await heading(`Hello, ${username}`);
  });
});
