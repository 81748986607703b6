import { randomInt } from 'node:crypto';
import type { ProviderIdentity } from '../../core/openid.js';

const LONGEST = 32;
const SHORTEST = 3;
const DIGITS = 5;
const FALLBACK = 'user';

/** What the provider says that could be a user name here, best first. */
function namesOf({ preferredUsername, email, name }: ProviderIdentity): string[] {
  // Up to the plus sign: what comes after it says what the address is for, not who it is.
  const localPart = email?.split(/[@+]/, 1)[0];
  return [preferredUsername?.split('@', 1)[0], localPart, name].filter((text) => typeof text === 'string');
}

/** As our user names are written: ASCII, beginning with a letter. Letters with marks lose them. */
function asUsername(text: string): string {
  const ascii = text
    .normalize('NFKD')
    .replace(/\s+/g, '.')
    .replace(/[^A-Za-z0-9._-]/g, '');
  return ascii
    .replace(/^[^A-Za-z]+/, '')
    .slice(0, LONGEST)
    .replace(/[._-]+$/, '');
}

/**
 * A user name to try: what the person wished for, or else what the provider calls them. From the second try on with
 * random digits after it, since somebody has the plain one.
 */
export function suggestUsername(options: {
  wished: string | null;
  identity: ProviderIdentity;
  attempt: number;
}): string {
  const { wished, identity, attempt } = options;
  const names = [...(wished === null ? [] : [wished]), ...namesOf(identity).map(asUsername)];
  const base = names.find((name) => name.length >= SHORTEST) ?? FALLBACK;
  if (attempt === 1 && base !== FALLBACK) return base;
  const digits = String(randomInt(10 ** DIGITS)).padStart(DIGITS, '0');
  return `${base.slice(0, LONGEST - DIGITS)}${digits}`;
}
