import fc from 'fast-check';
import { getIntrospectionQuery } from 'graphql';
import { describe, expect, test } from 'vitest';
import {
  analyseDocument,
  checkDocument,
  DOCUMENT_LIMITS,
  type JudgeOptions,
  judge,
  parseDocument,
} from '../../src/api/document-limits.js';
import { AppError } from '../../src/core/errors.js';

const SENSITIVE = new Set(['login', 'useCredits']);

interface Asked extends Partial<JudgeOptions> {
  operationName?: string;
}

/** The sentence of the refusal, or undefined. */
function refusalOf(text: string, asked: Asked = {}): string | undefined {
  const options = { isService: false, introspection: true, sensitiveFields: SENSITIVE, ...asked };
  const refusal = checkDocument(parseDocument(text), options);
  if (refusal) expect(refusal.code).toBe('GRAPHQL_VALIDATION_FAILED');
  return refusal?.message;
}

const times = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => text(index)).join(' ');
const nested = (depth: number) => `${times(depth - 1, () => 'a {')} a ${'}'.repeat(depth - 1)}`;

describe('parseDocument', () => {
  function failureOf(text: string): AppError {
    try {
      parseDocument(text);
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
    throw new Error('parsed');
  }

  test('says where a document fails, in words of our own', () => {
    const failure = failureOf('{ me {\n  s3cret! } }');
    expect(failure).toMatchObject({
      code: 'GRAPHQL_PARSE_FAILED',
      message: 'The document could not be parsed at line 2, column 9.',
    });
    expect(failure.extensions).toEqual({ locations: [{ line: 2, column: 9 }] });
  });

  test('never repeats the source, whatever is wrong with it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const failure = failureOf(`{ "secret42 ${text}`);
        expect(`${failure.message} ${JSON.stringify(failure.extensions)}`).not.toContain('secret42');
      }),
    );
  });

  test('takes 2,000 tokens and no more', () => {
    expect(() => parseDocument(`{ ${'a '.repeat(1_998)}}`)).not.toThrow();
    expect(failureOf(`{ ${'a '.repeat(1_999)}}`).message).toBe('The document has more than 2000 tokens.');
  });

  test.each([
    ['braces', '{a'.repeat(5_000)],
    ['brackets', `{ a(b: ${'['.repeat(500_000)}`],
    ['objects', `{ a(b: ${'{c:'.repeat(500_000)}`],
    ['types', `query(${'$a:['.repeat(100_000)}`],
    ['nothing', ''],
    ['NUL', '\0'],
    ['lone surrogates', '\ud800'],
  ])('refuses %s without running out of stack', (_, text) => {
    expect(failureOf(text).code).toBe('GRAPHQL_PARSE_FAILED');
  });
});

describe('depth', () => {
  test('is ten fields below each other and no more', () => {
    expect(refusalOf(`{ ${nested(10)} }`)).toBeUndefined();
    expect(refusalOf(`{ ${nested(11)} }`)).toContain('at most 10 levels');
  });

  test('is counted through fragments, named or not', () => {
    const through = (depth: number) =>
      `{ a { ...F } } fragment F on Q { ... on Q { ...G } } fragment G on Q { ${nested(depth)} }`;
    expect(refusalOf(through(9))).toBeUndefined();
    expect(refusalOf(through(10))).toContain('levels');
  });

  test('does not care what the operation or an alias is called', () => {
    expect(refusalOf(`query IntrospectionQuery { ${nested(11)} }`)).toContain('levels');
    expect(refusalOf(`query __schema { __schema: ${nested(11)} }`)).toContain('levels');
    expect(refusalOf(`{ a { __schema { ${nested(9)} } } }`)).toContain('levels');
  });
});

describe('aliases', () => {
  const aliased = (count: number) => `{ ${times(count, (index) => `x${index}: validateToken(token: "${index}")`)} }`;

  test('are fifteen, twenty for a service', () => {
    expect(refusalOf(aliased(15))).toBeUndefined();
    expect(refusalOf(aliased(16))).toContain('at most 15 aliases');
    expect(refusalOf(aliased(20), { isService: true })).toBeUndefined();
    expect(refusalOf(aliased(21), { isService: true })).toBeDefined();
  });

  test('count each time their fragment is put in', () => {
    const reused = (spreads: number) => `{ ${times(spreads, () => 'a { ...F }')} } fragment F on Q { x: b y: c z: d }`;
    expect(refusalOf(reused(5))).toBeUndefined();
    expect(refusalOf(reused(6))).toContain('aliases');
  });
});

