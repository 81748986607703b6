import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type FieldNode, Kind, parse } from 'graphql';
import { ACCESS, levelOf } from '../../src/api/access.js';
import { ERROR_CODES, type ErrorCode } from '../../src/core/errors.js';

const modules = resolve(import.meta.dirname, '../../src/modules');

/** What a field's services say that they throw. */
export interface Declared {
  /** The folder in src/modules. */
  readonly module: string;
  readonly codes: ReadonlySet<ErrorCode>;
  /** The words of `@throws`, for readers of the reference. */
  readonly text: string;
}

/** Of every field. A limit, a text that is not well-formed, a variable of another type, and what nobody foresaw. */
const ALWAYS: readonly ErrorCode[] = [
  'BAD_USER_INPUT',
  'DATABASE_UNAVAILABLE',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'INTERNAL_SERVER_ERROR',
  'IP_NOT_ALLOWED',
  'RATE_LIMITED',
  'RETRY_LATER',
];

/** What a level refuses with, whatever the field does. */
export function codesOfLevel(level: string): ErrorCode[] {
  if (level === 'PUBLIC') return [];
  const codes: ErrorCode[] = ['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'ACCOUNT_SUSPENDED', 'FORBIDDEN'];
  if (level === 'VERIFIED' || level === 'FRESH') codes.push('EMAIL_NOT_VERIFIED');
  if (level === 'FRESH') codes.push('REAUTHENTICATION_REQUIRED');
  return codes;
}

const files = (ending: string) =>
  readdirSync(modules, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => ({ name, text: readFileSync(join(modules, name), 'utf8') }));

/** Exported functions of the services: name → the words behind `@throws`, or nothing. */
function throwsOfServices(): Map<string, string> {
  const found = new Map<string, string>();
  const documented = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?export (?:async function|function|const) (\w+)/g;
  for (const { text } of files('.service.ts')) {
    for (const [, comment = '', name = ''] of text.matchAll(documented)) {
      const words = comment.replaceAll(/\n\s*\*?/g, ' ').replaceAll(/ +/g, ' ');
      found.set(name, /@throws (.*?)(?= @|$)/.exec(words)?.[1]?.trim() ?? '');
    }
  }
  return found;
}

/** `as \`startCheckout\`` stands for the words of that function. */
function resolved(text: string, throws: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\bas `(\w+)`/g, (all, name: string) => {
    const meant = throws.get(name);
    return meant ? resolved(meant, throws) : all;
  });
}

const METHOD = /@(?:Query|Mutation)\([\s\S]*?\n {2}(?:async )?(\w+)\(([\s\S]*?)(?=\n {2}@|\n\}\n)/g;

let declared: Map<string, Declared> | undefined;

/** Root field → what its resolver's services declare. */
export function declaredRefusals(): ReadonlyMap<string, Declared> {
  if (declared) return declared;
  const throws = throwsOfServices();
  declared = new Map();
  for (const { name, text } of files('.resolver.ts')) {
    for (const [, field = '', body = ''] of text.matchAll(METHOD)) {
      const called = [...body.matchAll(/\b(\w+)\(/g)].map((match) => match[1] ?? '');
      const words = [...new Set(called)].map((service) => resolved(throws.get(service) ?? '', throws));
      const said = words.filter(Boolean).join('; ');
      const codes = new Set(ERROR_CODES.filter((code) => new RegExp(`\\b${code}\\b`).test(said)));
      declared.set(field, { module: name.split('/')[0] ?? '', codes, text: said });
    }
  }
  return declared;
}

/** Whether the reference may keep silent about this: every field, its level, or its own declaration has the code. */
function isDeclared(root: 'Query' | 'Mutation', field: string, code: ErrorCode): boolean {
  // Nobody acts in another's name beyond what the access page lists.
  if (root === 'Mutation' && code === 'FORBIDDEN') return true;
  if (ALWAYS.includes(code) || codesOfLevel(levelOf(root, field) ?? '').includes(code)) return true;
  return declaredRefusals().get(field)?.codes.has(code) ?? false;
}

interface Refusal {
  readonly path?: readonly (string | number)[];
  readonly extensions: Record<string, unknown>;
}

/**
 * Every refusal of these answers has to stand where readers of docs/API_REFERENCE.md find it: in the `@throws` of the
 * field's service.
 *
 * @throws Error that names the field and the code otherwise
 */
export function requireDeclared(query: string, errors: readonly Refusal[]): void {
  for (const { path, extensions } of errors) {
    const [key] = path ?? [];
    if (path?.length !== 1 || key === undefined) continue;
    const { root, field } = rootFieldOf(query, String(key)) ?? {};
    const code = extensions.code as ErrorCode;
    if (root && field && field in ACCESS[root] && !isDeclared(root, field, code))
      throw new Error(`${field} answered ${code}, which is not in the @throws of its service.`);
  }
}

/** The field that stands under this key, directly or in a fragment. */
function rootFieldOf(query: string, key: string): { root: 'Query' | 'Mutation'; field: string } | undefined {
  for (const definition of parse(query).definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const fields = definition.selectionSet.selections.filter((node): node is FieldNode => node.kind === Kind.FIELD);
    const found = fields.find(({ alias, name }) => (alias ?? name).value === key);
    if (found) return { root: definition.operation === 'query' ? 'Query' : 'Mutation', field: found.name.value };
  }
  return undefined;
}
