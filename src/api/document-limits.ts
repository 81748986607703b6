import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { AppError } from '../core/errors.js';

/**
 * What one document may ask for. Everything is counted on the flattened document, that is with every fragment put in
 * place of each of its spreads, and nothing is exempt because of a name it gives itself.
 */
export const DOCUMENT_LIMITS = {
  tokens: 2_000,
  /** Fields below each other: `{ me { id } }` is 2. */
  depth: 10,
  aliases: 15,
  /** For a caller with a service key: twenty aliased `validateToken` in one request are a service's normal batch. */
  serviceAliases: 20,
  rootFields: 20,
  directives: 10,
  /**
   * Objects that the answer may hold: a field with fields below it counts one, times the page sizes above it. Three
   * nested pages of twenty fit, and so do a hundred people with ninety sessions each; a hundred of a hundred do not.
   */
  cost: 10_000,
  /** Page size of a connection that does not say `first`, as in core/pages. */
  pageSize: 20,
  /**
   * Fields of the operation, side by side, and places where a fragment is put in. Validation compares fields of one
   * name pairwise (OverlappingFieldsCanBeMerged): within 2,000 tokens the worst document found took it 90 ms, within
   * these it took 40.
   */
  fields: 1_000,
  fieldsOfSet: 150,
  spreads: 60,
  /** The introspection query of GraphiQL is 15 deep. */
  introspectionDepth: 20,
  /** Lists of types inside lists of types: `types { fields { args` has one, a circle that hurts has more than three. */
  introspectionLists: 3,
  /** Selections inside selections, inline fragments and spreads included: keeps the recursion here shallow. */
  nesting: 100,
} as const;

type Variables = Readonly<Record<string, unknown>>;

/** The part of the verdict that depends on the document and the operation alone. Worth keeping by document. */
export interface Analysis {
  /** Why the document is refused for everyone. */
  readonly fault: string | undefined;
  readonly aliases: number;
  readonly introspects: boolean;
  readonly cost: Cost;
  /** Defaults of the operation's variables, where they are whole numbers. */
  readonly defaults: ReadonlyMap<string, number>;
}

/** A number, or what becomes one when the variables are known. */
type Cost = number | ((sizeOf: (variable: string) => number) => number);

export interface JudgeOptions {
  readonly variables?: Variables | undefined;
  readonly isService: boolean;
  /** Whether the schema may be asked for. */
  readonly introspection: boolean;
}

export interface AnalyseOptions {
  readonly operationName?: string | undefined;
  /** Root fields that may stand once in an operation: guessing by alias costs one request per guess (OWASP API4:2023). */
  readonly sensitiveFields: ReadonlySet<string>;
}

/**
 * Parses with the token limit. Throws GRAPHQL_PARSE_FAILED with a fixed sentence and the place, never with the
 * parser's own text, which repeats the source.
 */
export function parseDocument(text: string): DocumentNode {
  try {
    return parse(text, { maxTokens: DOCUMENT_LIMITS.tokens });
  } catch (error) {
    // Anything but a syntax error is a parser out of stack, and there is no more to say than that it failed.
    const place = error instanceof GraphQLError ? error.locations?.[0] : undefined;
    if (!(error instanceof GraphQLError) || place === undefined) throw new AppError('GRAPHQL_PARSE_FAILED');
    const { line, column } = place;
    const tooLong = error.message.startsWith('Syntax Error: Document contains more');
    throw new AppError('GRAPHQL_PARSE_FAILED', {
      message: tooLong
        ? `The document has more than ${DOCUMENT_LIMITS.tokens} tokens.`
        : `The document could not be parsed at line ${line}, column ${column}.`,
      extensions: { locations: [{ line, column }] },
    });
  }
}

/** Whether the document may be executed: undefined, or GRAPHQL_VALIDATION_FAILED with a fixed sentence. */
export function checkDocument(document: DocumentNode, options: AnalyseOptions & JudgeOptions): AppError | undefined {
  return judge(analyseDocument(document, options), options);
}

/**
 * Measures the operation that would be executed, and for what validation will compare, every other one too. Safe on
 * documents that have not been validated: circles and unknown fragments included. Never throws.
 */
export function analyseDocument(document: DocumentNode, { operationName, sensitiveFields }: AnalyseOptions): Analysis {
  const nothing = { aliases: 0, introspects: false, cost: 0, defaults: new Map<string, number>() };
  try {
    const operation = findOperation(document, operationName);
    const ruler = createRuler(document);
    for (const definition of document.definitions) {
      if (definition.kind === Kind.OPERATION_DEFINITION || definition.kind === Kind.FRAGMENT_DEFINITION) {
        ruler.measure(definition.selectionSet);
      }
    }
    requireAtMost(ruler.spreads(), DOCUMENT_LIMITS.spreads, 'fragment spreads in the document');
    return analyseOperation(operation, { ruler, sensitiveFields });
  } catch (error) {
    if (error instanceof Fault) return { ...nothing, fault: error.message };
    if (error instanceof RangeError) return { ...nothing, fault: 'The document is nested too deeply.' };
    throw error;
  }
}

