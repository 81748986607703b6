import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sourceFiles } from './sources.js';

it('no object type wraps its plain fields: a long list takes half as long again with the wrappers', () => {
  const wrapping = sourceFiles().flatMap(({ name, path }) =>
    readFileSync(path, 'utf8')
      .split('@ObjectType(')
      .slice(1)
      .filter((rest) => !rest.slice(0, rest.indexOf('class ')).includes('simpleResolvers: true'))
      .map((rest) => `${name}: ${rest.slice(0, rest.indexOf('\n'))}`),
  );
  expect(wrapping).toEqual([]);
});
