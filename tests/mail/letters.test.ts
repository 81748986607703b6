import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LetterData, LetterKind } from '../../src/modules/mail/letter-texts.js';
import { plainWords } from '../../src/modules/mail/letter-values.js';
import { renderLetter } from '../../src/modules/mail/letters.js';

const link = 'https://id.example.org/verify-email?token=crd_verify_abc';
const when = new Date('2026-03-01T09:30:00Z');
const ip = '203.0.113.7';

/** One of each kind; `words` stands for everything that somebody typed. */
const dataWith = (words: string): LetterData => ({
  WELCOME_VERIFY: { username: words, link },
  VERIFY_EMAIL: { username: words, link },
  ALREADY_REGISTERED: { username: words, link },
  RESET_PASSWORD: { username: words, link },
  PASSWORD_CHANGED: { username: words, when, ip },
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
  SECOND_FACTOR_DISABLED: { username: words, when, ip },
  SECOND_FACTOR_REMOVED: { username: words, when, reason: words },
  BACKUP_CODES_REPLACED: { username: words },
  ACCOUNT_DELETED: { username: words, when },
  ACCOUNT_RESTORED: { username: words },
  WEBHOOK_DISABLED: { username: words, host: words, when },
  ACCOUNT_ERASED: { username: words },
  PROVIDER_WELCOME: { username: words, provider: words, when, ip: '203.0.113.7' },
  PROVIDER_LINKED: { username: words, provider: words, when, ip: '203.0.113.7' },
  PROVIDER_TOOK_OVER: { username: words, provider: words, when, ip: words },
  PROVIDER_UNLINKED: { username: words, provider: words, when, ip: null },
  PROVIDER_SIGN_IN: { username: words, provider: words, when, ip: '203.0.113.7' },
  DATA_EXPORT_READY: { username: words, when },
  IMPERSONATED: { username: words, when, reason: words },
  PAYMENT_RECEIVED: { username: words, product: words, amount: '1999 EUR' },
  PAYMENT_FAILED: { username: words, product: words, amount: words },
  SUBSCRIPTION_ENDING: { username: words, product: words, when },
  SUBSCRIPTION_ENDED: { username: words, product: words },
});

const KINDS = Object.keys(dataWith('')) as LetterKind[];
const LANGUAGES = ['en', 'es', 'de', 'fr', 'pt', 'zh'];
/** Every kind in every language. */
const ALL = KINDS.flatMap((kind) => LANGUAGES.map((locale) => [kind, locale] as const));

const render = (kind: LetterKind, { words = 'ada', locale = 'en', timeZone = 'UTC' } = {}) =>
  renderLetter(kind, dataWith(words)[kind], { locale, timeZone, brand: 'Credence' });

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
    'عَدا 12 \u2067 evil',
  ),
);

/** The markup with every text and every attribute value taken out: what is left, the program wrote. */
const skeleton = (html: string) => html.replace(/="[^"]*"/g, '=""').replace(/>[^<]*</g, '><');

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

