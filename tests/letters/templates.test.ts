import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MailError } from '../../src/core/mail.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { LETTER_KINDS } from '../../src/modules/mail/letters.js';
import { createHarness, type Harness } from '../support/harness.js';

const TEMPLATES = `query($first: Int, $after: String) { emailTemplates(first: $first, after: $after) {
  totalCount nodes { kind variables subjects { language subject } } pageInfo { hasNextPage endCursor } } }`;
const PREVIEW = `mutation($kind: String!, $locale: String!) { previewEmailTemplate(kind: $kind, locale: $locale) { subject html text } }`;
const TEST = `mutation($kind: String!, $locale: String!) { sendTestEmail(kind: $kind, locale: $locale) { sentTo subject } }`;

let h: Harness;
let admin: Awaited<ReturnType<Harness['admin']>>;
beforeAll(async () => {
  h = await createHarness();
});
beforeEach(async () => {
  admin = await h.admin(['email:manage']);
});
afterAll(() => h.close());

const ask = (query: string, variables: Record<string, unknown> = {}) =>
  h.graphql(query, { token: admin.token, variables });

describe('emailTemplates', () => {
  it('lists every kind with its variables and its subject in six languages', async () => {
    const { data } = await ask(TEMPLATES, { first: 100 });
    const { nodes, totalCount } = data.emailTemplates;
    expect(nodes.map(({ kind }: { kind: string }) => kind)).toEqual(LETTER_KINDS);
    expect(totalCount).toBe(LETTER_KINDS.length);
    const reset = nodes.find(({ kind }: { kind: string }) => kind === 'RESET_PASSWORD');
    expect(reset.variables).toEqual(['username', 'link']);
    expect(reset.subjects.map(({ language }: { language: string }) => language)).toEqual([
      'en',
      'es',
      'de',
      'fr',
      'pt',
      'zh',
    ]);
    expect(reset.subjects[2].subject).toBe('Neues Passwort vergeben');
  });

  it('is read page by page', async () => {
    const kinds: string[] = [];
    for (let after: string | null = null; ; ) {
      const { data } = await ask(TEMPLATES, { first: 6, after });
      const { nodes, pageInfo } = data.emailTemplates;
      kinds.push(...nodes.map(({ kind }: { kind: string }) => kind));
      after = pageInfo.endCursor;
      if (!pageInfo.hasNextPage) break;
    }
    expect(kinds).toEqual(LETTER_KINDS);
  });

  it('refuses a cursor of another list', async () => {
    const after = Buffer.from('["NOBODY"]').toString('base64url');
    expect((await ask(TEMPLATES, { after })).code).toBe('BAD_USER_INPUT');
  });
});

describe('previewEmailTemplate', () => {
  it('shows the letter with sample data, in the language of the locale', async () => {
    const { data } = await ask(PREVIEW, { kind: 'PASSWORD_CHANGED', locale: 'fr-CA' });
    const { subject, html, text } = data.previewEmailTemplate;
    expect(subject).toBe('Votre mot de passe a été modifié');
    expect(html).toContain('<html lang="fr">');
    expect(text).toContain('Bonjour ada,');
    expect(text).toContain('192.0.2.10');
  });

  it('shows English for a language without texts, and when none is named', async () => {
    const welsh = await ask(PREVIEW, { kind: 'INVITATION', locale: 'cy' });
    const unnamed = await ask('mutation { previewEmailTemplate(kind: "INVITATION") { subject } }');
    expect(welsh.data.previewEmailTemplate.subject).toBe('You are invited');
    expect(unnamed.data.previewEmailTemplate.subject).toBe('You are invited');
  });

  it.each(LETTER_KINDS)('has a sample of %s whose link, if any, opens nothing of anybody', async (kind) => {
    const { data } = await ask(PREVIEW, { kind, locale: 'zh' });
    const links = data.previewEmailTemplate.text.match(/https?:\S+/g) ?? [];
    for (const link of links) expect(link).toMatch(/token=a-sample-that-opens-nothing$/);
  });

  it.each(['NO_SUCH_KIND', '', '__proto__', 'toString', 'reset_password'])('refuses the kind %j', async (kind) => {
    const { code, errors } = await ask(PREVIEW, { kind, locale: 'en' });
    expect(code).toBe('BAD_USER_INPUT');
    expect(errors?.[0]?.extensions?.fields).toHaveProperty('kind');
  });

  it.each(['', 'en_US', 'x'.repeat(40), 'de\r\nBcc: x'])('refuses the locale %j', async (locale) => {
    const { code, errors } = await ask(PREVIEW, { kind: 'INVITATION', locale });
    expect(code).toBe('BAD_USER_INPUT');
    expect(errors?.[0]?.extensions?.fields).toHaveProperty('locale');
  });
});

