import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** A generated part of a hand-written page, between its two marks, equals `content`; `npm run generate` writes it. */
export async function expectSection(file: string, section: { name: string; content: string }): Promise<void> {
  const { name, content } = section;
  const path = resolve(root, file);
  const text = readFileSync(path, 'utf8');
  const [start, end] = [`<!-- generated: ${name} -->`, `<!-- /generated: ${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} lacks the marks ${start} … ${end}`);
  const wanted = `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
  await expect(wanted).toMatchFileSnapshot(path);
}
