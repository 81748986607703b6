import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface SourceFile {
  /** `src/core/config.ts` */
  name: string;
  path: string;
}

/** Every TypeScript file of the product. */
export function sourceFiles(folder = 'src'): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ name: join(folder, name), path: join(root, folder, name) }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

export interface Import {
  from: string;
  /** `src/…` for our own files, the package's name otherwise. */
  to: string;
  typeOnly: boolean;
}

/** Every import, export-from and import() of a file. */
export function importsOf(file: SourceFile): Import[] {
  const text = readFileSync(file.path, 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|import\('([^']+)'\)/g;
  const found: Import[] = [];
  for (const match of text.matchAll(pattern)) {
    const target = match[2] ?? match[3] ?? match[4] ?? '';
    const to = target.startsWith('.')
      ? relative(root, resolve(dirname(file.path), target)).replace(/\.js$/, '.ts')
      : target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/');
    found.push({ from: file.name, to, typeOnly: match[1] !== undefined });
  }
  return found;
}
