// A document that Apollo has validated once is executed by the direct lane afterwards. These tests send each document
// twice on equal state and compare what comes back: status, headers and every byte of the body, but for the request's
// id, the date, and what is random by design.
import { ApolloServer } from '@apollo/server';
import type { LightMyRequestResponse } from 'fastify';
import { type GraphQLSchema, getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSchema } from '../../src/api/schema.js';
import { createLimiter } from '../../src/core/limiter.js';
import { documentFor } from '../support/documents.js';
import { createHarness, type Harness, PASSWORD, type Person } from '../support/harness.js';

let h: Harness;
let person: Person;
let unverified: Person;
let admin: { token: string };
let service: { key: string };

const apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest');

beforeAll(async () => {
  h = await createHarness({
    config: { server: { corsOrigins: ['https://app.example.com'] } },
    // Windows that do not move, so that both lanes are told the same time to wait.
    overrides: { limiter: createLimiter({ redisUrl: undefined, now: () => 0 }) },
  });
  h.clock.freeze();
  person = await h.person();
  unverified = await h.person({ verified: false });
  admin = await h.admin(['users:read', 'users:write', 'billing:read', 'admins:manage', 'services:manage']);
  service = await h.service([
    'tokens:validate',
    'credits:read',
    'credits:use',
    'credits:grant',
    'usage:read',
    'users:read',
  ]);
  await h.graphql(`mutation($input: AddCreditsInput!) { addCredits(input: $input) { replayed } }`, {
    serviceKey: service.key,
    variables: { input: { userId: person.id, amount: 1_000, idempotencyKey: 'start' } },
  });
});
afterAll(() => h.close());
beforeEach(() => {
  apollo.mockClear();
});

type Caller = 'anonymous' | 'person' | 'unverified' | 'admin' | 'service' | 'junk';

interface Case {
  readonly name: string;
  /** The body, made for each sending; a string is sent as it is. */
  readonly body: () => unknown;
  readonly as?: Caller;
  readonly headers?: Record<string, string>;
}

const credentials: Record<Caller, () => Record<string, string>> = {
  anonymous: () => ({}),
  person: () => ({ authorization: `Bearer ${person.token}` }),
  unverified: () => ({ authorization: `Bearer ${unverified.token}` }),
  admin: () => ({ authorization: `Bearer ${admin.token}` }),
  service: () => ({ 'x-api-key': service.key }),
  junk: () => ({ authorization: 'Bearer junk' }),
};

