import type { GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import type { Context } from '../core/context.js';

function rootFields(schema: GraphQLSchema) {
  const roots = [schema.getQueryType(), schema.getMutationType()].filter((type) => type != null);
  return roots.flatMap((type) =>
    Object.values(type.getFields()).map((field) => ({ field, label: `${type.name}.${field.name}` })),
  );
}

/** The labels under which `measureRootFields` counts. */
export const rootFieldLabels = (schema: GraphQLSchema): string[] => rootFields(schema).map(({ label }) => label);

/** Counts the time of every root field, guards included. */
export function measureRootFields(schema: GraphQLSchema): GraphQLSchema {
  for (const { field, label } of rootFields(schema)) {
    if (field.resolve) field.resolve = measured(field.resolve, label);
  }
  return schema;
}

function measured(resolve: GraphQLFieldResolver<unknown, Context>, label: string): typeof resolve {
  return (parent, args, context, info) => {
    const startedAt = performance.now();
    const result = resolve(parent, args, context, info);
    const done = () => context.app.metrics.fieldSeconds.add(label, (performance.now() - startedAt) / 1_000);
    // Beside the answer, not before it. The guards make every root field a promise.
    if (result instanceof Promise) result.then(done, done);
    return result;
  };
}
