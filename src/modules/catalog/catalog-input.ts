// What the catalogue takes. Codes are part of other people's programs: they have one form and never change.
import { AppError, badInput } from '../../core/errors.js';
import type { ProductRow } from './catalog.table.js';

export interface PriceWanted {
  currency: string;
  amountMinor: number;
  interval: 'ONCE' | 'MONTH' | 'YEAR';
}

const CODE = /^[a-z][a-z0-9_-]{0,39}$/;
const LONGEST_NAME = 80;
const LONGEST_DESCRIPTION = 2_000;
const LONGEST_URL = 2_000;
const MOST_IMAGES = 8;
const MOST_PRICES = 100;
/** Line breaks, NUL and their like, and characters that turn the direction of the text around them (E11). */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Co}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));
const INTERVALS: Record<ProductRow['kind'], readonly PriceWanted['interval'][]> = {
  CREDIT_PACK: ['ONCE'],
  SUBSCRIPTION: ['MONTH', 'YEAR'],
  OTHER: ['ONCE', 'MONTH', 'YEAR'],
};

/** @throws BAD_USER_INPUT */
export function requireCode(code: string): string {
  if (CODE.test(code)) return code;
  throw badInput({
    code: 'must have 1 to 40 lower case letters, digits, hyphens or underscores and begin with a letter',
  });
}

/** @throws BAD_USER_INPUT */
export function requireName(name: string): string {
  const line = name.trim().normalize('NFC');
  if (line !== '' && [...line].length <= LONGEST_NAME && !UNPRINTABLE.test(line)) return line;
  throw badInput({ name: `must have 1 to ${LONGEST_NAME} printable characters` });
}

/** Text of several lines; blank is none. @throws BAD_USER_INPUT */
export function requireDescription(description: string | null): string | null {
  const text = (description ?? '').trim().normalize('NFC');
  if ([...text].length <= LONGEST_DESCRIPTION && !UNPRINTABLE.test(text.replace(/[\n\r\t]/g, ' '))) return text || null;
  throw badInput({ description: `must have at most ${LONGEST_DESCRIPTION} printable characters` });
}

/** A whole number, 0 or more. @throws BAD_USER_INPUT */
export function requireCount(count: number, field: string): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw badInput({ [field]: 'must be 0 or more' });
}

/** @throws BAD_USER_INPUT */
export function requireCreditsGranted(credits: number, kind: ProductRow['kind']): number {
  requireCount(credits, 'creditsGranted');
  if (kind === 'CREDIT_PACK' && credits === 0) throw badInput({ creditsGranted: 'of a credit pack must be 1 or more' });
  return credits;
}

function isHttpsUrl(text: string): boolean {
  const url = text.length <= LONGEST_URL ? URL.parse(text) : null;
  return url?.protocol === 'https:' && url.username === '' && url.password === '';
}

/** @throws BAD_USER_INPUT */
export function requireImages(images: readonly string[]): string[] {
  if (images.length <= MOST_IMAGES && images.every(isHttpsUrl)) return images.map((image) => new URL(image).href);
  throw badInput({ images: `must be at most ${MOST_IMAGES} https addresses` });
}

/** Prices that fit the kind of product, each currency and interval once. @throws BAD_USER_INPUT */
export function requirePrices(prices: readonly PriceWanted[], kind: ProductRow['kind']): PriceWanted[] {
  if (prices.length > MOST_PRICES) throw badInput({ prices: `must be at most ${MOST_PRICES}` });
  const seen = new Set<string>();
  return prices.map(({ currency, amountMinor, interval }, index) => {
    const refuse = (field: string, problem: string) => badInput({ [`prices.${index}.${field}`]: problem });
    if (!CURRENCIES.has(currency)) throw refuse('currency', 'must be a currency of ISO 4217, such as EUR');
    if (!Number.isSafeInteger(amountMinor) || amountMinor < 0) throw refuse('amountMinor', 'must be 0 or more');
    if (!INTERVALS[kind].includes(interval))
      throw refuse('interval', `of such a product must be ${INTERVALS[kind].join(' or ')}`);
    if (seen.has(`${currency} ${interval}`)) throw refuse('currency', 'must stand once with each interval');
    seen.add(`${currency} ${interval}`);
    return { currency, amountMinor, interval };
  });
}

export const codeTaken = (noun: string) => new AppError('CONFLICT', { message: `Another ${noun} has this code.` });
