// First of all imports: type-graphql's decorators look for it when a class is defined.
import 'reflect-metadata';
import { printSchemaWithDirectives } from '@graphql-tools/utils';
import { DirectiveLocation, GraphQLDirective, GraphQLNonNull, GraphQLSchema, GraphQLString, isObjectType, lexicographicSortSchema } from 'graphql';
import { buildSchemaSync, type NonEmptyArray } from 'type-graphql';
import { AuthResolver } from '../modules/auth/auth.resolver.js';
import { applyAccess, levelOf } from './access.js';

const RESOLVERS: NonEmptyArray<new () => object> = [AuthResolver];

const accessDirective = new GraphQLDirective({
  name: 'access',
  description: 'Who may use the field. Checked on every request; see docs/SECURITY.md for the levels.',
  locations: [DirectiveLocation.FIELD_DEFINITION],
  args: { level: { type: new GraphQLNonNull(GraphQLString) } },
});

/** Writes each field's level where readers of the schema look: a directive in the print, a line in the description. */
function annotate(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const level = levelOf(type.name, field.name);
      if (!level) continue;
      field.extensions = { ...field.extensions, directives: { access: { level } } };
      field.description = [field.description, `Level: ${level}`].filter(Boolean).join('\n\n');
    }
  }
  const config = schema.toConfig();
  return new GraphQLSchema({ ...config, directives: [...config.directives, accessDirective] });
}

/** The whole schema with every guard on. Throws when the access page names a field that is not there. */
export function createSchema(): GraphQLSchema {
  // `validate: false`: formats live in scalars, and services check the rest (core/input).
  return applyAccess(annotate(buildSchemaSync({ resolvers: RESOLVERS, validate: false })));
}

/** What `schema.graphql` holds. */
export function printedSchema(schema: GraphQLSchema): string {
  return `${printSchemaWithDirectives(lexicographicSortSchema(schema))}\n`;
}