/** The verdict on an analysed document for this caller and these variables. */
export function judge(analysis: Analysis, { variables, isService, introspection }: JudgeOptions): AppError | undefined {
  if (analysis.fault !== undefined) return refuse(analysis.fault);
  if (analysis.introspects && !introspection) return refuse('The schema may not be asked for here.');
  const aliases = isService ? DOCUMENT_LIMITS.serviceAliases : DOCUMENT_LIMITS.aliases;
  if (analysis.aliases > aliases) return refuse(tooMany('aliases', aliases));
  const { cost, defaults } = analysis;
  // A variable that is given as null is not its default: the field then takes its own.
  const given = variables ?? {};
  const objects = evaluate(cost, (name) => pageSize(Object.hasOwn(given, name) ? given[name] : defaults.get(name)));
  return objects > DOCUMENT_LIMITS.cost
    ? refuse(tooMany('objects (page sizes multiply)', DOCUMENT_LIMITS.cost))
    : undefined;
}

class Fault extends Error {}

function refuse(message: string): AppError {
  return new AppError('GRAPHQL_VALIDATION_FAILED', { message });
}

function tooMany(what: string, limit: number): string {
  return `The document asks for too much: at most ${limit} ${what}.`;
}

function requireAtMost(count: number, limit: number, what: string): void {
  if (count > limit) throw new Fault(tooMany(what, limit));
}

function findOperation(document: DocumentNode, name: string | undefined): OperationDefinitionNode {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const chosen = name === undefined ? operations : operations.filter((operation) => operation.name?.value === name);
  const [operation] = chosen;
  if (operation === undefined || chosen.length > 1)
    throw new Fault('The document must hold exactly one operation of the name asked for.');
  return operation;
}

function analyseOperation(
  operation: OperationDefinitionNode,
  { ruler, sensitiveFields }: { ruler: Ruler; sensitiveFields: ReadonlySet<string> },
): Analysis {
  const whole = ruler.measure(operation.selectionSet);
  const variables = operation.variableDefinitions ?? [];
  const onVariables = variables.reduce((sum, { directives }) => sum + count(directives), 0);
  requireAtMost(whole.width, DOCUMENT_LIMITS.rootFields, 'root fields');
  requireAtMost(whole.directives + count(operation.directives) + onVariables, DOCUMENT_LIMITS.directives, 'directives');

  const seen = new Set<string>();
  let introspects = false;
  for (const field of ruler.rootFields(operation.selectionSet)) {
    const name = field.name.value;
    const { depth, lists } = ruler.measureField(field);
    // Only the field's real name counts: an alias or an operation called __schema is judged like any other.
    if (name === '__schema' || name === '__type') {
      introspects = true;
      requireAtMost(depth, DOCUMENT_LIMITS.introspectionDepth, 'levels of introspection');
      requireAtMost(lists, DOCUMENT_LIMITS.introspectionLists, 'lists of types inside each other');
    } else {
      requireAtMost(depth, DOCUMENT_LIMITS.depth, 'levels of fields');
    }
    if (sensitiveFields.has(name) && seen.has(name))
      throw new Fault(`The field ${name} may stand once in an operation.`);
    seen.add(name);
  }

  const defaults = new Map<string, number>();
  for (const { variable, defaultValue } of variables) {
    if (defaultValue?.kind === Kind.INT) defaults.set(variable.name.value, Number(defaultValue.value));
  }
  return { fault: undefined, aliases: whole.aliases, introspects, cost: whole.cost, defaults };
}

/** What a set of selections, or one field with all that is below it, amounts to after flattening. */
interface Measure {
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
  /** Fields directly in the set. */
  readonly width: number;
  /** Fields in the set and below. */
  readonly fields: number;
  readonly cost: Cost;
  /** Longest chain of introspection's lists of types. */
  readonly lists: number;
  /** Whether the set asks for the items of a connection. */
  readonly isPage: boolean;
}

const EMPTY: Measure = { depth: 0, aliases: 0, directives: 0, width: 0, fields: 0, cost: 0, lists: 0, isPage: false };

interface Ruler {
  measure(selections: SelectionSetNode): Measure;
  measureField(field: FieldNode): Measure;
  /** The root's fields with fragments put in place. Call it only when `measure` says that they are few. */
  rootFields(selections: SelectionSetNode): FieldNode[];
  /** Spreads met so far, each fragment looked into once. */
  spreads(): number;
}

