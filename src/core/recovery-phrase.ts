import { generateMnemonic, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';

const BITS = 128;

/** Twelve words of the BIP 39 English list: 128 random bits and 4 of checksum. Issued, never chosen (ASVS 6.4.2). */
export function makeRecoveryPhrase(): string {
  return generateMnemonic(wordlist, BITS);
}

/**
 * The one form that is hashed: compatibility letters resolved, lower case, single spaces for whatever runs of spaces
 * and hyphens were typed. Undefined when these are not twelve words of the list with a fitting checksum, which is a
 * typing error and needs no look at any account.
 */
export function canonicalPhrase(typed: string): string | undefined {
  const phrase = typed
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\s\p{Pd}\u00ad]+/gu, ' ')
    .trim();
  return phrase.split(' ').length === 12 && validateMnemonic(phrase, wordlist) ? phrase : undefined;
}
