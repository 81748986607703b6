import { readFileSync } from 'node:fs';
import { buildSchema, getVariableValues, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROLES, VALUES } from '../../src/api/playground/operations.js';
import { createHarness, type Harness } from '../support/harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness({ config: { graphql: { playground: true, introspection: true } } });
});
afterAll(() => harness.close());

const assetsOf = (page: string) => [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1] ?? '');

describe('the page', () => {
  test('is HTML that names no other host, and its policy allows none', async () => {
    const answer = await harness.fastify.inject('/playground');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval/);
    const hosts = [...answer.payload.matchAll(/https?:\/\/[^/'"\s]+/g)].map(([host]) => host);
    expect(hosts.filter((host) => host !== 'http://www.w3.org')).toEqual([]);
  });

  test('loads everything from this server, and browsers may keep it for ever', async () => {
    const names = assetsOf((await harness.fastify.inject('/playground')).payload);
    expect(names).toHaveLength(6);
    for (const name of names) {
      const answer = await harness.fastify.inject(name);
      expect([name, answer.statusCode]).toEqual([name, 200]);
      expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      const again = await harness.fastify.inject({
        url: name,
        headers: { 'if-none-match': String(answer.headers.etag) },
      });
      expect([again.statusCode, again.payload]).toEqual([304, '']);
    }
  });

  test.each([
    'graphiql.js.map',
    'package.json',
    '../package.json',
    '..%2f..%2fpackage.json',
    '%2e%2e%2fbrowser.js',
    'constructor',
    '__proto__',
  ])('serves no other file: %s', async (name) => {
    const hash = assetsOf((await harness.fastify.inject('/playground')).payload)[0]?.split('/')[3];
    for (const folder of [hash, 'undefined', 'x']) {
      expect((await harness.fastify.inject(`/playground/assets/${folder}/${name}`)).statusCode).toBe(404);
    }
  });

  test('does not exist unless it is switched on', async () => {
    const closed = await createHarness({ config: { graphql: { playground: false } } });
    const answers = await Promise.all(
      ['/playground', '/playground/operations.json'].map((url) => closed.fastify.inject(url)),
    );
    await closed.close();
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([404, 404]);
  });
});

describe('the ready operations', () => {
  const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
  const operations = ROLES.flatMap((role) =>
    role.operations.map((operation) => ({ role, operation, name: operation.name })),
  );

  test('are served to the page', async () => {
    const answer = await harness.fastify.inject('/playground/operations.json');
    expect(answer.json()).toEqual(JSON.parse(JSON.stringify({ roles: ROLES, values: VALUES })));
  });

  test.each(operations)('$name fits the schema, and so do its variables', ({ operation }) => {
    const document = parse(operation.query);
    expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
    const [definition] = document.definitions;
    if (definition?.kind !== 'OperationDefinition') throw new Error('not an operation');
    expect(definition.name?.value).toBe(operation.name);
    const { errors } = getVariableValues(schema, definition.variableDefinitions ?? [], operation.variables ?? {});
    expect(errors ?? []).toEqual([]);
    const declared = definition.variableDefinitions?.map(({ variable }) => variable.name.value) ?? [];
    expect(Object.keys(operation.variables ?? {}).sort()).toEqual(declared.sort());
  });

  test('have names of their own, since the names are the titles of the tabs', () => {
    expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
  });

  test('mention no value that the page does not know, and every value is used', () => {
    const mentioned = new Set([...JSON.stringify(ROLES).matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]));
    expect([...mentioned].sort()).toEqual(['newKey', ...VALUES.map(({ name }) => name)].sort());
  });

  test('every value that is taken from an answer is in the answer of an operation', () => {
    for (const { name, from = [] } of VALUES) {
      for (const path of from) {
        const keys = path.split('.').filter((key) => !/^\d+$/.test(key));
        const yields = operations.some(
          ({ operation }) =>
            new RegExp(`\\b${keys[0]} ?[({]`).test(operation.query) && operation.query.includes(keys.at(-1) ?? ''),
        );
        expect([name, path, yields]).toEqual([name, path, true]);
      }
    }
  });
});
