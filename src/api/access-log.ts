import type { FastifyReply, FastifyRequest } from 'fastify';
import { type DocumentNode, type GraphQLSchema, Kind, type SelectionSetNode } from 'graphql';
import type { App, Viewer } from '../core/context.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the access line tells of an operation, as far as it came. */
    asked: { viewer?: Viewer['kind']; field?: string } | undefined;
  }
}

const MOST_FIELDS = 5;
/** A line's field holds 100 characters. */
const LONGEST = 100;

/** One line a request: enough to begin a trace with, nothing that a caller wrote. */
export function logAccess(app: App, request: FastifyRequest, reply: FastifyReply): void {
  if (!app.log.isLevelEnabled('info')) return;
  const { viewer, field } = request.asked ?? {};
  app.log.info(
    {
      requestId: request.id,
      ...(request.span?.traceId && { traceId: request.span.traceId }),
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
      ...(viewer && { actorKind: viewer }),
      ...(field && { field }),
    },
    'graphql request',
  );
}

/** The names of an operation's root fields, read once a document. */
export function createRootFields(schema: GraphQLSchema): (document: DocumentNode, operationName?: string) => string {
  const known = new Set(
    [schema.getQueryType(), schema.getMutationType()].flatMap((type) => Object.keys(type?.getFields() ?? {})),
  );
  const remembered = new WeakMap<DocumentNode, string>();
  return (document, operationName) => {
    const before = remembered.get(document);
    if (before !== undefined) return before;
    const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
    const operation = operations.find((node) => node.name?.value === operationName) ?? operations[0];
    const names = operation ? namesOf(document, operation.selectionSet) : [];
    // A name that the schema does not hold is the caller's own text.
    const told = [...new Set(names.map((name) => (known.has(name) ? name : 'other')))].slice(0, MOST_FIELDS);
    const field = told.join(' ').slice(0, LONGEST);
    if (operations.length === 1) remembered.set(document, field);
    return field;
  };
}

function namesOf(document: DocumentNode, { selections }: SelectionSetNode, depth = 0): string[] {
  if (depth > MOST_FIELDS) return [];
  return selections.slice(0, 2 * MOST_FIELDS).flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection.name.value];
    if (selection.kind === Kind.INLINE_FRAGMENT) return namesOf(document, selection.selectionSet, depth + 1);
    const { value } = selection.name;
    const fragment = document.definitions.find(
      (node) => node.kind === Kind.FRAGMENT_DEFINITION && node.name.value === value,
    );
    return fragment?.kind === Kind.FRAGMENT_DEFINITION ? namesOf(document, fragment.selectionSet, depth + 1) : [];
  });
}
