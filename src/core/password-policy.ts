import { createRequire } from 'node:module';
import type { OptionsType, ZxcvbnFactory } from '@zxcvbn-ts/core';
import { AppError, badInput } from './errors.js';

/** Below this no setting goes (NIST SP 800-63B-4, 3.1.1.2: at least 8). */
const SHORTEST = 8;
/** Code points, after NFC. Everything up to here counts: nothing is cut off (OWASP ASVS 6.2.9 asks for 64). */
const LONGEST = 128;
/** Refused before anything looks at it: what is hashed or measured must not be as long as a body may be. */
const MOST_BYTES = 1_024;
/**
 * zxcvbn's estimate that is enough, its highest score. At the default Argon2id setting one graphics card tries a few
 * thousand a second, so that this is a month or more; the score below would be hours, and holds word + year + "!!".
 */
const ENOUGH_GUESSES = 1e10;
/** zxcvbn's time grows with the cube of the length. A strong beginning makes a strong password. */
const JUDGED_LENGTH = 32;

/**
 * The password in the one form that is hashed, or undefined when it cannot be one: ill-formed Unicode (a lone
 * surrogate turns into the same bytes as any other, so different passwords would be equal) or too long. NFC is the
 * only change, so that one keyboard's é is another's; case, spaces and look-alikes stay as typed.
 */
export function canonicalPassword(password: string): string | undefined {
  // A UTF-16 unit is at least one byte: the length alone settles most of it without a look at the text.
  if (password.length > MOST_BYTES || !password.isWellFormed() || Buffer.byteLength(password) > MOST_BYTES)
    return undefined;
  const canonical = password.normalize('NFC');
  return codePoints(canonical) > LONGEST ? undefined : canonical;
}

interface PasswordRules {
  /** The setting; never less than 8. */
  readonly minLength: number;
}

/** What a sign-up form needs to know. Lengths are in code points. */
export function passwordPolicy({ minLength }: PasswordRules) {
  return { minLength: Math.max(SHORTEST, minLength), maxLength: LONGEST, refusesCommon: true, refusesPersonal: true };
}

/**
 * Lets a password pass that is long enough, not common, and not built from the person's own name or address.
 * No rules about kinds of characters (NIST SP 800-63B-4, 3.1.1.2). Takes a millisecond or two, five at worst, but for
 * the first call of a process, which reads the dictionaries (a tenth of a second).
 * @throws BAD_USER_INPUT when it is no possible password, WEAK_PASSWORD with the reason; both under `password`
 */
export function requirePassword(
  password: string,
  options: PasswordRules & { /** User name, email, display name. */ readonly context: readonly string[] },
): void {
  const canonical = canonicalPassword(password);
  if (canonical === undefined)
    throw badInput({ password: `must be well-formed text of at most ${LONGEST} characters` });
  const minLength = Math.max(SHORTEST, options.minLength);
  if (codePoints(canonical) < minLength) throw weak(`must have at least ${minLength} characters`);
  const own = ownParts(options.context);
  if (codePoints(without(canonical, own)) < SHORTEST) throw weak('must not be built from your own name or address');
  const { guesses, feedback } = judge().check(canonical, own);
  // Written so that an estimate which is no number refuses.
  if (!(guesses >= ENOUGH_GUESSES)) throw weak(advice(feedback.warning, feedback.suggestions));
}

function weak(problem: string): AppError {
  return new AppError('WEAK_PASSWORD', { fields: { password: problem } });
}

function advice(warning: string | null, suggestions: readonly string[]): string {
  const sentences = new Set([warning ?? 'This is too easy to guess.', ...suggestions]);
  if (suggestions.length === 0) sentences.add('Make it longer, or add words that do not belong together.');
  return [...sentences].join(' ');
}

function codePoints(text: string): number {
  return Array.from(text).length;
}

const MAX_CONTEXT = 16;

/** The caller's names and addresses, whole and in parts, and the product's; the longest first, so that a part does not hide the whole. */
function ownParts(context: readonly string[]): string[] {
  const whole = ['credence', ...context].map((text) => text.slice(0, 254).normalize('NFC').toLowerCase());
  // Not the last part of a host name: half of all addresses end in "com".
  const parts = whole.flatMap((text) => text.replace(/(@.*)\.[^.]*$/, '$1').split(/[^\p{L}\p{N}]+/u));
  const long = [...whole, ...parts].filter((part) => codePoints(part) >= 3);
  return [...new Set(long)].sort((a, b) => b.length - a.length).slice(0, MAX_CONTEXT);
}

/** What is left when every own part is taken out. */
function without(password: string, parts: readonly string[]): string {
  return parts.reduce((left, part) => left.replaceAll(part, ''), password.toLowerCase());
}

const require = createRequire(import.meta.url);
let factory: ZxcvbnFactory | undefined;

/**
 * zxcvbn with the dictionaries that decide here: leaked passwords, English words, first names. The others (family
 * names, Wikipedia, word lists) took 60 MB and five times as long for the same verdicts; few leetspeak variants too,
 * since each is a pass over the whole text (the default of 100 took up to 700 ms).
 */
function judge(): ZxcvbnFactory {
  if (factory === undefined) {
    const { ZxcvbnFactory } = require('@zxcvbn-ts/core') as typeof import('@zxcvbn-ts/core');
    const options: OptionsType = {
      dictionary: {
        'passwords-common': require('@zxcvbn-ts/language-common/dist/passwords.json.cjs'),
        'commonWords-en': require('@zxcvbn-ts/language-en/dist/commonWords.json.cjs'),
        'firstnames-en': require('@zxcvbn-ts/language-en/dist/firstnames.json.cjs'),
      },
      graphs: require('@zxcvbn-ts/language-common/dist/adjacencyGraphs.json.cjs'),
      translations: require('@zxcvbn-ts/language-en/dist/translations.cjs'),
      maxLength: JUDGED_LENGTH,
      l33tMaxSubstitutions: 2,
    };
    factory = new ZxcvbnFactory(options);
  }
  return factory;
}