describe('root fields and directives', () => {
  test('twenty root fields, also through fragments', () => {
    expect(refusalOf(`{ ${times(20, () => 'a')} }`)).toBeUndefined();
    expect(refusalOf(`{ ${times(21, () => 'a')} }`)).toContain('at most 20 root fields');
    expect(refusalOf(`{ ...F ...F } fragment F on Q { ${times(11, () => 'a')} }`)).toContain('root fields');
  });

  test('ten directives, wherever they stand', () => {
    const spread = (count: number) =>
      `query Q($v: Int @d) @d { a @d ...F @d ... on Q @d { b } } fragment F on Q @d { c ${times(count, () => '@d')} }`;
    expect(refusalOf(spread(4))).toBeUndefined();
    expect(refusalOf(spread(5))).toContain('at most 10 directives');
  });
});

describe('sensitive fields', () => {
  test('stand once in an operation, however they are repeated', () => {
    expect(refusalOf('mutation { login useCredits }')).toBeUndefined();
    expect(refusalOf('mutation { a: login b: login }')).toBe('The field login may stand once in an operation.');
    expect(refusalOf('mutation { login ...F } fragment F on M { ... { x: login } }')).toContain('login');
    expect(refusalOf('mutation { ...F ...F } fragment F on M { useCredits }')).toContain('useCredits');
    expect(refusalOf('mutation { a: login b: login }', { isService: true })).toContain('login');
  });

  test('are root fields: a field of an object may share the name', () => {
    expect(refusalOf('mutation { a: register { login } b: register { login } }')).toBeUndefined();
  });
});

describe('cost', () => {
  const lists = (outer: string, inner: string) => `{ users${outer} { nodes { sessions${inner} { nodes { id } } } } }`;

  test('multiplies the page sizes asked for', () => {
    expect(refusalOf(lists('(first: 100)', '(first: 90)'))).toBeUndefined();
    expect(refusalOf(lists('(first: 100)', '(first: 100)'))).toContain('at most 10000 objects');
    expect(refusalOf('{ users(first: 1000000000) { nodes { a { id } } } }')).toContain('objects');
    expect(refusalOf('{ users(first: 99999999999999999999999999) { edges { node { id } } } }')).toContain('objects');
  });

  test('takes twenty for a connection that does not say, and for a size that is no number', () => {
    const three = (size: string) =>
      `{ a${size} { nodes { b${size} { edges { node { c${size} { nodes { d${size} { nodes { id } } } } } } } } } }`;
    expect(refusalOf('{ a { nodes { b { edges { node { c { nodes { id } } } } } } } }')).toBeUndefined();
    for (const size of ['', '(first: "1")', '(first: null)', '(first: $n)'])
      expect(refusalOf(three(size))).toContain('objects');
    expect(refusalOf(three('(first: 2)'))).toBeUndefined();
  });

  test('reads sizes from variables, and their defaults only where nothing is given', () => {
    const text = (definition: string) => `query(${definition}) ${lists('(first: $n)', '(first: 100)')}`;
    const given = (variables: JudgeOptions['variables'], definition = '$n: Int') =>
      refusalOf(text(definition), { variables });
    expect(given({ n: 90 })).toBeUndefined();
    expect(given({ n: 100 })).toContain('objects');
    expect(given(undefined)).toBeUndefined();
    expect(given({}, '$n: Int = 100')).toContain('objects');
    expect(given({ n: 1 }, '$n: Int = 100')).toBeUndefined();
    expect(given({ n: Number.POSITIVE_INFINITY })).toContain('objects');
    expect(given({ n: -1e9 })).toBeUndefined();
    expect(given(JSON.parse('{"__proto__": {"n": 1000}}'))).toBeUndefined();
    const nullIsNotTheDefault = `query($n: Int = 1) { a(first: $n) { nodes { b(first: $n) { nodes { c(first: 100) { nodes { id } } } } } } }`;
    expect(refusalOf(nullIsNotTheDefault)).toBeUndefined();
    expect(refusalOf(nullIsNotTheDefault, { variables: { n: null } })).toContain('objects');
  });

  test('knows a connection by its items, through a fragment too', () => {
    const page =
      '{ a { ...F } } fragment F on C { nodes { b { ...G } } } fragment G on C { edges { node { c { ...H } } } }';
    expect(refusalOf(`${page} fragment H on C { nodes { d { id } } }`)).toContain('objects');
    expect(refusalOf(`${page} fragment H on C { plain { d { id } } }`)).toBeUndefined();
  });
});

