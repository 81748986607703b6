import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { readPages } from './blocks.js';

const root = resolve(import.meta.dirname, '../..');
const textOf = (page: string) => readFileSync(join(root, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');

const known = new Map<string, Set<string>>();

/** As GitHub makes them: lower case, without punctuation, hyphens for spaces, numbers for those that are there already. */
function anchorsOf(page: string): Set<string> {
  const before = known.get(page);
  if (before) return before;
  const anchors = new Set<string>();
  known.set(page, anchors);
  for (const [, title = ''] of textOf(page).matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const words = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');
    let free = anchor;
    for (let count = 1; anchors.has(free); count += 1) free = `${anchor}-${count}`;
    anchors.add(free);
  }
  return anchors;
}

/** Why a link leads nowhere; undefined when it does lead somewhere, or out of the repository. */
function faultOf(page: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, file))) return `${page}: ${link}: no such file`;
  if (anchor === undefined || !file.endsWith('.md')) return undefined;
  return anchorsOf(file).has(anchor) ? undefined : `${page}: ${link}: no such heading`;
}

const linksOf = (page: string) => [...textOf(page).matchAll(/\]\(<?([^)\s>]+)>?\)/g)].map((match) => match[1] ?? '');

it('every link of the docs leads somewhere', () => {
  const links = readPages().flatMap((page) => [...new Set(linksOf(page))].map((link) => ({ page, link })));
  expect(links.length).toBeGreaterThan(150);
  expect(links.map(({ page, link }) => faultOf(page, link)).filter((fault) => fault !== undefined)).toEqual([]);
});

it('every page of the docs is linked from the README', () => {
  const pages = readPages().filter((page) => page !== 'README.md');
  expect(pages.filter((page) => !linksOf('README.md').includes(page))).toEqual([]);
});

it('a link that leads nowhere is found', () => {
  expect(faultOf('README.md', 'docs/NO_SUCH_PAGE.md')).toContain('no such file');
  expect(faultOf('README.md', 'docs/SETUP_GUIDE.md#no-such-heading')).toContain('no such heading');
  expect(faultOf('README.md', 'docs/SETUP_GUIDE.md#letters')).toBeUndefined();
});
