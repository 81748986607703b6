import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPlace, spawnCredence } from '../support/process.js';

let place: Awaited<ReturnType<typeof createPlace>>;

beforeEach(async () => {
  place = await createPlace({ empty: true });
});

afterEach(() => place.dispose());

async function migrateUp(): Promise<{ code: number; output: string }> {
  const { child, output } = spawnCredence(place.env, ['migrate', 'up']);
  const [code] = (await once(child, 'close')) as [number];
  return { code, output: output() };
}

const many = (count: number) => Promise.all(Array.from({ length: count }, migrateUp));

async function allMigrations(): Promise<string[]> {
  const files = await readdir(resolve(import.meta.dirname, '../../drizzle'));
  return files.filter((name) => /^\d+_\w+\.sql$/.test(name)).map((name) => `applied ${name.slice(0, -4)}`);
}

test('migrates a new database once, however many processes start on it at once', async () => {
  const ends = await many(place.env.DATABASE_URL ? 8 : 3);
  const winners = ends.filter(({ code }) => code === 0);
  if (winners.length === 0) throw new Error(`Nobody won: ${ends.map(({ output }) => output).join()}`);
  const applied = winners.flatMap(({ output }) => output.match(/^applied \w+$/gm) ?? []);
  expect(applied.sort()).toEqual((await allMigrations()).sort());
  // PostgreSQL serves them all; an embedded database belongs to the first, and the others are told so.
  if (place.env.DATABASE_URL) expect(winners).toHaveLength(8);
  for (const { code, output } of ends)
    if (code !== 0) expect(output).toMatch(/is in use by (?:process \d+|another process)/);
}, 120_000);
