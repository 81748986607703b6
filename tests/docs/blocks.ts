import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** One fenced block of a page. */
export interface Block {
  /** From the root of the repository. */
  readonly file: string;
  /** Of the opening fence, counted from 1. */
  readonly line: number;
  /** What stands behind the fence; empty when nothing does. */
  readonly tag: string;
  readonly text: string;
}

/** `docs/PAGE.md:12`, which editors and terminals open. */
export const placeOf = ({ file, line }: Block) => `${file}:${line}`;

/** README.md and the pages of docs/; decisions are history and are left as they were. */
export function readPages(): string[] {
  const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...pages.sort().map((name) => `docs/${name}`)];
}

/** Every fenced block of these pages, in order. A fence inside a list may be indented; its block is taken back to the margin. */
export function readBlocks(pages: readonly string[] = readPages()): Block[] {
  return pages.flatMap((file) => blocksOf(file, readFileSync(join(root, file), 'utf8')));
}

/** @throws Error when a fence is never closed. */
export function blocksOf(file: string, page: string): Block[] {
  const blocks: Block[] = [];
  let open: { indent: string; tag: string; line: number; lines: string[] } | undefined;
  for (const [index, text] of page.split('\n').entries()) {
    const fence = /^(\s*)```(\S*)/.exec(text);
    if (open && fence?.[2] === '') {
      blocks.push({ file, line: open.line, tag: open.tag, text: open.lines.join('\n') });
      open = undefined;
    } else if (open) {
      open.lines.push(text.startsWith(open.indent) ? text.slice(open.indent.length) : text.trimStart());
    } else if (fence) {
      open = { indent: fence[1] ?? '', tag: fence[2] ?? '', line: index + 1, lines: [] };
    }
  }
  if (open) throw new Error(`${file}:${open.line}: the fence is never closed`);
  return blocks;
}

export const withTag = (...tags: string[]) => readBlocks().filter(({ tag }) => tags.includes(tag));