function send({ as = 'anonymous', body, headers }: Case): Promise<LightMyRequestResponse> {
  const payload = body();
  return h.fastify.inject({
    method: 'POST',
    url: '/graphql',
    headers: { 'content-type': 'application/json', ...credentials[as](), ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
}

interface Seen {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** What a client can tell, without what is different each time. */
function seen(response: LightMyRequestResponse): Seen {
  const { date, 'x-request-id': requestId, ...headers } = response.headers;
  return { status: response.statusCode, headers, body: response.body.replaceAll(String(requestId), 'REQUEST') };
}

/** The same document, first through Apollo, then (it is known now) not: both answers. */
async function bothLanes(one: Case): Promise<[throughApollo: Seen, direct: Seen]> {
  apollo.mockClear();
  const first = await send(one);
  expect(apollo, 'the first time goes through Apollo').toHaveBeenCalledTimes(1);
  const second = await send(one);
  expect(apollo, 'the second time does not').toHaveBeenCalledTimes(1);
  return [seen(first), seen(second)];
}

const q = (query: string, variables?: Record<string, unknown>, operationName?: unknown) => () => ({
  query,
  ...(variables && { variables }),
  ...(operationName !== undefined && { operationName }),
});

const USER = 'id username email emailVerified displayName locale timeZone avatarUrl status createdAt lastLoginAt';
const VALIDATE = `valid code kind expiresAt scopes sessionId user { id username email emailVerified } admin { id } plan { code }
  limits { conversations { limit used remaining resetsAt } }`;
const USE = `mutation Use($input: UseCreditsInput!) { useCredits(input: $input) { transaction { kind amount description createdAt } replayed } }`;
const twenty = (use: (index: number) => string) => Array.from({ length: 20 }, (_, index) => use(index)).join(' ');
const UNKNOWN = '0198c2d4-7d5c-7000-8000-000000000001';
let keys = 0;
function nextKey(): string {
  keys += 1;
  return `lane-${keys}`;
}

const QUERIES: readonly Case[] = [
  { name: 'a plain query', as: 'person', body: q(`{ me { ${USER} } }`) },
  { name: 'a public query', body: q('{ serviceInfo { name version } passwordPolicy { minLength maxLength } }') },
  {
    name: 'aliases and __typename',
    as: 'person',
    body: q('{ a: me { b: id __typename } c: me { d: username } __typename }'),
  },
  {
    name: 'a fragment spread twice',
    as: 'person',
    body: q('query { me { ...F } again: me { ...F } } fragment F on User { id ...G } fragment G on User { email }'),
  },
  {
    name: 'an inline fragment with a type and one without',
    as: 'person',
    body: q('{ me { ... on User { id } ... { username } } }'),
  },
  { name: 'fields that merge', as: 'person', body: q('{ me { id } me { username } ... { me { email } } }') },
  {
    name: 'skip and include by literal',
    as: 'person',
    body: q('{ me { id @skip(if: true) username @include(if: true) email @include(if: false) } }'),
  },
  {
    name: 'skip and include by variable',
    as: 'person',
    body: q('query($a: Boolean!, $b: Boolean = true) { me { id @skip(if: $a) username @include(if: $b) } }', {
      a: false,
    }),
  },
  { name: 'everything skipped', as: 'person', body: q('{ me @skip(if: true) { id } }') },
  {
    name: 'nested connections with cursors and counts',
    as: 'person',
    body: q(
      'query($n: Int) { me { sessions(first: $n) { nodes { id current ip createdAt } edges { cursor node { id } } pageInfo { hasNextPage endCursor } totalCount } creditAccount { balance transactions { nodes { kind amount balanceAfter metadata } totalCount } } } }',
      { n: 5 },
    ),
  },
  {
    name: 'usage and history',
    as: 'person',
    body: q(
      '{ me { usage { conversations { limit used remaining resetsAt } } securityHistory(first: 3) { nodes { action occurredAt ip } } plan { code } } }',
    ),
  },
  {
    name: 'a session of an unverified person',
    as: 'unverified',
    body: q('{ currentSession { current method user { emailVerified } } }'),
  },
  {
    name: 'operators and a filter',
    as: 'admin',
    body: q(
      'query($f: UserFilter) { users(first: 10, filter: $f) { nodes { id username status } totalCount pageInfo { hasPreviousPage } } }',
      { f: { search: 'person' } },
    ),
  },
  {
    name: 'one user by an operator, with what is beneath',
    as: 'admin',
    body: () => ({
      query:
        'query($id: ID!) { user(id: $id) { id sessions { totalCount } apiKeys { nodes { name } } hasRecoveryPhrase } }',
      variables: { id: person.id },
    }),
  },
  {
    name: 'validateToken, good',
    as: 'service',
    body: () => ({
      query: `query($t: String!) { validateToken(token: $t) { ${VALIDATE} } }`,
      variables: { t: person.token },
    }),
  },
  {
    name: 'validateToken, junk',
    as: 'service',
    body: q(`query Junk($t: String!) { validateToken(token: $t) { ${VALIDATE} } }`, { t: 'junk' }),
  },
  {
    name: 'validateToken, an admin’s',
    as: 'service',
    body: () => ({
      query: `query A($t: String!) { validateToken(token: $t) { ${VALIDATE} } }`,
      variables: { t: admin.token },
    }),
  },
  {
    name: 'validateToken with a literal and a list',
    as: 'service',
    body: q('{ validateToken(token: "crd_key_junk", scopes: ["a", "b"]) { valid code } }'),
  },
  {
    name: 'a single value where a list is meant',
    as: 'service',
    body: q('{ validateToken(token: "x", scopes: "a") { code } }'),
  },
  {
    name: 'twenty aliased validateToken',
    as: 'service',
    body: () => ({
      query: `query($t: String!) { ${twenty((index) => `t${index}: validateToken(token: $t) { valid code user { id } }`)} }`,
      variables: { t: person.token },
    }),
  },
  {
    name: 'an anonymous object',
    as: 'service',
    body: q('query($e: EmailAddress!) { userByEmail(email: $e) { id } }', { e: 'nobody@example.com' }),
  },
  {
    name: 'block strings, comments and unicode',
    as: 'service',
    body: q('# a comment\nquery { validateToken(token: """\n  two\n  lines ☃\n""") { code } }'),
  },
];

const REFUSED: readonly Case[] = [
  { name: 'no credential', body: q('{ me { id } }') },
  { name: 'a junk credential', as: 'junk', body: q('{ me { username } }') },
  { name: 'an unverified person', as: 'unverified', body: q('{ me { id email } }') },
  { name: 'the wrong kind of caller', as: 'service', body: q('{ me { id emailVerified } }') },
  { name: 'a permission that is not held', as: 'person', body: q('{ ledgerHealth { __typename } }') },
  {
    name: 'data beside errors: partial answers keep 200',
    as: 'person',
    body: q('{ me { id } creditBalance(userId: "x") { balance } serviceInfo { name } }'),
  },
  {
    name: 'a nullable field refused beside data',
    as: 'service',
    body: q('{ userByEmail(email: "nobody@example.com") { id } validateToken(token: "x") { code } adminMe { id } }'),
  },
  { name: 'several errors, in order', body: q('{ a: me { id } b: me { id } c: adminMe { id } serviceInfo { name } }') },
  {
    name: 'more errors than are told',
    body: q(
      `{ ${'abcdefghi'
        .split('')
        .map((name) => `${name}: me { id }`)
        .join(' ')} }`,
    ),
  },
  { name: 'not found', as: 'admin', body: q('query($id: ID!) { user(id: $id) { id } }', { id: UNKNOWN }) },
  {
    name: 'an id that is none',
    as: 'service',
    body: q('query($id: ID!) { creditBalance(userId: $id) { balance } }', { id: 'none' }),
  },
  {
    name: 'a cursor that is none',
    as: 'admin',
    body: q('query($c: String) { users(first: 2, after: $c) { totalCount } }', { c: '!!' }),
  },
  {
    name: 'a page that is too large',
    as: 'admin',
    body: q('query($n: Int) { users(first: $n) { totalCount } }', { n: 101 }),
  },
  {
    name: 'text that cannot be kept',
    as: 'service',
    body: q('query($t: String!) { validateToken(token: $t) { code kind } }', { t: 'a\0b' }),
  },
  {
    name: 'text that is not Unicode',
    as: 'service',
    body: () =>
      '{"query":"query($t: String!) { validateToken(token: $t) { code valid } }","variables":{"t":"\\ud800"}}',
  },
  {
    name: 'a wrong password',
    body: q('mutation($i: LoginInput!) { login(input: $i) { __typename } }', {
      i: { identifier: 'nobody', password: 'x' },
    }),
  },
  { name: 'a token that is none, in a mutation', body: q('mutation { verifyEmail(token: "x") { user { id } } }') },
  {
    name: 'a weak password',
    body: q('mutation($i: RegisterInput!) { register(input: $i) { user { id } } }', {
      i: { username: 'lane', email: 'lane@example.com', password: 'short' },
    }),
  },
  {
    name: 'a taken name',
    body: () => ({
      query: 'mutation($i: RegisterInput!) { register(input: $i) { accessToken } }',
      variables: { i: { username: person.username, email: 'else@example.com', password: PASSWORD } },
    }),
  },
  {
    name: 'not enough credits, with particulars',
    as: 'service',
    body: () => ({
      query: USE.replace('Use', 'Poor'),
      variables: { input: { userId: person.id, amount: 999_999, idempotencyKey: nextKey() } },
    }),
  },
  {
    name: 'several mutations, one of them refused',
    as: 'service',
    body: () => ({
      query: `mutation($a: UseCreditsInput!, $h: ID!) { useCredits(input: $a) { replayed } releaseCredits(input: { holdId: $h, idempotencyKey: "r" }) { replayed } }`,
      variables: { a: { userId: person.id, amount: 1, idempotencyKey: nextKey() }, h: UNKNOWN },
    }),
  },
];

const MUTATIONS: readonly Case[] = [
  {
    name: 'a spend',
    as: 'service',
    body: () => ({
      query: USE,
      variables: { input: { userId: person.id, amount: 1, description: 'chat', idempotencyKey: nextKey() } },
    }),
  },
  {
    name: 'metadata as JSON, by variable',
    as: 'service',
    body: () => ({
      query: USE.replace('Use', 'Meta'),
      variables: {
        input: { userId: person.id, amount: 1, metadata: { a: [1, { b: null }] }, idempotencyKey: nextKey() },
      },
    }),
  },
  {
    name: 'an object literal around a variable',
    as: 'service',
    body: () => ({
      query:
        'mutation($k: String!, $u: ID!) { useCredits(input: { userId: $u, amount: 2, metadata: { deep: { k: $k } }, idempotencyKey: $k }) { transaction { amount metadata } } }'.replace(
          'metadata } }',
          'amount } }',
        ),
      variables: { u: person.id, k: nextKey() },
    }),
  },
  {
    name: 'null for an input field that may be null',
    as: 'service',
    body: () => ({
      query: USE.replace('Use', 'Nulls'),
      variables: {
        input: { userId: person.id, amount: 1, description: null, referenceType: null, idempotencyKey: nextKey() },
      },
    }),
  },
  {
    name: 'the two results of a union',
    body: () => ({
      query:
        'mutation($i: LoginInput!) { login(input: $i) { __typename ... on AuthPayload { accessTokenExpiresAt user { id username } } ... on SecondFactorRequired { methods } } }',
      variables: { i: { identifier: person.username, password: PASSWORD } },
    }),
  },
  {
    name: 'the same answer for every address',
    body: q('mutation { resendVerificationEmail(email: "nobody@example.com") { ok } }'),
  },
];

const VARIABLES: readonly Case[] = [
  ['missing', {}],
  ['null', { t: null }],
  ['a number', { t: 5 }],
  ['an object', { t: { a: 1 } }],
  ['a list', { t: ['x'] }],
].map(([name, variables]) => ({
  name: `a required text: ${name}`,
  as: 'service',
  body: q(
    `query V${String(name).replaceAll(' ', '')}($t: String!) { validateToken(token: $t) { code } }`,
    variables as Record<string, unknown>,
  ),
}));

const MORE_VARIABLES: readonly Case[] = [
  {
    name: 'no variables at all',
    as: 'service',
    body: () => ({ query: 'query Bare($t: String!) { validateToken(token: $t) { code } }' }),
  },
  {
    name: 'variables null',
    as: 'service',
    body: () => ({
      query: 'query N($t: String) { validateToken(token: "x") { code } serviceInfo { name } } '.replace(
        '($t: String)',
        '',
      ),
      variables: null,
    }),
  },
  { name: 'one that nobody asked for', as: 'person', body: q('query Extra { me { id } }', { surplus: 1 }) },
  {
    name: 'a default that is used, and one that is not',
    as: 'service',
    body: q('query D($t: String! = "x", $s: [String!] = ["a"]) { validateToken(token: $t, scopes: $s) { code } }', {
      s: null,
    }),
  },
  {
    name: 'null where the field has a default',
    as: 'admin',
    body: q('query NullDefault($n: Int) { users(first: $n) { totalCount } }', { n: null }),
  },
  {
    name: 'nothing where the field has a default',
    as: 'admin',
    body: q('query NoDefault($n: Int) { users(first: $n) { totalCount } }'),
  },
  {
    name: 'a number that is no Int',
    as: 'admin',
    body: q('query Big($n: Int) { users(first: $n) { totalCount } }', { n: 3_000_000_000 }),
  },
  {
    name: 'a number that is no whole one',
    as: 'admin',
    body: q('query Half($n: Int) { users(first: $n) { totalCount } }', { n: 1.5 }),
  },
  {
    name: 'a text for a number',
    as: 'admin',
    body: q('query Text($n: Int) { users(first: $n) { totalCount } }', { n: '5' }),
  },
  {
    name: 'an address that is none',
    as: 'service',
    body: q('query Mail($e: EmailAddress!) { userByEmail(email: $e) { id } }', { e: 'not an address' }),
  },
  {
    name: 'an enum value that is none',
    as: 'anonymous',
    body: q('mutation E($a: AccountKind) { requestPasswordReset(email: "nobody@example.com", account: $a) { ok } }', {
      a: 'NOBODY',
    }),
  },
  {
    name: 'an input object with a field too many',
    as: 'service',
    body: q('mutation I($i: UseCreditsInput!) { useCredits(input: $i) { replayed } }', {
      i: { userId: 'x', amount: 1, idempotencyKey: 'k', more: 1 },
    }),
  },
  {
    name: 'an input object with several faults',
    as: 'service',
    body: q('mutation J($i: UseCreditsInput!) { useCredits(input: $i) { replayed } }', {
      i: { amount: 'x', metadata: 5 },
    }),
  },
  {
    name: 'a scalar for an input object',
    as: 'service',
    body: q('mutation K($i: UseCreditsInput!) { useCredits(input: $i) { replayed } }', { i: 'x' }),
  },
  {
    name: 'a number as an id',
    as: 'service',
    body: q('query Id($i: ID!) { creditBalance(userId: $i) { balance } }', { i: 5 }),
  },
  {
    name: 'names from the prototype',
    as: 'service',
    body: q(
      'query P($toString: String!, $constructor: String) { validateToken(token: $toString, ip: $constructor) { code } }',
      { toString: 'x' },
    ),
  },
];

const OPERATIONS: readonly Case[] = [
  {
    name: 'one of several, by name',
    as: 'person',
    body: q('query A { me { id } } query B { me { username } } mutation C { logout { ok } }', undefined, 'B'),
  },
  { name: 'the only one, by name', as: 'person', body: q('query Only { me { id } }', undefined, 'Only') },
  { name: 'the only one, by an empty name', as: 'person', body: q('query Empty { me { id } }', undefined, '') },
  {
    name: 'the only one, by null',
    as: 'person',
    body: () => ({ query: 'query Null { me { id } }', operationName: null }),
  },
  {
    name: 'extensions beside it',
    as: 'person',
    body: () => ({ query: 'query Ext { me { id } }', extensions: { a: 1 } }),
  },
];

const INTROSPECTION: readonly Case[] = [
  { name: '__typename of the root', body: q('{ __typename }') },
  { name: 'one type', body: q('{ __type(name: "User") { name kind fields { name type { name ofType { name } } } } }') },
  { name: 'a type that is none', body: q('query($n: String!) { __type(name: $n) { name } }', { n: 'Nobody' }) },
  { name: 'the whole schema', body: q(getIntrospectionQuery()) },
];

const HEADERS: readonly Case[] = [
  {
    name: 'a listed origin',
    as: 'person',
    headers: { origin: 'https://app.example.com' },
    body: q('query Listed { me { id } }'),
  },
  {
    name: 'another origin',
    as: 'person',
    headers: { origin: 'https://evil.example.com' },
    body: q('query Unlisted { me { id } }'),
  },
  {
    name: 'accept: application/json',
    as: 'person',
    headers: { accept: 'application/json' },
    body: q('query Accept { me { id } }'),
  },
  {
    name: 'a charset',
    as: 'person',
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: q('query Charset { me { id } }'),
  },
  { name: 'a cookie', as: 'person', headers: { cookie: 'a=b' }, body: q('query Cookie { me { id } }') },
];

const ALL = [
  ...QUERIES,
  ...REFUSED,
  ...MUTATIONS,
  ...VARIABLES,
  ...MORE_VARIABLES,
  ...OPERATIONS,
  ...INTROSPECTION,
  ...HEADERS,
];

describe('a known document is answered by the direct lane exactly as Apollo answered it the first time', () => {
  it.each(ALL)('$name', async (one) => {
    const [throughApollo, direct] = await bothLanes(one);
    expect(direct).toEqual(throughApollo);
  });

  const schema: GraphQLSchema = createSchema();
  const roots = { query: schema.getQueryType(), mutation: schema.getMutationType() };
  const fields = Object.entries(roots).flatMap(([kind, type]) =>
    Object.values(type?.getFields() ?? {}).map((field) => [kind as 'query' | 'mutation', field] as const),
  );
  // What a caller may do changes the state for the second sending; what is refused does not.
  it.each(['anonymous', 'unverified', 'service'] as const)('every root field, as %s', async (as) => {
    for (const [kind, field] of fields) {
      if (as !== 'anonymous' && kind === 'mutation') continue;
      const { query, variables } = documentFor(kind, field);
      const one: Case = { name: field.name, as, body: q(`${query} # ${as}`, variables) };
      const [throughApollo, direct] = await bothLanes(one);
      expect(direct, field.name).toEqual(throughApollo);
    }
  });
});

describe('what the direct lane leaves to Apollo', () => {
  it.each([
    [
      'GET',
      {
        method: 'GET' as const,
        url: `/graphql?query=${encodeURIComponent('{ serviceInfo { name } }')}`,
        headers: { 'apollo-require-preflight': '1' },
      },
    ],
    [
      'another media type',
      {
        method: 'POST' as const,
        url: '/graphql',
        headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
        payload: { query: '{ serviceInfo { name } }' },
      },
    ],
  ])('%s, also for a known document', async (_, request) => {
    await h.fastify.inject(request);
    apollo.mockClear();
    expect((await h.fastify.inject(request)).json().data.serviceInfo.name).toBeTruthy();
    expect(apollo).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['a field that does not exist', '{ nobody }'],
    ['a missing selection', '{ me }'],
    ['an argument too many', '{ serviceInfo(a: 1) { name } }'],
    ['an operation that is not there', 'query A { serviceInfo { name } } query B { serviceInfo { name } }'],
    [
      'too many aliases',
      `{ ${Array.from({ length: 16 }, (_, index) => `a${index}: serviceInfo { name }`).join(' ')} }`,
    ],
    ['what does not parse', '{ me {'],
  ])('%s is never known: the answer is the same each time', async (_, query) => {
    const one: Case = { name: query, body: q(query) };
    const answers = [seen(await send(one)), seen(await send(one)), seen(await send(one))];
    expect(answers[0]?.status).toBe(400);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it('another operation of a known document is validated by Apollo once, too', async () => {
    const document = 'query One { serviceInfo { name } } query Two { passwordPolicy { minLength } }';
    await bothLanes({ name: 'one', body: q(document, undefined, 'One') });
    await bothLanes({ name: 'two', body: q(document, undefined, 'Two') });
  });
});

describe('limits hold in both lanes', () => {
  it('refuses with the same answer, and counts both lanes together', async () => {
    const tight = await createHarness({
      config: { limits: { authPerMinute: 2, defaultPerMinute: 3 } },
      overrides: { limiter: createLimiter({ redisUrl: undefined, now: () => 0 }) },
    });
    try {
      apollo.mockClear();
      const ask = (query: string) => tight.fastify.inject({ method: 'POST', url: '/graphql', payload: { query } });
      const known = '{ serviceInfo { name } }';
      const statuses = [];
      for (let count = 0; count < 4; count += 1) statuses.push((await ask(known)).statusCode);
      expect(statuses).toEqual([200, 200, 200, 429]);
      expect(apollo).toHaveBeenCalledTimes(1);
      const direct = seen(await ask(known));
      const throughApollo = seen(await ask(`${known} `));
      expect(direct).toEqual(throughApollo);
      expect(direct.headers['retry-after']).toBe('60');
    } finally {
      await tight.close();
    }
  });
});

describe('the comparison has teeth', () => {
  const twins: Record<string, (answer: Seen) => Seen> = {
    'without the last newline': (answer) => ({ ...answer, body: answer.body.trimEnd() }),
    'data before errors': (answer) => {
      const { errors, data } = JSON.parse(answer.body);
      return { ...answer, body: `${JSON.stringify({ data, errors })}\n` };
    },
    'errors as graphql-js gives them': (answer) => ({
      ...answer,
      body: answer.body.replace(/,"extensions":\{[^}]*\}/g, ''),
    }),
    'without places': (answer) => ({ ...answer, body: answer.body.replace(/"locations":\[[^\]]*\],/g, '') }),
    'always 200': (answer) => ({ ...answer, status: 200 }),
    'another media type': (answer) => ({
      ...answer,
      headers: { ...answer.headers, 'content-type': 'application/json' },
    }),
    'without one security header': ({ headers: { 'x-frame-options': _, ...headers }, ...answer }) => ({
      ...answer,
      headers,
    }),
    'moments in another form': (answer) => ({ ...answer, body: answer.body.replace(/\.\d{3}Z/g, 'Z') }),
  };

  it.each(Object.entries(twins))('a twin is noticed: %s', async (_, twin) => {
    const answers = [];
    for (const one of [...QUERIES.slice(0, 3), ...REFUSED.slice(0, 3)]) answers.push(seen(await send(one)));
    expect(answers.map(twin)).not.toEqual(answers);
  });
});
