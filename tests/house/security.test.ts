import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(resolve(root, 'docs/SECURITY.md'), 'utf8');

/** How many attacks each family has, and how many faults (Q) there are: the list that the project set out to meet. */
const FAMILIES: Record<string, number> = {
  G: 24,
  P: 20,
  T: 22,
  E: 14,
  R: 5,
  O: 14,
  K: 8,
  A: 13,
  I: 12,
  C: 11,
  S: 15,
  L: 9,
  W: 5,
  D: 11,
  B: 7,
  X: 3,
  H: 8,
  U: 9,
  V: 6,
  Q: 34,
};
const ROW = /^\| ([A-Z]\d+) \| (.+) \| (.+) \| (.+) \|$/;
const REFERENCE = /^`([a-z0-9/.-]+)` › (.+)$/;
const OPEN = /^(partly )?not covered: ./;

interface Row {
  id: string;
  /** What stands in the last column, one after the other. */
  proofs: string[];
}

const rows: Row[] = page.split('\n').flatMap((line) => {
  const [, id, , , proofs] = ROW.exec(line) ?? [];
  return id && proofs ? [{ id, proofs: proofs.split('<br>').map((proof) => proof.trim()) }] : [];
});

/** The titles of a test file, as they are written there: templates with their blanks. */
function titlesOf(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(resolve(root, 'tests', `${file}.test.ts`), 'utf8');
  } catch {
    return [];
  }
  const call =
    /\b(?:it|test)(?:\.\w+(?:<[^>]*>)?)*(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;
  const each = /^\s*\]\)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/gm;
  return [...text.matchAll(call), ...text.matchAll(each)].map(([, , title = '']) => title.replaceAll('\\\\', '\\'));
}

const isThere = (proof: string) => {
  const [, file = '', title = ''] = REFERENCE.exec(proof) ?? [];
  return titlesOf(file).includes(title);
};

describe('the attacks and faults in docs/SECURITY.md', () => {
  it('are all there, each once', () => {
    const wanted = Object.entries(FAMILIES).flatMap(([family, count]) =>
      Array.from({ length: count }, (_, index) => `${family}${index + 1}`),
    );
    expect(rows.map(({ id }) => id)).toEqual(wanted);
  });

  it('each name a test, or say what is not covered', () => {
    const odd = rows.flatMap(({ id, proofs }) =>
      proofs.filter((proof) => !REFERENCE.test(proof) && !OPEN.test(proof)).map((proof) => `${id}: ${proof}`),
    );
    expect(odd).toEqual([]);
  });

  it('name tests that there are, by file and title', () => {
    const missing = rows.flatMap(({ id, proofs }) =>
      proofs.filter((proof) => REFERENCE.test(proof) && !isThere(proof)).map((proof) => `${id}: ${proof}`),
    );
    expect(missing).toEqual([]);
  });

  it('would be missed if a test were renamed: the check has teeth', () => {
    expect(isThere('`house/security` › are all there, each once')).toBe(true);
    expect(isThere('`house/security` › are all there, each twice')).toBe(false);
    expect(isThere('`house/no-such-file` › are all there, each once')).toBe(false);
  });
});