/** Measures the sets of one document. Each set is looked at once, so five hundred nested fragments cost five hundred steps. */
function createRuler(document: DocumentNode): Ruler {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<SelectionSetNode, Measure>();
  const entered = new Set<SelectionSetNode>();
  let spreads = 0;

  function measure(selections: SelectionSetNode): Measure {
    const before = known.get(selections);
    if (before !== undefined) return before;
    if (entered.has(selections)) throw new Fault('A fragment contains itself.');
    if (entered.size >= DOCUMENT_LIMITS.nesting) throw new Fault('The document is nested too deeply.');
    entered.add(selections);
    const sum = selections.selections.map(measureSelection).reduce(add, EMPTY);
    entered.delete(selections);
    requireAtMost(sum.width, DOCUMENT_LIMITS.fieldsOfSet, 'fields side by side');
    requireAtMost(sum.fields, DOCUMENT_LIMITS.fields, 'fields');
    known.set(selections, sum);
    return sum;
  }

  function measureSelection(selection: SelectionSetNode['selections'][number]): Measure {
    if (selection.kind === Kind.FIELD) return measureField(selection);
    if (selection.kind === Kind.INLINE_FRAGMENT)
      return withDirectives(measure(selection.selectionSet), count(selection.directives));
    spreads += 1;
    const fragment = fragments.get(selection.name.value);
    if (fragment === undefined) throw new Fault('The document lacks a fragment that it uses.');
    return withDirectives(measure(fragment.selectionSet), count(selection.directives) + count(fragment.directives));
  }

  function measureField(field: FieldNode): Measure {
    const below = field.selectionSet === undefined ? EMPTY : measure(field.selectionSet);
    const name = field.name.value;
    return {
      depth: below.depth + 1,
      aliases: below.aliases + (field.alias === undefined ? 0 : 1),
      directives: below.directives + count(field.directives),
      width: 1,
      fields: below.fields + 1,
      cost: field.selectionSet === undefined ? 0 : costOf(field, below),
      lists: below.lists + (TYPE_LISTS.has(name) ? 1 : 0),
      isPage: name === 'nodes' || name === 'edges',
    };
  }

  function rootFields(selections: SelectionSetNode): FieldNode[] {
    return selections.selections.flatMap((selection) => {
      if (selection.kind === Kind.FIELD) return [selection];
      const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      return inner === undefined ? [] : rootFields(inner.selectionSet);
    });
  }

  return { measure, measureField, rootFields, spreads: () => spreads };
}

/** The lists of `__Type` and `__Schema` through which introspection can go in circles. */
const TYPE_LISTS: ReadonlySet<string> = new Set(['fields', 'interfaces', 'possibleTypes', 'inputFields']);

function add(a: Measure, b: Measure): Measure {
  return {
    depth: Math.max(a.depth, b.depth),
    aliases: a.aliases + b.aliases,
    directives: a.directives + b.directives,
    width: a.width + b.width,
    fields: a.fields + b.fields,
    cost: addCosts(a.cost, b.cost),
    lists: Math.max(a.lists, b.lists),
    isPage: a.isPage || b.isPage,
  };
}

function withDirectives(measure: Measure, directives: number): Measure {
  return directives === 0 ? measure : { ...measure, directives: measure.directives + directives };
}

function count(directives: readonly unknown[] | undefined): number {
  return directives?.length ?? 0;
}

/** One object, and as many times what is below it as the page has items. */
function costOf(field: FieldNode, below: Measure): Cost {
  // A list of types is as long as the schema, which the caller does not choose.
  if (field.name.value.startsWith('__')) return 1;
  const size = field.arguments?.find(({ name }) => name.value === 'first')?.value;
  const inner = below.cost;
  if (size?.kind === Kind.VARIABLE) {
    const variable = size.name.value;
    return (sizeOf) => 1 + sizeOf(variable) * evaluate(inner, sizeOf);
  }
  const items = size !== undefined || below.isPage ? pageSize(literal(size)) : 1;
  return typeof inner === 'number' ? 1 + items * inner : (sizeOf) => 1 + items * evaluate(inner, sizeOf);
}

function addCosts(a: Cost, b: Cost): Cost {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  return (sizeOf) => evaluate(a, sizeOf) + evaluate(b, sizeOf);
}

function evaluate(cost: Cost, sizeOf: (variable: string) => number): number {
  return typeof cost === 'number' ? cost : cost(sizeOf);
}

function literal(value: ValueNode | undefined): unknown {
  return value?.kind === Kind.INT ? Number(value.value) : undefined;
}

/** What is no number is refused or replaced by the default later; below one there is nothing to gain. */
function pageSize(value: unknown): number {
  return typeof value === 'number' && !Number.isNaN(value) ? Math.max(1, value) : DOCUMENT_LIMITS.pageSize;
}
