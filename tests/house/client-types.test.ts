import {
  type GraphQLOutputType,
  getNamedType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql';
import { expect, it } from 'vitest';
import { createSchema } from '../../src/api/schema.js';
import { createBillingCalls } from '../../src/client/billing.js';
import { createCalls } from '../../src/client/calls.js';
import { createCreditsCalls } from '../../src/client/credits.js';
import { createUsageCalls } from '../../src/client/usage.js';
import { createUsersCalls } from '../../src/client/users.js';

const schema = createSchema();

const SCALARS: Record<string, string> = {
  Boolean: 'boolean',
  DateTime: 'string',
  EmailAddress: 'string',
  ID: 'string',
  Int: 'number',
  JSONObject: 'Record<string, unknown>',
  SafeInt: 'number',
  String: 'string',
};

/** Every document that the client sends beside `validateToken`'s, by the name of its method. */
async function documents(): Promise<Map<string, string>> {
  let sent = '';
  const calls = createCalls(async ({ document }) => {
    sent = document;
    return {};
  });
  const groups = [createCreditsCalls, createUsageCalls, createUsersCalls, createBillingCalls];
  const methods = Object.assign({}, ...groups.map((create) => create(calls))) as Record<
    string,
    (input: object) => Promise<unknown>
  >;
  const found = new Map<string, string>();
  for (const [name, call] of Object.entries(methods)) {
    await call({});
    found.set(name, sent);
  }
  return found;
}

/** What TypeScript calls a value of the type, with the fields that are selected. */
function typeText(type: GraphQLOutputType, selection: SelectionSetNode | undefined): string {
  if (!isNonNullType(type)) return `${bareText(type, selection)} | null`;
  return bareText(type.ofType, selection);
}

function bareText(type: GraphQLOutputType, selection: SelectionSetNode | undefined): string {
  if (isListType(type)) return `(${typeText(type.ofType, selection)})[]`;
  if (isEnumType(type))
    return `(${type
      .getValues()
      .map(({ name }) => `'${name}'`)
      .join(' | ')})`;
  if (!isObjectType(type)) return SCALARS[getNamedType(type).name] ?? 'never';
  const fields = (selection?.selections ?? []).flatMap((node) => {
    const field = node.kind === Kind.FIELD ? type.getFields()[node.name.value] : undefined;
    return field && node.kind === Kind.FIELD ? [`${field.name}: ${typeText(field.type, node.selectionSet)}`] : [];
  });
  return `{ ${fields.join('; ')} }`;
}

function lineFor(name: string, document: string): string {
  const operation = parse(document).definitions[0] as OperationDefinitionNode;
  const root = operation.operation === 'query' ? schema.getQueryType() : schema.getMutationType();
  const [node] = operation.selectionSet.selections;
  const type = root?.getFields()[name]?.type;
  if (!type || node?.kind !== Kind.FIELD) throw new Error(`${name} is no field`);
  return `  true satisfies Same<Answer<'${name}'>, ${typeText(type, node.selectionSet)}>,`;
}

it('every document of the client fits the schema', async () => {
  for (const [name, document] of await documents()) expect(validate(schema, parse(document)), name).toEqual([]);
});

it('the client’s types are those of the schema (npm run generate writes them, the compiler compares)', async () => {
  const lines = [...(await documents())].map(([name, document]) => lineFor(name, document));
  const text = [
    '// Written by `npm run generate`: what the schema says of each answer must be what the client says of it.',
    "import type { CredenceClient } from '../../src/client/client.js';",
    '',
    'type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;',
    'type Answer<Name extends keyof CredenceClient> = CredenceClient[Name] extends (',
    '  ...given: never[]',
    ') => Promise<infer T>',
    '  ? T',
    '  : never;',
    '',
    'void [',
    ...lines,
    '];',
    '',
  ];
  await expect(text.join('\n')).toMatchFileSnapshot('../client/schema-answers.ts');
});
