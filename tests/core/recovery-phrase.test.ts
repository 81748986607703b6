import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalPhrase, makeRecoveryPhrase } from '../../src/core/recovery-phrase.js';

it('makes twelve words of the list, never the same twice', () => {
  const phrases = Array.from({ length: 50 }, makeRecoveryPhrase);
  expect(new Set(phrases).size).toBe(50);
  for (const phrase of phrases) {
    expect(phrase).toMatch(/^([a-z]{3,8} ){11}[a-z]{3,8}$/);
    expect(canonicalPhrase(phrase)).toBe(phrase);
  }
});

it('finds the one form back, whatever stands between the words and however they are capitalised', () => {
  const gap = fc.array(fc.constantFrom(' ', '-', '—', '\t', '\n', '\u00a0', '\u3000', '‐'), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      fc.array(gap, { minLength: 13, maxLength: 13 }),
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      (gaps, capitals) => {
        const phrase = makeRecoveryPhrase();
        const words = phrase.split(' ').map((word, index) => (capitals[index] ? word.toUpperCase() : word));
        const typed =
          words.map((word, index) => (gaps[index] ?? []).join('') + word).join('') + (gaps[12] ?? []).join('');
        expect(canonicalPhrase(typed)).toBe(phrase);
      },
    ),
    { numRuns: 50 },
  );
});

it('never takes another phrase for this one: a word changed, left out, added or moved', () => {
  const phrase = 'legal winner thank year wave sausage worth useful legal winner thank yellow';
  expect(canonicalPhrase(phrase)).toBe(phrase);
  const words = phrase.split(' ');
  const others = [
    words.slice(1),
    [...words, 'yellow'],
    [...words].reverse(),
    words.with(0, 'legs'),
    words.with(11, 'zoo'),
    ['legalwinner', ...words.slice(2)],
    [],
  ];
  for (const other of others) expect(canonicalPhrase(other.join(' '))).toBeUndefined();
});
