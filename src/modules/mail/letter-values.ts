import { isIP } from 'node:net';
import type { CleanData, LetterData, LetterKind, LetterTexts } from './letter-texts.js';

/** How the person reads. */
export interface Reader {
  /** BCP 47. */
  locale: string;
  /** IANA name, for the times in the letter. */
  timeZone: string;
}

/**
 * Every value becomes one short printable line before a template sees it, so that a template in any language
 * can put it anywhere: links are checked, times and addresses written out, and what people typed is defused.
 */
export function cleanData<K extends LetterKind>(
  data: LetterData[K],
  { texts, reader }: { texts: LetterTexts; reader: Reader },
): CleanData<K> & { username: string } {
  const clean: Record<string, string> = {};
  for (const [field, value] of Object.entries(data) as [string, string | Date | null][]) {
    const text = value instanceof Date ? value.toISOString() : (value ?? '');
    if (field === 'link') clean[field] = checkedLink(text);
    else if (field === 'when') clean[field] = writtenTime(new Date(text), { reader, texts });
    else if (field === 'amount') clean[field] = writtenAmount(text, { reader, texts });
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

/** By the person's clock, with the zone written behind it: whoever reads it elsewhere must not be misled. */
function writtenTime(when: Date, { reader, texts }: { reader: Reader; texts: LetterTexts }): string {
  const format = new Intl.DateTimeFormat(regionalForm(reader.locale, texts.language), {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZoneName: 'short',
    timeZone: isTimeZone(reader.timeZone) ? reader.timeZone : 'UTC',
  });
  return format.format(when);
}

/** `1999 EUR` as the person's own region writes it: €19.99. */
function writtenAmount(amount: string, { reader, texts }: { reader: Reader; texts: LetterTexts }): string {
  const [, minor, currency] = /^(\d{1,16}) ([A-Z]{3})$/.exec(amount) ?? [];
  if (minor === undefined || currency === undefined) return plainWords(amount);
  const format = new Intl.NumberFormat(regionalForm(reader.locale, texts.language), { style: 'currency', currency });
  return format.format(Number(minor) / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/**
 * The way the person's own region writes dates (en-GB: 1 March, not March 1) where it shares language and script with
 * the letter: a Chinese date in traditional characters would stand oddly among simplified ones. Extensions are left
 * out, or `-u-ca-buddhist` would date a warning to another year.
 */
function regionalForm(locale: string, language: string): string {
  try {
    const own = new Intl.Locale(locale);
    return scriptOf(own) === scriptOf(new Intl.Locale(language)) ? own.baseName : language;
  } catch {
    return language;
  }
}

function scriptOf(locale: Intl.Locale): string {
  const { language, script } = locale.maximize();
  return `${language}-${script}`;
}

/** A zone that was known when the person chose it may be gone from this machine's tables. */
function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

const LONGEST_VALUE = 120;

/** Scripts written from right to left. */
const RIGHT_TO_LEFT = /\p{Script=Hebrew}|\p{Script=Arabic}|\p{Script=Syriac}|\p{Script=Thaana}|\p{Script=Nko}/u;

/**
 * What somebody typed, as one line of plain words. Control, formatting and direction characters go, and a name written
 * from right to left is isolated (UAX 9), so that none reorders the sentence around it. A narrow space after
 * `. : / \ @` keeps mail programs from turning a name such as `evil.example/login` into a link of its own: a space, of
 * any width, ends a link for all of them (UTS 46 allows none in a host).
 */
export function plainWords(value: string): string {
  const words = value.replace(/\s+/gu, ' ').replace(/\p{C}/gu, '').trim();
  const short = [...words].slice(0, LONGEST_VALUE).join('');
  const defused = short.replace(/([.:/\\@])(?=\S)/gu, '$1\u202f');
  return RIGHT_TO_LEFT.test(defused) ? `\u2068${defused}\u2069` : defused;
}