/** What a reader of the HTML sees, with a line for each element. */
function shownText(html: string): string {
  const body = html.slice(html.indexOf('<body'));
  const shown = body.replace(/<div style="display:none.*?<\/div>/s, '').replace(/<[^>]+>/g, '\n');
  return shown.replace(/&([a-z]+|#39);/g, (_, name: string) => ENTITIES[name] ?? '?');
}

const withoutSpace = (text: string) => text.replace(/\s+/g, '');
const linesOf = (text: string) => text.split('\n').filter((line) => line.trim() !== '');

describe('letters', () => {
  it.each(ALL)('%s in %s is written in text and in HTML, without blanks left open', (kind, locale) => {
    const { subject, text, html } = render(kind, { locale });
    expect(subject).toMatch(locale === 'zh' ? /^\p{Lu}*[ \p{Script=Han}！]{3,20}$/u : /^\p{Lu}[^\r\n]{5,60}$/u);
    for (const body of [text, html]) {
      expect(body).toContain('ada');
      expect(body).not.toMatch(/undefined|null|NaN|\[object|\$\{|Invalid Date/);
    }
    const language = { pt: 'pt-BR', zh: 'zh-Hans' }[locale] ?? locale;
    expect(html.startsWith(`<!doctype html>\n<html lang="${language}">`)).toBe(true);
  });

  it.each(ALL)('%s in %s says the same in text as in HTML', (kind, locale) => {
    const { subject, text, html } = render(kind, { locale });
    const shown = withoutSpace(shownText(html));
    const words = text.split('\n\n').map(withoutSpace);
    for (const block of words) expect(shown).toContain(block.replace(/^--/, '').split('https:')[0]);
    // And besides the subject nothing but the hint above the link stands only in the HTML.
    const inText = withoutSpace(subject) + words.join('');
    const more = linesOf(shownText(html)).filter((line) => !inText.includes(withoutSpace(line)));
    expect(more).toEqual(text.includes(link) ? [expect.stringMatching(/[:：]$/)] : []);
  });

  it('says in each language what it says in no other', () => {
    for (const kind of KINDS) {
      const all = LANGUAGES.flatMap((locale) => render(kind, { locale }).text.split('\n\n'));
      expect(new Set(all).size).toBe(all.length);
    }
  });

  it('names in every language the same facts: who, when, from where, why', () => {
    for (const [kind, locale] of ALL) {
      const data = dataWith('Xyzzy')[kind] as Record<string, unknown>;
      const { text } = render(kind, { locale, words: 'Xyzzy' });
      const english = render(kind, { words: 'Xyzzy' }).text;
      const mentions = text.split('Xyzzy').length - 1;
      expect([kind, locale, mentions]).toEqual([kind, locale, english.split('Xyzzy').length - 1]);
      // A letter need not tell all that it was given (PROVIDER_WELCOME), but the same in every language.
      if ('when' in data)
        expect([kind, locale, text.includes('2026')]).toEqual([kind, locale, english.includes('2026')]);
      if (data.ip === ip) expect([kind, locale, text.includes(ip)]).toEqual([kind, locale, english.includes(ip)]);
    }
  });

  it.each(ALL.filter(([kind]) => 'link' in dataWith('')[kind]))(
    '%s in %s holds its link, whole and alone on a line',
    (kind, locale) => {
      const { text, html } = render(kind, { locale });
      expect(text.split('\n')).toContain(link);
      expect(html).toContain(`href="${link}"`);
      expect(text.match(/https?:/g)).toHaveLength(1);
    },
  );

  it('lets nothing that somebody typed change the markup, the subject or the links', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ALL), anyWords, ([kind, locale], words) => {
        const plain = render(kind, { locale });
        const letter = render(kind, { words, locale });
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

  it('isolates a name written from right to left, and keeps no direction character of its own', () => {
    expect(plainWords('\u202eعدا\u2067 7')).toBe('\u2068عدا 7\u2069');
    expect(render('VERIFY_EMAIL', { words: 'עדה' }).text).toMatch(/^Hello \u2068עדה\u2069,\n/);
  });

  it('keeps every line of the text below 80 columns, links apart', () => {
    const columns = (line: string) =>
      line.length + (line.match(/[\p{Script=Han}\u3000-\u303f\uff00-\uff60]/gu)?.length ?? 0);
    for (const [kind, locale] of ALL) {
      const lines = render(kind, { words: 'a fairly long name of somebody', locale }).text.split('\n');
      expect(lines.filter((line) => columns(line) > 79 && !line.startsWith('https:'))).toEqual([]);
      // Marks that belong to the character before them (JIS X 4051 and its like call them non-starters).
      expect(lines.filter((line) => /^[，。：；！？、）”’]/u.test(line))).toEqual([]);
    }
  });

  it.each([
    ['en', 'UTC', 'March 1, 2026 at 9:30 AM UTC'],
    ['en-GB', 'Europe/London', '1 March 2026 at 09:30 GMT'],
    ['en', 'America/New_York', 'March 1, 2026 at 4:30 AM EST'],
    ['de-AT', 'Europe/Vienna', '1. März 2026 um 10:30 MEZ'],
    ['fr', 'Europe/Paris', '1 mars 2026 à 10:30 UTC+1'],
    ['es-MX', 'America/Mexico_City', '1 de marzo de 2026 a las 3:30 a.m. GMT-6'],
    ['pt-BR', 'America/Sao_Paulo', '1 de março de 2026 às 06:30 BRT'],
    ['zh-CN', 'Asia/Shanghai', '2026年3月1日 GMT+8 17:30'],
    ['zh-TW', 'Asia/Taipei', '2026年3月1日 GMT+8 17:30'],
    ['ja', 'Asia/Tokyo', 'March 1, 2026 at 6:30 PM GMT+9'],
    ['en-u-ca-buddhist-nu-thai', 'Mars/Olympus', 'March 1, 2026 at 9:30 AM UTC'],
  ])('writes times for %s in %s', (locale, timeZone, written) => {
    const { text } = render('PASSWORD_CHANGED', { locale, timeZone });
    expect(withoutSpace(text)).toContain(withoutSpace(written));
  });

  it('says in every language when an address is not known', () => {
    const places = ['an unknown address', 'una dirección desconocida', 'einer unbekannten Adresse'];
    const others = ['une adresse inconnue', 'um endereço desconhecido', '未知'];
    for (const [at, place] of [...places, ...others].entries()) {
      const { text } = render('SESSION_REUSE', { words: '<b>', locale: LANGUAGES[at] as string });
      expect(withoutSpace(text)).toContain(withoutSpace(place));
    }
  });

  it.each([
    ['pt-PT', 'pt'],
    ['zh-Hant-HK', 'zh'],
    ['DE_ch', 'de'],
    ['es-419', 'es'],
    ...['en-GB', 'xx', '', '__proto__', 'constructor', 'EN_us', 'english', 'ptx'].map((tag) => [tag, 'en']),
  ] as [string, string][])('writes to somebody with the locale %j in %s', (locale, language) => {
    expect(render('VERIFY_EMAIL', { locale })).toEqual(render('VERIFY_EMAIL', { locale: language }));
  });

  it('shows lists of letters the first sentence and nothing behind it', () => {
    const { html } = render('RESET_PASSWORD');
    expect(html).toMatch(
      /<div style="display:none[^"]*">We were asked for a new password for your account\.(&#847;&zwnj;&nbsp;)+<\/div>/,
    );
  });

  it('refuses a link that is not http', () => {
    for (const bad of ['javascript:alert(1)', 'data:text/html,x', 'not a link']) {
      const data = { username: 'ada', link: bad };
      expect(() => renderLetter('VERIFY_EMAIL', data, { locale: 'en', timeZone: 'UTC', brand: 'x' })).toThrow();
    }
  });
});
