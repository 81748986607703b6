import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isUnionType,
} from 'graphql';
import { levelOf } from '../../../src/api/access.js';
import { cell, describe } from './text.js';

const PAGED = /(Connection|Edge)$/;

/** What answers are made of: objects, unions and enums, by name; pages are explained once. */
export function typeEntries(schema: GraphQLSchema): string {
  const types = Object.values(schema.getTypeMap())
    .filter((type) => !isIntrospectionType(type) && !PAGED.test(type.name) && !/^(Query|Mutation)$/.test(type.name))
    .sort((one, other) => one.name.localeCompare(other.name));
  return types.flatMap(entry).join('\n\n');
}

function entry(type: GraphQLNamedType): string[] {
  const head = `### type ${type.name}`;
  const about = describe(type.description);
  if (isObjectType(type))
    return [[head, about, objectTable(type.name, Object.values(type.getFields()))].filter(Boolean).join('\n\n')];
  if (isUnionType(type)) {
    const members = type.getTypes().map(({ name }) => link(name));
    return [[head, about, `One of ${members.join(', ')}.`].filter(Boolean).join('\n\n')];
  }
  if (!isEnumType(type)) return [];
  const values = type.getValues().map(({ name, description }) => {
    const words = cell(describe(description));
    return `- \`${name}\`${words && `: ${words}`}`;
  });
  return [[head, about, values.join('\n')].filter(Boolean).join('\n\n')];
}

const link = (name: string) => `[\`${name}\`](#type-${name.toLowerCase()})`;

function objectTable(typeName: string, fields: GraphQLField<unknown, unknown>[]): string {
  const rows = fields.map((field) => {
    const named = getNamedType(field.type);
    const item = named.name.replace(/Connection$/, '');
    const type = isScalarType(named) ? `\`${field.type}\`` : `[\`${field.type}\`](#type-${item.toLowerCase()})`;
    const level = levelOf(typeName, field.name);
    const words = [cell(describe(field.description)), level ? `Level: ${level}.` : ''].filter(Boolean).join(' ');
    const args = field.args.map(({ name }) => name).join(', ');
    return `| \`${field.name}${args && `(${args})`}\` | ${type} | ${words} |`;
  });
  return ['| field | type | |', '|---|---|---|', ...rows].join('\n');
}

/** The scalars with their own words. */
export function scalarTable(schema: GraphQLSchema): string {
  const rows = Object.values(schema.getTypeMap())
    .filter(isScalarType)
    .map(({ name, description }) => `| \`${name}\` | ${cell(describe(description))} |`);
  return ['| scalar | |', '|---|---|', ...rows].join('\n');
}
