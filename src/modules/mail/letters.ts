import { isIP } from 'node:net';
import type { Html } from '../../core/html.js';
import { renderHtml, renderText } from './letter-layout.js';
import type { CleanData, LetterBody, LetterData, LetterKind, LetterTexts } from './letter-texts.js';
import { en } from './letters/en.js';

/** Every language there is, by its first subtag. English is the one that others fall back to. */
const LANGUAGES = new Map<string, LetterTexts>([['en', en]]);

export interface RenderedLetter {
  subject: string;
  text: string;
  html: string;
}

/** One letter as the layouts take it: words only, nothing escaped yet. */
export interface LetterParts extends LetterBody {
  language: string;
  subject: string;
  brand: string;
  greeting: string;
  linkHint: string;
  footer: string;
}

interface Addressing {
  /** BCP 47, as the person set it; a language we have no texts in gives English. */
  locale: string;
  /** The sender's name, for the head and the foot. */
  brand: string;
}

/** Subject, text and HTML of a letter. Throws when the link in `data` is not http(s). */
export function renderLetter<K extends LetterKind>(
  kind: K,
  data: LetterData[K],
  { locale, brand }: Addressing,
): RenderedLetter {
  const texts = LANGUAGES.get(locale.toLowerCase().split(/[-_]/, 1)[0] ?? '') ?? en;
  const { subject, body } = texts.letters[kind];
  const clean = cleanData(data, texts);
  const parts: LetterParts = {
    ...body(clean),
    language: texts.language,
    subject,
    brand,
    greeting: texts.greeting(clean.username),
    linkHint: texts.linkHint,
    footer: texts.footer(brand),
  };
  return { subject, text: renderText(parts), html: `${renderHtml(parts) satisfies Html}` };
}

/**
 * Every value becomes one short printable line before a template sees it, so that a template in any language
 * can put it anywhere: links are checked, times and addresses written out, and what people typed is defused.
 */
function cleanData<K extends LetterKind>(data: LetterData[K], texts: LetterTexts): CleanData<K> & { username: string } {
  const clean: Record<string, string> = {};
  for (const [field, value] of Object.entries(data) as [string, string | Date | null][]) {
    const text = value instanceof Date ? value.toISOString() : (value ?? '');
    if (field === 'link') clean[field] = checkedLink(text);
    else if (field === 'when') clean[field] = writtenTime(text, texts.language);
    else if (field === 'ip') clean[field] = isIP(text) ? text : texts.unknownPlace;
    else clean[field] = plainWords(text);
  }
  return clean as CleanData<K> & { username: string };
}

function checkedLink(link: string): string {
  const url = new URL(link);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Error('A letter may only hold http links');
  return url.href;
}

function writtenTime(when: string, language: string): string {
  const format = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${format.format(new Date(when))} UTC`;
}

const LONGEST_VALUE = 120;

/**
 * What somebody typed, as one line of plain words. Control, formatting and direction characters go (a name must not
 * reorder the sentence around it), and a narrow space after `. : / \ @` keeps mail programs from turning a name such as
 * `evil.example/login` into a link of its own: a space, of any width, ends a link for all of them (UTS 46 allows none in a host).
 */
export function plainWords(value: string): string {
  const words = value.replace(/\s+/gu, ' ').replace(/\p{C}/gu, '').trim();
  const short = [...words].slice(0, LONGEST_VALUE).join('');
  return short.replace(/([.:/\\@])(?=\S)/gu, '$1\u202f');
}
