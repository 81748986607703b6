import { type GraphQLInputType, type GraphQLSchema, isInputObjectType, isListType, isNonNullType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchema } from '../../src/api/schema.js';
import { ERROR_CODES } from '../../src/core/errors.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import { documentFor, sample } from '../support/documents.js';
import { type Call, createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let callers: Call[];

beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

/** Credentials of every kind that may pass somewhere; fresh ones, for some operations end the session they came with. */
async function freshCallers(): Promise<Call[]> {
  const person = await h.person();
  const admin = await h.admin([...PERMISSIONS]);
  const service = await h.service([...SERVICE_SCOPES]);
  return [{ token: person.token }, { token: admin.token }, { serviceKey: service.key }];
}

const BAD_TEXTS: Record<string, string> = {
  empty: '',
  blank: '   ',
  NUL: 'a\0b',
  'a lone surrogate': 'a\ud800b',
  huge: 'x'.repeat(20_000),
  long: 'é'.repeat(3_000),
  SQL: `'; drop table users; --`,
  'LIKE wildcards': '%_\\%',
  'control characters': 'a\r\nb\u001b[31m\u2028',
  'a malformed token': 'crd_key_AAAAAAAA',
  'a JWT with alg none': 'eyJhbGciOiJub25lIn0.e30.',
  'someone else’s id': '01890000-0000-7000-8000-000000000000',
  'an id in another form': '{01890000-0000-7000-8000-000000000000}',
  'a malformed cursor': 'bm90IGEgY3Vyc29y',
  'the year 0': '0000-01-01T00:00:00Z',
  'a year beyond four digits': '+123456-01-01T00:00:00Z',
  __proto__: '__proto__',
};
const WRONG_VALUES: Record<string, unknown> = {
  'a number': 12.5,
  'a huge number': 1e300,
  'a negative number': -1,
  true: true,
  'a list': ['x'],
  'an object': { x: 1 },
  null: null,
};

interface Place {
  path: string[];
  type: GraphQLInputType;
}

/** Every leaf of an argument, the optional ones too. */
function leaves(type: GraphQLInputType, path: string[]): Place[] {
  if (isNonNullType(type)) return leaves(type.ofType, path);
  if (isInputObjectType(type))
    return Object.values(type.getFields()).flatMap((field) => leaves(field.type, [...path, field.name]));
  return [{ path, type }];
}

function withValue(
  variables: Record<string, unknown>,
  options: { path: string[]; value: unknown },
): Record<string, unknown> {
  const copy = structuredClone(variables);
  let object = copy;
  for (const name of options.path.slice(0, -1)) {
    object[name] = typeof object[name] === 'object' && object[name] !== null ? object[name] : {};
    object = object[name] as Record<string, unknown>;
  }
  object[options.path.at(-1) ?? ''] = options.value;
  return copy;
}

const schema: GraphQLSchema = createSchema();
const fields = [
  ...Object.values(schema.getQueryType()?.getFields() ?? {}).map((field) => ({ root: 'query' as const, field })),
  ...Object.values(schema.getMutationType()?.getFields() ?? {}).map((field) => ({ root: 'mutation' as const, field })),
].filter(({ field }) => field.args.length > 0);

async function codesOf(query: string, variables: Record<string, unknown>): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  for (const caller of callers) codes.push((await h.graphql(query, { ...caller, variables, ip: '10.98.0.1' })).code);
  return codes;
}

describe.each(fields)('$field.name', ({ root, field }) => {
  it('answers bad input with a code of the table, and never as an internal error', async () => {
    callers = await freshCallers();
    // Every argument is passed, so that the optional ones can be bad too.
    const all = { ...field, args: field.args };
    const { variables } = documentFor(root, all);
    for (const argument of field.args) variables[argument.name] ??= isListType(argument.type) ? [] : undefined;
    const declared = field.args.map((argument) => `$${argument.name}: ${argument.type}`).join(', ');
    const passed = field.args.map((argument) => `${argument.name}: $${argument.name}`).join(', ');
    const selection = documentFor(root, field).query.includes('__typename') ? '{ __typename }' : '';
    const query = `${root}(${declared}) { ${field.name}(${passed}) ${selection} }`;
    const surprises: string[] = [];
    for (const { path, type } of field.args.flatMap((argument) => leaves(argument.type, [argument.name]))) {
      for (const [what, value] of [...Object.entries(BAD_TEXTS), ...Object.entries(WRONG_VALUES)]) {
        const bad = isListType(type) && typeof value === 'string' ? [value] : value;
        for (const code of await codesOf(query, withValue(variables, { path, value: bad }))) {
          if (code === 'INTERNAL_SERVER_ERROR' || (code !== undefined && !ERROR_CODES.includes(code as never)))
            surprises.push(`${path.join('.')}: ${what} → ${code}`);
        }
      }
    }
    expect(surprises).toEqual([]);
  }, 120_000);
});

it('the walk reaches arguments that are not required', () => {
  const users = schema.getQueryType()?.getFields().users;
  expect(
    users?.args.flatMap((argument) => leaves(argument.type, [argument.name])).map(({ path }) => path.join('.')),
  ).toContain('filter.search');
  expect(sample(users?.args[0]?.type as GraphQLInputType)).toBeDefined();
});
