import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LetterData, LetterKind } from '../../src/modules/mail/letter-texts.js';
import { plainWords, renderLetter } from '../../src/modules/mail/letters.js';

const link = 'https://id.example.org/verify-email?token=crd_verify_abc';
const when = new Date('2026-03-01T09:30:00Z');

/** One of each kind; `words` stands for everything that somebody typed. */
const dataWith = (words: string): LetterData => ({
  WELCOME_VERIFY: { username: words, link },
  VERIFY_EMAIL: { username: words, link },
  ALREADY_REGISTERED: { username: words, link },
  RESET_PASSWORD: { username: words, link },
  PASSWORD_CHANGED: { username: words, when, ip: '203.0.113.7' },
  EMAIL_CHANGE_CONFIRM: { username: words, link },
  EMAIL_CHANGE_WARNING: { username: words, newEmailMasked: words, link },
  EMAIL_CHANGED: { username: words },
  RECOVERY_PHRASE_CREATED: { username: words },
  ACCOUNT_RECOVERED: { username: words },
  SESSION_REUSE: { username: words, when: when.toISOString(), ip: words },
  API_KEY_CREATED: { username: words, keyName: words },
  INVITATION: { username: words, link, invitedBy: words },
  ACCOUNT_SUSPENDED: { username: words, reason: words },
  SECOND_FACTOR_ENABLED: { username: words },
  SECOND_FACTOR_DISABLED: { username: words, when, ip: '203.0.113.7' },
  BACKUP_CODES_REPLACED: { username: words },
  ACCOUNT_DELETED: { username: words, when },
  ACCOUNT_RESTORED: { username: words },
  ACCOUNT_ERASED: { username: words },
  IMPERSONATED: { username: words, when, reason: words },
});

const KINDS = Object.keys(dataWith('')) as LetterKind[];

const render = (kind: LetterKind, { words = 'ada', locale = 'en' } = {}) =>
  renderLetter(kind, dataWith(words)[kind], { locale, brand: 'Credence' });

const anyWords = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='x",
    '</title><script>',
    '&lt;b&gt;',
    'https://evil.example/login',
    'www.evil.example',
    'evil.example',
    'javascript:alert(1)',
    'mail eve@evil.example now',
    'a\r\nBcc: eve@evil.example\r\n\r\nhttps://evil.example',
    '[click](https://evil.example)',
    '\u202emoc.live//:sptth',
    'https:\u200b//evil.example',
  ),
);

/** The markup with every text and every attribute value taken out: what is left, the program wrote. */
const skeleton = (html: string) => html.replace(/="[^"]*"/g, '=""').replace(/>[^<]*</g, '><');

describe('letters', () => {
  it.each(KINDS)('%s is written in text and in HTML, without blanks left open', (kind) => {
    const { subject, text, html } = render(kind);
    expect(subject).toMatch(/^[A-Z][^\r\n]{5,60}$/);
    for (const body of [text, html]) {
      expect(body).toContain('ada');
      expect(body).not.toMatch(/undefined|null|NaN|\[object/);
    }
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
  });

  it.each(KINDS.filter((kind) => 'link' in dataWith('')[kind]))(
    '%s holds its link, whole and alone on a line',
    (kind) => {
      const { text, html } = render(kind);
      expect(text.split('\n')).toContain(link);
      expect(html).toContain(`href="${link}"`);
      expect(text.match(/https?:/g)).toHaveLength(1);
    },
  );

  it('lets nothing that somebody typed change the markup, the subject or the links', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), anyWords, (kind, words) => {
        const plain = render(kind);
        const letter = render(kind, { words });
        expect(letter.subject).toBe(plain.subject);
        expect(skeleton(letter.html)).toBe(skeleton(plain.html));
        expect(letter.html.match(/href="[^"]*"/g)).toEqual(plain.html.match(/href="[^"]*"/g));
        // What a mail program would turn into a link by itself: only ours.
        const links = letter.text.match(/(?:[a-z]+:\/\/|www\.)\S+/gi) ?? [];
        expect(links).toEqual(plain.text.match(/(?:[a-z]+:\/\/|www\.)\S+/gi) ?? []);
      }),
      { numRuns: 500 },
    );
  });

  it('breaks addresses and hosts that somebody typed, and leaves words alone', () => {
    expect(plainWords('Ada Lovelace, 3rd')).toBe('Ada Lovelace, 3rd');
    expect(plainWords('Zoë 👩‍🚀 王小明')).toBe('Zoë 👩🚀 王小明');
    for (const typed of ['evil.example', 'https://evil.example', 'eve@evil.example', 'evil.example:8080/x']) {
      expect(plainWords(typed)).not.toMatch(/[.:/@]\S/);
    }
    expect(plainWords('one\r\ntwo\u2028three\u0000\u202e')).toBe('one two three');
    expect([...plainWords('x'.repeat(5_000))]).toHaveLength(120);
  });

  it('keeps every line of the text below 80 columns, links apart', () => {
    for (const kind of KINDS) {
      const lines = render(kind, { words: 'a fairly long name of somebody' }).text.split('\n');
      expect(lines.filter((line) => line.length > 79 && !line.startsWith('https:'))).toEqual([]);
    }
  });

  it('writes times in UTC and says when an address is not known', () => {
    expect(render('PASSWORD_CHANGED').text.replace(/\s+/g, ' ')).toContain(
      'March 1, 2026 at 9:30 AM UTC, from 203.0.113.7',
    );
    expect(render('SESSION_REUSE', { words: '<b>' }).text).toContain('an unknown address');
  });

  it.each(['en', 'en-GB', 'xx', '', '__proto__', 'constructor', 'EN_us'])(
    'falls back to English for the locale %j',
    (locale) => {
      expect(render('VERIFY_EMAIL', { locale })).toEqual(render('VERIFY_EMAIL'));
    },
  );

  it('refuses a link that is not http', () => {
    for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'not a link']) {
      expect(() =>
        renderLetter('VERIFY_EMAIL', { username: 'ada', link: bad }, { locale: 'en', brand: 'x' }),
      ).toThrow();
    }
  });
});
