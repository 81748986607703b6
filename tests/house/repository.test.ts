import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isKeyShaped, makeKey } from '../../src/core/secrets.js';

const root = resolve(import.meta.dirname, '../..');

/** What secrets look like, as leak scanners find them. Names for tests, which end in one letter repeated, are none. */
const SHAPES: Record<string, RegExp> = {
  'a private key': /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/,
  'a live key of Stripe': /\b[sr]k_live_(?!(\w)\1+\b)[A-Za-z0-9]{16,}/,
  'a key of Amazon': /\bAKIA(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b/,
  'a key of Google': /\bAIza[A-Za-z0-9_-]{35}\b/,
  'a key of GitHub': /\bgh[pousr]_[A-Za-z0-9]{36}\b/,
  'a key of npm': /\bnpm_[A-Za-z0-9]{36}\b/,
};

/** Keys of our own are told by their checksum: whatever has it was made by `makeKey`, and works somewhere. */
function ownKeys(text: string): string[] {
  return (text.match(/\bcrd_(?:svc|key)_[A-Za-z0-9_-]{40,}/g) ?? []).filter(
    (key) => isKeyShaped(key, 'svc') || isKeyShaped(key, 'key'),
  );
}

function secretsIn(text: string): string[] {
  const found = Object.entries(SHAPES).flatMap(([name, shape]) => (shape.test(text) ? [name] : []));
  return ownKeys(text).length > 0 ? [...found, 'a key of ours'] : found;
}

describe('the repository', () => {
  it('no file holds a secret that somebody could use', () => {
    const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
    expect(files.length).toBeGreaterThan(100);
    const text = files.filter((name) => !/\.(png|jpe?g|webp|gif|ico|woff2?)$/.test(name));
    const found = text.flatMap((name) =>
      secretsIn(readFileSync(resolve(root, name), 'utf8')).map((secret) => `${name}: ${secret}`),
    );
    expect(found).toEqual([]);
  });

  it('the search has teeth', () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${'MC4CAQAwBQYDK2VwBCIEI'.repeat(3)}`;
    for (const planted of [makeKey('svc'), makeKey('key'), key, `sk_live_${'4eC39HqLyjWDarjt'}`])
      expect(secretsIn(`const secret = '${planted}';`), planted.slice(0, 12)).toHaveLength(1);
  });
});