describe('sendTestEmail', () => {
  it('sends the letter to the address of the admin who asks, marked as a test, and records it', async () => {
    const { data } = await ask(TEST, { kind: 'ACCOUNT_DELETED', locale: 'de' });
    const subject = '[Test] Ihr Konto wurde gelöscht';
    expect(data.sendTestEmail).toEqual({ sentTo: admin.email, subject });
    const letters = await h.letters(admin.email);
    expect(letters.map((letter) => letter.subject)).toEqual([subject]);
    expect(letters[0]?.text).toContain('Guten Tag ada,');
    const rows = await h.app.db.select().from(auditEvents);
    expect(rows.find(({ action, actorId }) => action === 'email.test_sent' && actorId === admin.id)).toMatchObject({
      after: { kind: 'ACCOUNT_DELETED' },
    });
  });

  it('has no way to name another address', async () => {
    const query = `mutation { sendTestEmail(kind: "INVITATION", to: "eve@example.com") { sentTo } }`;
    expect((await ask(query)).code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('tells the code of a refusal and how long to wait, and none of the words of the mail server', async () => {
    const { send } = h.app.mailer;
    h.app.mailer.send = async () => {
      throw new MailError('RESEND_429_rate_limit_exceeded', false, 17);
    };
    const { code, errors } = await ask(TEST, { kind: 'INVITATION', locale: 'en' });
    h.app.mailer.send = send;
    expect(code).toBe('UPSTREAM_FAILED');
    expect(errors?.[0]?.message).toContain('RESEND_429_rate_limit_exceeded');
    expect(errors?.[0]?.extensions?.retryAfterSeconds).toBe(17);
  });

  it('is sent ten times an hour and not once more, and another admin has ten of their own', async () => {
    for (let number = 0; number < 10; number += 1) {
      expect((await ask(TEST, { kind: 'INVITATION', locale: 'en' })).code).toBeUndefined();
    }
    const refused = await ask(TEST, { kind: 'INVITATION', locale: 'en' });
    expect(refused.code).toBe('RATE_LIMITED');
    expect(refused.errors?.[0]?.extensions?.retryAfterSeconds).toBeGreaterThan(0);
    expect(await h.letters(admin.email)).toHaveLength(10);
    admin = await h.admin(['email:manage']);
    expect((await ask(TEST, { kind: 'INVITATION', locale: 'en' })).code).toBeUndefined();
  });

  it('refuses a kind or locale that is none, and sends nothing', async () => {
    expect((await ask(TEST, { kind: 'NONE', locale: 'en' })).code).toBe('BAD_USER_INPUT');
    expect((await ask(TEST, { kind: 'INVITATION', locale: '' })).code).toBe('BAD_USER_INPUT');
    expect(await h.letters(admin.email)).toEqual([]);
  });
});

it('is for admins who hold email:manage', async () => {
  const other = await h.admin(['system:read']);
  const staff = await h.staff(3);
  for (const { token } of [other, staff]) {
    for (const [query, variables] of [
      [TEMPLATES, {}],
      [PREVIEW, { kind: 'INVITATION', locale: 'en' }],
      [TEST, { kind: 'INVITATION', locale: 'en' }],
    ] as const) {
      expect((await h.graphql(query, { token, variables })).code).toBe('FORBIDDEN');
    }
  }
  expect((await h.graphql(TEMPLATES)).code).toBe('UNAUTHENTICATED');
});