describe('introspection', () => {
  const full = getIntrospectionQuery({
    schemaDescription: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    inputValueDeprecation: true,
    oneOf: true,
  });

  test('passes as GraphiQL asks it, where it is on', () => {
    expect(refusalOf(full)).toBeUndefined();
    expect(refusalOf('{ __type(name: "User") { fields { name type { name } } } }')).toBeUndefined();
  });

  test('is refused where it is off, whatever it is called; __typename is no introspection', () => {
    expect(refusalOf(full, { introspection: false })).toBe('The schema may not be asked for here.');
    for (const text of [
      '{ me: __schema { types { name } } }',
      '{ ...F } fragment F on Q { a __type(name: "A") { name } }',
    ]) {
      expect(refusalOf(text)).toBeUndefined();
      expect(refusalOf(text, { introspection: false })).toBeDefined();
    }
    expect(refusalOf('query __schema { __schema: me { __typename id } }', { introspection: false })).toBeUndefined();
  });

  test('may not go in circles or down for ever', () => {
    const circle = (rounds: number) =>
      `{ __schema { types { ${times(rounds, () => 'fields { type {')} name ${'} }'.repeat(rounds)} } } }`;
    expect(refusalOf(circle(3))).toBeUndefined();
    expect(refusalOf(circle(4))).toContain('lists of types');
    const down = (levels: number) =>
      `{ __type(name: "A") { ${times(levels, () => 'ofType {')} name ${'}'.repeat(levels)} } }`;
    expect(refusalOf(down(18))).toBeUndefined();
    expect(refusalOf(down(19))).toContain('levels of introspection');
  });

  test('does not excuse the fields beside it', () => {
    expect(refusalOf(`{ __schema { types { name } } ${nested(11)} }`)).toContain('levels of fields');
    expect(refusalOf('mutation { __schema { types { name } } a: login b: login }')).toContain('login');
  });
});

describe('work for validation', () => {
  test('fields side by side, in all and in operations that are not asked for', () => {
    expect(refusalOf(`{ a { ${times(150, () => 'b')} } }`)).toBeUndefined();
    expect(refusalOf(`{ a { ${times(151, () => 'b')} } }`)).toContain('at most 150 fields side by side');
    expect(refusalOf(`query A { a } query B { a { ${times(151, () => 'b')} } }`, { operationName: 'A' })).toContain(
      'side by side',
    );
    expect(refusalOf(`{ a } fragment F on Q { ${times(151, () => 'b')} }`)).toContain('side by side');
    expect(refusalOf(`{ ${times(20, () => `a { ${times(51, () => 'b')} }`)} }`)).toContain('at most 1000 fields');
  });

  test('spreads', () => {
    const spread = (count: number) => `{ a { ${times(count, () => '...F')} } } fragment F on Q { b }`;
    expect(refusalOf(spread(60))).toBeUndefined();
    expect(refusalOf(spread(61))).toContain('at most 60 fragment spreads');
  });
});

