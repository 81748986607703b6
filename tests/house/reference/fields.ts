import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isListType,
} from 'graphql';
import { ACCESS, SENSITIVE_FIELDS, SIGN_IN_FAMILY } from '../../../src/api/access.js';
import { AUTHENTICATED_ALL_KINDS, FRESH_ALL_KINDS, type Level, VERIFIED_ALL_KINDS } from '../../../src/api/levels.js';
import { SETTINGS } from '../../../src/core/config.js';
import { declaredRefusals } from '../../support/refusals.js';
import { exampleFor } from './examples.js';
import { cell, describe, grouped, withCodes } from './text.js';

export interface RootField {
  readonly root: 'query' | 'mutation';
  readonly level: Level;
  readonly field: GraphQLField<unknown, unknown>;
}

/** Who calls it, in the order of the page. */
const GROUPS: readonly { title: string; about: string; holds: (level: string) => boolean }[] = [
  {
    title: 'Visitors',
    about: 'Nobody has to be signed in. Whatever these fields take as proof travels in their arguments.',
    holds: (level) => level === 'PUBLIC',
  },
  {
    title: 'Signed-in people',
    about: 'Send the access token as `Authorization: Bearer …`. Nothing here takes anybody’s id: it is about yourself.',
    holds: (level) => /^(AUTHENTICATED|VERIFIED|FRESH)$/.test(level),
  },
  {
    title: 'Services',
    about: 'Send the service key as `X-API-Key: crd_svc_…`. What stands in brackets is the scope the key has to hold.',
    holds: (level) => level.startsWith('INTERNAL_SERVICE'),
  },
  {
    title: 'Support staff',
    about: 'Staff of the level named or above, and admins who hold the permission beside it.',
    holds: (level) => level.startsWith('STAFF'),
  },
  {
    title: 'Admins',
    about: 'Admins who hold the permission in brackets.',
    holds: (level) => level.startsWith('ADMIN'),
  },
];

/** Every root field, in the order of the access page. */
export function rootFields(schema: GraphQLSchema): RootField[] {
  const roots = [
    ['query', schema.getQueryType(), ACCESS.Query],
    ['mutation', schema.getMutationType(), ACCESS.Mutation],
  ] as const;
  return roots.flatMap(([root, type, page]) =>
    Object.entries(page as Record<string, Level>).map(([name, level]) => {
      const field = type?.getFields()[name];
      if (!field) throw new Error(`the schema lacks ${name}`);
      return { root, level, field };
    }),
  );
}

const membersOf = (fields: RootField[], title: string) => {
  const group = GROUPS.find((candidate) => candidate.title === title);
  return fields.filter(({ level }) => group?.holds(level.name));
};

const anchor = (title: string) => title.toLowerCase().replaceAll(' ', '-');

/** One line for each group and module, with links. */
export function tableOfContents(schema: GraphQLSchema): string {
  const fields = rootFields(schema);
  return GROUPS.map(({ title }) => {
    const byModule = Map.groupBy(membersOf(fields, title), ({ field }) => moduleOf(field.name));
    const lines = [...byModule].map(
      ([module, members]) =>
        `  - ${module}: ${members.map(({ field }) => `[${field.name}](#${field.name.toLowerCase()})`).join(', ')}`,
    );
    return [`- [${title}](#${anchor(title)})`, ...lines].join('\n');
  }).join('\n');
}

const moduleOf = (field: string) => declaredRefusals().get(field)?.module ?? '';

export function fieldEntries(schema: GraphQLSchema): string {
  const fields = rootFields(schema);
  const lost = fields.filter(({ level }) => !GROUPS.some(({ holds }) => holds(level.name)));
  if (lost.length > 0) throw new Error(`no group holds ${lost.map(({ field }) => field.name)}`);
  return GROUPS.map(({ title, about }) =>
    [`## ${title}`, about, ...membersOf(fields, title).map(entry)].join('\n\n'),
  ).join('\n\n');
}

const ALL_KINDS: readonly Level[] = [AUTHENTICATED_ALL_KINDS, VERIFIED_ALL_KINDS, FRESH_ALL_KINDS];

function entry({ root, level, field }: RootField): string {
  const kinds = ALL_KINDS.includes(level) ? ', staff and admins too' : '';
  const once = SENSITIVE_FIELDS.has(field.name) ? ['once in an operation'] : [];
  const facts = [root, `level [${level.name}](#levels)${kinds}`, limitOf(field.name, level), ...once];
  const { query, variables } = exampleFor(root, field);
  return [
    `### ${field.name}`,
    facts.join(' · '),
    describe(field.description),
    ...argumentsOf(field),
    `Answers ${typeLink(field)}.`,
    errorsOf(field.name),
    `\`\`\`graphql\n${query}\n\`\`\``,
    ...(Object.keys(variables).length > 0 ? [`\`\`\`json\n${JSON.stringify(variables, null, 2)}\n\`\`\``] : []),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function limitOf(field: string, level: Level): string {
  if (level.name.startsWith('INTERNAL_SERVICE')) return 'not limited';
  const setting = SIGN_IN_FAMILY.has(field) ? SETTINGS.RATE_LIMIT_AUTH : SETTINGS.RATE_LIMIT_DEFAULT;
  return `${grouped(Number(setting.default))} a minute`;
}

function typeLink(field: GraphQLField<unknown, unknown>): string {
  const { name } = getNamedType(field.type);
  const connection = /^(.+)Connection$/.exec(name);
  if (connection) return `a [page](#pages) of [\`${connection[1]}\`](#type-${connection[1]?.toLowerCase()})`;
  const isScalar = /^(Boolean|DateTime|EmailAddress|Float|ID|Int|JSONObject|SafeInt|String)$/.test(name);
  return isScalar ? `\`${field.type}\`` : `[\`${field.type}\`](#type-${name.toLowerCase()})`;
}

function errorsOf(field: string): string {
  const text = declaredRefusals().get(field)?.text;
  return text ? `Errors: ${withCodes(text.replace(/\.$/, ''))}.` : 'Errors: none of its own.';
}

interface Place {
  readonly path: string;
  readonly argument: GraphQLArgument | GraphQLInputField;
}

/** Every leaf of the arguments with its path: what has to be known to write a call. */
function leaves({ path, argument }: Place): Place[] {
  const named = getNamedType(argument.type);
  const isList = isListType(getNullableType(argument.type));
  if (!isInputObjectType(named)) return [{ path, argument }];
  return Object.values(named.getFields()).flatMap((field) =>
    leaves({ path: `${path}${isList ? '[]' : ''}.${field.name}`, argument: field }),
  );
}

function argumentsOf({ args }: GraphQLField<unknown, unknown>): string[] {
  const rows = args
    .flatMap((argument) => leaves({ path: argument.name, argument }))
    .map(({ path, argument }) => {
      const usual = argument.defaultValue === undefined ? '' : ` = ${JSON.stringify(argument.defaultValue)}`;
      return `| \`${path}\` | \`${argument.type}${usual}\` | ${cell(describe(argument.description))} |`;
    });
  return rows.length === 0 ? [] : [['| argument | type | |', '|---|---|---|', ...rows].join('\n')];
}
