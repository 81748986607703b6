import {
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isNonNullType,
  isObjectType,
  isUnionType,
  Kind,
  parse,
} from 'graphql';
import { levelOf } from '../../../src/api/access.js';
import { type ReadyOperation, ROLES } from '../../../src/api/playground/operations.js';
import { filledIn, sampleOf } from './samples.js';

export interface Example {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

type Field = GraphQLField<unknown, unknown>;
type Root = 'query' | 'mutation';

const READY: readonly ReadyOperation[] = ROLES.flatMap(({ operations }) => operations);

function rootFieldsOf({ query }: ReadyOperation): { root: string; names: string[] } {
  const [operation] = parse(query).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return { root: '', names: [] };
  const names = operation.selectionSet.selections.map((node) => (node.kind === Kind.FIELD ? node.name.value : ''));
  return { root: operation.operation, names };
}

/** The playground's operation for this field, if there is one: that of it alone before one of several fields. */
function readyFor(root: Root, field: Field): ReadyOperation | undefined {
  return READY.map((operation) => ({ operation, ...rootFieldsOf(operation) }))
    .filter((ready) => ready.root === root && ready.names.includes(field.name))
    .sort((one, other) => one.names.length - other.names.length)[0]?.operation;
}

/** What one sends to call the field: as in the playground, or everything required and the plain fields of the answer. */
export function exampleFor(root: Root, field: Field): Example {
  const ready = readyFor(root, field);
  if (!ready) return generated(root, field);
  const query = ready.query.replaceAll(/^ *#.*\n/gm, '').trim();
  return { query, variables: filledIn(ready.variables ?? {}) };
}

function generated(root: Root, field: Field): Example {
  const needed = field.args.filter((argument) => isNonNullType(argument.type) && argument.defaultValue === undefined);
  const declared = needed.map(({ name, type }) => `$${name}: ${type}`).join(', ');
  const passed = needed.map(({ name }) => `${name}: $${name}`).join(', ');
  const title = field.name.charAt(0).toUpperCase() + field.name.slice(1);
  const head = `${root} ${title}${declared && `(${declared})`}`;
  const call = `${field.name}${passed && `(${passed})`}${selection(field.type, { depth: 2, indent: '  ' })}`;
  return {
    query: `${head} {\n  ${call}\n}`,
    variables: Object.fromEntries(
      needed.map(({ name, type }) => [name, sampleOf({ name, type, path: `${field.name}.${name}` })]),
    ),
  };
}

interface Place {
  readonly depth: number;
  readonly indent: string;
}

const LINE = 90;

/** ` { … }`, on one line where it fits; nothing for a scalar. */
function selection(type: GraphQLOutputType, place: Place): string {
  const inner = { depth: place.depth - 1, indent: `${place.indent}  ` };
  const parts = partsOf(getNamedType(type), inner);
  if (parts.length === 0) return '';
  const line = ` { ${parts.join(' ')} }`;
  if (line.length <= LINE && !line.includes('\n')) return line;
  const plain = parts.filter((part) => !part.includes('{')).join(' ');
  const lines = [plain, ...parts.filter((part) => part.includes('{'))].filter(Boolean);
  return ` {\n${lines.map((part) => `${inner.indent}${part}`).join('\n')}\n${place.indent}}`;
}

function partsOf(type: ReturnType<typeof getNamedType>, place: Place): string[] {
  if (isUnionType(type))
    return ['__typename', ...type.getTypes().map((member) => `... on ${member.name}${selection(member, place)}`)];
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  const fields = Object.values((type as GraphQLObjectType).getFields()).filter(
    (field) => levelOf(type.name, field.name) === undefined && !field.args.some(({ type }) => isNonNullType(type)),
  );
  return fields.flatMap((field) => {
    // The same nodes again, each with its cursor.
    if (field.name === 'edges') return [];
    if (isLeafType(getNamedType(field.type))) return [field.name];
    const nested = place.depth > 0 ? selection(field.type, place) : '';
    return nested === '' ? [] : [`${field.name}${nested}`];
  });
}
