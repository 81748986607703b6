import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generateOperations } from '../../examples/spa/codegen.js';

const root = new URL('../../', import.meta.url);

it('the types of examples/spa are those of schema.graphql (npm run generate writes them)', async () => {
  await expect(await generateOperations()).toMatchFileSnapshot('../../examples/spa/src/operations.ts');
});

it('examples/spa asks for the versions that are installed and tried here', () => {
  const read = (path: string) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
  const ours = read('package.json');
  const { dependencies, devDependencies } = read('examples/spa/package.json');
  expect({ ...ours.dependencies, ...ours.devDependencies }).toMatchObject({ ...dependencies, ...devDependencies });
});
