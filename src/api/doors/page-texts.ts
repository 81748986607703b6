import { de } from './texts/de.js';
import { en } from './texts/en.js';
import { es } from './texts/es.js';
import { fr } from './texts/fr.js';
import { pt } from './texts/pt.js';
import { zh } from './texts/zh.js';

/** The pages that letters lead to, by their path. */
export type PagePath =
  | '/verify-email'
  | '/reset-password'
  | '/confirm-email-change'
  | '/undo-email-change'
  | '/accept-invitation';

/** How a visit to Stripe's page ended. */
export type CheckoutEnd = 'complete' | 'canceled';

/** What can go wrong on them. Anything else is told as INTERNAL_SERVER_ERROR. */
export type PageProblem =
  | 'TOKEN_INVALID'
  | 'TOKEN_EXPIRED'
  | 'ACCOUNT_SUSPENDED'
  | 'USER_ALREADY_EXISTS'
  | 'RATE_LIMITED'
  | 'RETRY_LATER'
  | 'INTERNAL_SERVER_ERROR';

interface PageText {
  title: string;
  intro: string;
  button: string;
  done: string;
}

export interface WeakPassword {
  minLength: number;
  /** What the policy said, in English. */
  sentences: readonly string[];
}

/** One language: a file in `texts/`. The same six, and the same forms of address, as letters have. */
export interface PageTexts {
  /** For the `lang` attribute (BCP 47). */
  readonly language: string;
  readonly pages: Readonly<Record<PagePath, PageText>>;
  /** Where Stripe's page sends people back to. */
  readonly afterCheckout: Readonly<Record<CheckoutEnd, { title: string; text: string }>>;
  readonly done: string;
  readonly failed: string;
  /** Before the title of a form that came back with a problem. */
  readonly problem: (title: string) => string;
  readonly incomplete: { readonly title: string; readonly advice: string };
  readonly problems: Readonly<Record<PageProblem, string>>;
  /** Under a link that is used up, too old or replaced. */
  readonly askAgain: string;
  readonly request: (id: string) => string;
  readonly password: string;
  readonly repeated: string;
  readonly rule: (minLength: number) => string;
  readonly different: string;
  readonly weak: (problem: WeakPassword) => readonly string[];
}

const LANGUAGES = new Map<string, PageTexts>(Object.entries({ en, es, de, fr, pt, zh }));

/** The language a browser asks for most (RFC 9110, 12.5.4), by its first subtag; English when there is none of them. */
export function pageTextsFor(acceptLanguage: string | undefined): PageTexts {
  const wishes = (acceptLanguage ?? '').slice(0, 500).split(',').map(readWish);
  const [best] = wishes.filter(({ texts, weight }) => texts && weight > 0).sort((a, b) => b.weight - a.weight);
  return best?.texts ?? en;
}

function readWish(wish: string): { texts: PageTexts | undefined; weight: number } {
  const [tag = '', ...parameters] = wish.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  const weight = /^[01](\.\d{1,3})?$/.test(quality) ? Number(quality) : 0;
  return { texts: LANGUAGES.get(tag.split('-', 1)[0] ?? ''), weight };
}
