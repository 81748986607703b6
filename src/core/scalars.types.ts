import { GraphQLError, GraphQLScalarType, type ValueNode } from 'graphql';
import { GraphQLDateTimeISO, GraphQLEmailAddress, GraphQLJSONObject, GraphQLSafeInt } from 'graphql-scalars';

/** The formats of the schema, in one place: whole numbers exact to 2^53−1, JSON objects, addresses. */
export { GraphQLJSONObject as JSONObject, GraphQLSafeInt as SafeInt };

/** PostgreSQL knows no year 0, and text sorts no year beyond four digits. */
function withinTime(date: Date): Date {
  const year = date.getUTCFullYear();
  if (year >= 1 && year <= 9999) return date;
  throw new GraphQLError('DateTime must lie in the years 1 to 9999', { extensions: { code: 'BAD_USER_INPUT' } });
}

/** Looked at on the way in only: what is stored has passed it, and a list of people holds a hundred. */
export const EmailAddress = new GraphQLScalarType<string, string>({
  ...GraphQLEmailAddress.toConfig(),
  serialize: (value) => String(value),
});

const iso = GraphQLDateTimeISO.toConfig();

/**
 * RFC 3339, always UTC on the way out. It is the library's scalar that answers with text (the other one answers
 * with a Date, which not every executor turns into text) under the name that the contract gives it.
 */
export const DateTime = new GraphQLScalarType<Date, string>({
  ...iso,
  name: 'DateTime',
  description: 'A moment as RFC 3339 text, in UTC: 2026-01-31T09:30:00.000Z.',
  parseValue: (value: unknown) => withinTime(iso.parseValue(value)),
  parseLiteral: (node: ValueNode, variables) => withinTime(iso.parseLiteral(node, variables)),
});
