import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
  packages: Record<string, { version?: string; dev?: boolean; hasInstallScript?: boolean }>;
};
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Record<
  string,
  Record<string, string>
>;

/** Below these, holes that are known are open (SECURITY 1.12 and the advisories of each project). */
const FLOORS: Record<string, string> = {
  fastify: '5.12.5',
  'drizzle-orm': '0.45.2',
  '@apollo/server': '5.5.0',
  graphql: '16.15.0',
  'type-graphql': '2.0.0-rc.4',
};

const numbers = (version: string) => version.split(/[.-]/).map((part) => Number(part.replace(/\D/g, '') || 0));

function isAtLeast(version: string, floor: string): boolean {
  const [have, want] = [numbers(version), numbers(floor)];
  for (let place = 0; place < want.length; place += 1) {
    if ((have[place] ?? 0) !== (want[place] ?? 0)) return (have[place] ?? 0) > (want[place] ?? 0);
  }
  return true;
}

it.each(Object.entries(FLOORS))('%s is locked at %s or above', (name, floor) => {
  const version = lock.packages[`node_modules/${name}`]?.version ?? '0';
  expect(isAtLeast(version, floor), version).toBe(true);
});

it('the comparison has teeth', () => {
  expect(isAtLeast('5.12.4', '5.12.5')).toBe(false);
  expect(isAtLeast('2.0.0-rc.3', '2.0.0-rc.4')).toBe(false);
  expect(isAtLeast('5.13.0', '5.12.5')).toBe(true);
});

it('graphql is version 16, and there is one copy of it', () => {
  const copies = Object.entries(lock.packages).filter(([path]) => path.endsWith('node_modules/graphql'));
  expect(copies.map(([path]) => path)).toEqual(['node_modules/graphql']);
  expect(copies[0]?.[1].version).toMatch(/^16\./);
});

it('every dependency is pinned to one version', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
  }
});

it('the server needs no install script: native parts come ready built', () => {
  const withScript = Object.entries(lock.packages).filter(([, { dev, hasInstallScript }]) => hasInstallScript && !dev);
  // Its script warns of versions that do not fit, and does nothing else.
  expect(withScript.map(([path]) => path)).toEqual(['node_modules/@apollo/protobufjs']);
});
