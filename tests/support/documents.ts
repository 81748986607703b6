import {
  type GraphQLField,
  type GraphQLInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
} from 'graphql';

/** A value that fits the type and names nothing that exists. */
export function sample(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return sample(type.ofType);
  if (isListType(type)) return [];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (isInputObjectType(type)) {
    return Object.fromEntries(
      Object.values(type.getFields())
        .filter((field) => isNonNullType(field.type))
        .map((field) => [field.name, sample(field.type)]),
    );
  }
  if (type.name === 'EmailAddress') return 'nobody@example.com';
  if (type.name === 'Boolean') return false;
  if (['Int', 'SafeInt', 'Float'].includes(type.name)) return 1;
  if (type.name === 'DateTime') return '2030-01-01T00:00:00.000Z';
  if (type.name === 'JSONObject') return {};
  return '00000000-0000-7000-8000-000000000000';
}

/** The smallest operation that calls one root field with everything it requires. */
export function documentFor(
  root: 'query' | 'mutation',
  field: GraphQLField<unknown, unknown>,
): { query: string; variables: Record<string, unknown> } {
  const needed = field.args.filter((argument) => isNonNullType(argument.type));
  const declared = needed.map((argument) => `$${argument.name}: ${argument.type}`).join(', ');
  const passed = needed.map((argument) => `${argument.name}: $${argument.name}`).join(', ');
  const named = getNamedType(field.type);
  const selection = isLeafType(named) ? '' : '{ __typename }';
  const query = `${root}${declared && `(${declared})`} { ${field.name}${passed && `(${passed})`} ${selection} }`;
  return { query, variables: Object.fromEntries(needed.map((argument) => [argument.name, sample(argument.type)])) };
}
