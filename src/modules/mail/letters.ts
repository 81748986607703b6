import type { Html } from '../../core/html.js';
import { renderHtml, renderText } from './letter-layout.js';
import type { LetterBody, LetterData, LetterKind, LetterTexts } from './letter-texts.js';
import { cleanData, type Reader } from './letter-values.js';
import { de } from './letters/de.js';
import { en } from './letters/en.js';
import { es } from './letters/es.js';
import { fr } from './letters/fr.js';
import { pt } from './letters/pt.js';
import { zh } from './letters/zh.js';

/** Every language there is, by its first subtag. English is the one that others fall back to. */
const LANGUAGES = new Map<string, LetterTexts>(Object.entries({ en, es, de, fr, pt, zh }));

/** In the order of the catalogue. */
export const LETTER_KINDS = Object.keys(en.letters) as readonly LetterKind[];

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

interface Addressing extends Reader {
  /** The sender's name, for the head and the foot. */
  brand: string;
}

/**
 * Subject, text and HTML of a letter, in the language of the locale's first subtag (pt-BR → pt) or else in English.
 * Throws when the link in `data` is not http(s).
 */
export function renderLetter<K extends LetterKind>(
  kind: K,
  data: LetterData[K],
  { locale, timeZone, brand }: Addressing,
): RenderedLetter {
  const texts = LANGUAGES.get(locale.toLowerCase().split(/[-_]/, 1)[0] ?? '') ?? en;
  const { subject, body } = texts.letters[kind];
  const clean = cleanData(data, { texts, reader: { locale, timeZone } });
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

export interface LetterTemplate {
  kind: LetterKind;
  /** What its data holds. */
  variables: string[];
  /** The subject in every language. */
  subjects: { language: string; subject: string }[];
}

/** Every kind of letter, in the order of the catalogue. */
export function letterTemplates(samples: LetterData): LetterTemplate[] {
  return LETTER_KINDS.map((kind) => ({
    kind,
    variables: Object.keys(samples[kind]),
    subjects: [...LANGUAGES].map(([language, texts]) => ({ language, subject: texts.letters[kind].subject })),
  }));
}
