import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { type Block, placeOf, withTag } from './blocks.js';

const root = resolve(import.meta.dirname, '../..');

/**
 * A place inside the package, so that `credence/client` and what the examples import are found as an application finds
 * them; and outside of what is kept.
 */
const folder = join(root, 'dist/docs', String(process.pid));

const fileOf = (block: Block) => `${placeOf(block).replaceAll(/\W+/g, '-')}.${block.tag}`;

/** Each block is a module of its own, whether or not it imports anything. */
async function writeBlocks(blocks: Block[], compilerOptions: object): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const block of blocks) {
    const isModule = /^(import|export) /m.test(block.text);
    await writeFile(join(folder, fileOf(block)), isModule ? block.text : `${block.text}\nexport {};\n`);
  }
  const config = { extends: '../../../tests/tsconfig.json', compilerOptions, include: blocks.map(fileOf), exclude: [] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
}

/** What the compiler complains of, with the places in the docs instead of those of the copies. */
async function complaints(blocks: Block[], compilerOptions: object): Promise<string> {
  await writeBlocks(blocks, compilerOptions);
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [tsc, '-p', folder], { cwd: folder });
    return '';
  } catch (error) {
    return String((error as { stdout?: string }).stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const BROWSER_TOO = { lib: ['ES2024', 'DOM', 'DOM.Iterable'], jsx: 'react-jsx', types: ['node'] };

/** What has no types can still be held against those of what it imports and calls. */
const LOOSE = {
  ...BROWSER_TOO,
  allowJs: true,
  checkJs: true,
  noImplicitAny: false,
  strictNullChecks: false,
  exactOptionalPropertyTypes: false,
};

it.each([
  { tags: ['ts', 'tsx'], options: BROWSER_TOO },
  { tags: ['js'], options: LOOSE },
])('blocks of $tags compile as they stand', async ({ tags, options }) => {
  const blocks = withTag(...tags);
  if (blocks.length > 0) expect(await complaints(blocks, options)).toBe('');
});

it('a block that does not compile is found', async () => {
  const block: Block = { file: 'docs/X.md', line: 7, tag: 'ts', text: 'const count: number = "one";' };
  expect(await complaints([block], BROWSER_TOO)).toMatch(/docs-X-md-7\.ts\(1,7\): error TS2322/);
});
