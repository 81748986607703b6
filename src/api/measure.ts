import type { GraphQLFieldResolver, GraphQLSchema } from 'graphql';
import type { Context } from '../core/context.js';
import { isDatabaseUnavailable } from '../core/database.js';
import { AppError } from '../core/errors.js';
import { type Metrics, SIGN_IN_WAYS } from '../core/metrics.js';

function rootFields(schema: GraphQLSchema) {
  const roots = [schema.getQueryType(), schema.getMutationType()].filter((type) => type != null);
  return roots.flatMap((type) =>
    Object.values(type.getFields()).map((field) => ({ field, label: `${type.name}.${field.name}` })),
  );
}

/** The labels under which `measureRootFields` counts. */
export const rootFieldLabels = (schema: GraphQLSchema): string[] => rootFields(schema).map(({ label }) => label);

/** Counts the time and the errors of every root field, guards included. */
export function measureRootFields(schema: GraphQLSchema): GraphQLSchema {
  for (const { field, label } of rootFields(schema)) {
    if (field.resolve) field.resolve = measured(field.resolve, label);
  }
  return schema;
}

const NOTHING_MORE = {};

function measured(resolve: GraphQLFieldResolver<unknown, Context>, label: string): typeof resolve {
  const countSignIn = signInCounter(label);
  return (parent, args, context, info) => {
    const { metrics, tracing } = context.app;
    const startedAt = performance.now();
    const result = tracing
      ? tracing.span(label, NOTHING_MORE, async () => resolve(parent, args, context, info))
      : resolve(parent, args, context, info);
    const ended = (outcome: unknown) => {
      metrics.fieldSeconds.add(label, (performance.now() - startedAt) / 1_000);
      if (outcome instanceof Error) metrics.fieldErrors.add(label);
      countSignIn?.(metrics, outcome);
    };
    // Beside the answer, not before it. The guards make every root field a promise.
    if (result instanceof Promise) result.then(ended, ended);
    return result;
  };
}

/** For a field that lets somebody in: counts how that went, in words from a closed list. */
function signInCounter(label: string): ((metrics: Metrics, outcome: unknown) => void) | undefined {
  const way = Object.hasOwn(SIGN_IN_WAYS, label) ? SIGN_IN_WAYS[label as keyof typeof SIGN_IN_WAYS] : undefined;
  return way && ((metrics, outcome) => metrics.signIns.add(`${way} ${outcomeOf(outcome)}`));
}

function outcomeOf(outcome: unknown): string {
  if (outcome instanceof AppError) return outcome.code;
  if (outcome instanceof Error)
    return isDatabaseUnavailable(outcome) ? 'DATABASE_UNAVAILABLE' : 'INTERNAL_SERVER_ERROR';
  return typeof outcome === 'object' && outcome !== null && 'challenge' in outcome ? 'challenged' : 'ok';
}
