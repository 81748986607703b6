import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

export interface Section {
  readonly name: string;
  readonly content: string;
}

/** A generated part of a hand-written page, between its two marks, equals `content`; `npm run generate` writes it. */
export function expectSection(file: string, section: Section): Promise<void> {
  return expectSections(file, [section]);
}

/** Several parts of one page, written together: each writing of a page takes the place of the one before. */
export async function expectSections(file: string, sections: readonly Section[]): Promise<void> {
  const path = resolve(root, file);
  const page = sections.reduce((text, section) => withSection(text, section, file), readFileSync(path, 'utf8'));
  await expect(page).toMatchFileSnapshot(path);
}

function withSection(text: string, { name, content }: Section, file: string): string {
  const [start, end] = [`<!-- generated: ${name} -->`, `<!-- /generated: ${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} lacks the marks ${start} … ${end}`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}