describe('hostile fragments', () => {
  test.each([
    ['a circle of one', '{ ...F } fragment F on Q { a { ...F } }'],
    ['a circle of two', '{ ...F } fragment F on Q { ...G } fragment G on Q { ...F }'],
    ['a circle that nobody uses', '{ a } fragment F on Q { ...F }'],
    ['an unknown fragment', '{ ...F }'],
    [
      'an unknown fragment behind many doors',
      `{ ...F0 ...F0 } ${times(28, (index) => `fragment F${index} on Q { ...F${index + 1} ...F${index + 1} }`)}`,
    ],
    ['no operation', 'fragment F on Q { a }'],
    ['a schema', 'type Query { a: Int }'],
  ])('%s is refused', (_, text) => {
    expect(refusalOf(text)).toBeDefined();
  });

  test('two to the power of twenty-nine fields are counted in no time, and refused', () => {
    const doubling = times(29, (index) => `fragment F${index} on Q { a { ...F${index + 1} } b { ...F${index + 1} } }`);
    expect(refusalOf(`{ ...F0 } ${doubling} fragment F29 on Q { a }`)).toBeDefined();
    const flat = times(29, (index) => `fragment F${index} on Q { ...F${index + 1} ...F${index + 1} }`);
    expect(refusalOf(`{ a { ...F0 } } ${flat} fragment F29 on Q { a(first: $n) { nodes { b { c } } } }`)).toBeDefined();
  });

  test('a long chain of fragments and a deep nest of inline ones are refused', () => {
    expect(
      refusalOf(
        `{ ...F0 } ${times(59, (index) => `fragment F${index} on Q { ...F${index + 1} }`)} fragment F59 on Q { a }`,
      ),
    ).toBeUndefined();
    expect(refusalOf(`{ ${times(400, () => '... {')} a ${'}'.repeat(400)} }`)).toBe(
      'The document is nested too deeply.',
    );
  });

  /** Selections as text: with fragments spread by name, and with their contents in the same place. */
  type Twin = readonly [spread: string, inlined: string];
  const set = (twins: readonly Twin[]): Twin => [
    twins.map(([spread]) => spread).join(' '),
    twins.map(([, inlined]) => inlined).join(' '),
  ];

  function selections(fragments: readonly string[]): fc.Arbitrary<Twin> {
    const size = fc.constantFrom('', '(first: 3)', '(first: $n)', '(first: 40)');
    const name = fc.constantFrom('a', 'b', 'nodes', 'edges', '__typename', 'login', '__schema', 'x: a', 'y: b');
    const leaf: fc.Arbitrary<Twin> = name.map((text) => [text, text]);
    const { inner } = fc.letrec<{ inner: Twin; field: Twin; inline: Twin }>((tie) => ({
      field: fc
        .tuple(name, size, tie('inner'))
        .map(([text, argument, [spread, inlined]]) => [
          `${text}${argument} { ${spread} }`,
          `${text}${argument} { ${inlined} }`,
        ]),
      inline: tie('inner').map(([spread, inlined]) => [`... { ${spread} }`, `... { ${inlined} }`]),
      inner: fc
        .array(
          fc.oneof(
            { maxDepth: 4, depthSize: 'small' },
            leaf,
            ...(fragments.length > 0
              ? [
                  fc
                    .nat({ max: fragments.length - 1 })
                    .map((index): Twin => [`...F${index}`, `... { ${fragments[index]} }`]),
                ]
              : []),
            tie('field'),
            tie('inline'),
          ),
          { minLength: 1, maxLength: 4 },
        )
        .map(set),
    }));
    return inner;
  }

  test('a fragment counts exactly as its contents would, in place of each spread', () => {
    const documents = selections([]).chain(([first]) =>
      selections([first]).chain(([spreadSecond, second]) =>
        selections([first, second]).map(([spread, inlined]) => ({
          spread: `{ ${spread} } fragment F0 on Q { ${first} } fragment F1 on Q { ${spreadSecond} }`,
          inlined: `{ ${inlined} }`,
        })),
      ),
    );
    fc.assert(
      fc.property(
        documents,
        fc.record({ n: fc.integer({ min: 0, max: 50 }) }),
        fc.boolean(),
        ({ spread, inlined }, variables, isService) => {
          fc.pre(inlined.length < 3_000);
          expect(refusalOf(spread, { variables, isService })).toBe(refusalOf(inlined, { variables, isService }));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the operation', () => {
  const two = `query Good { a } query Bad { ${nested(11)} }`;

  test('is the one asked for', () => {
    expect(refusalOf(two, { operationName: 'Good' })).toBeUndefined();
    expect(refusalOf(two, { operationName: 'Bad' })).toContain('levels');
  });

  test('must be named when there are several, and must exist', () => {
    for (const operationName of [undefined, 'Ugly', '']) {
      expect(refusalOf(two, operationName === undefined ? {} : { operationName })).toContain('exactly one operation');
    }
    expect(refusalOf('query A { a } query A { b }', { operationName: 'A' })).toContain('exactly one operation');
  });

  test('is analysed once and judged for each caller', () => {
    const text = `query($n: Int) { ${times(16, (index) => `x${index}: users(first: $n) { nodes { id { a } } }`)} }`;
    const analysis = analyseDocument(parseDocument(text), { sensitiveFields: SENSITIVE });
    const verdict = (isService: boolean, n: number) =>
      judge(analysis, { isService, introspection: false, variables: { n } })?.message;
    expect(verdict(true, 10)).toBeUndefined();
    expect(verdict(false, 10)).toContain('aliases');
    expect(verdict(true, 1_000)).toContain('objects');
    expect(verdict(true, 10)).toBeUndefined();
    expect(DOCUMENT_LIMITS.serviceAliases).toBe(20);
  });
});
