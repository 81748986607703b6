import { readFileSync } from 'node:fs';

/** The folder that holds package.json, from `src` and from `dist` alike. */
export const packageRoot = new URL('../../', import.meta.url);

let version: string | undefined;

export function packageVersion(): string {
  version ??= String(
    (JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as { version: unknown }).version,
  );
  return version;
}
