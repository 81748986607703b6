import { validateSchema } from 'graphql';
import { expect, it } from 'vitest';
import { createSchema, printedSchema } from '../../src/api/schema.js';

it('the printed schema equals schema.graphql (npm run generate writes it)', async () => {
  await expect(printedSchema(createSchema())).toMatchFileSnapshot('../../schema.graphql');
});

it('the schema is right by the rules of GraphQL', () => {
  expect(validateSchema(createSchema())).toEqual([]);
});
