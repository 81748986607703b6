import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLogSinks } from '../../src/core/log-sinks.js';
import { createLogger } from '../../src/core/logger.js';
import { createMetrics } from '../../src/core/metrics.js';
import { createHarness, type Harness, type Person, uniqueName } from '../support/harness.js';

let harness: Harness;
let dataDir: string;
let token: string;
let person: Person;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'credence-logs-'));
  const log = {
    level: 'info',
    pretty: false,
    store: true,
    retentionDays: 14,
    logstashUrl: undefined,
    syslogUrl: undefined,
  };
  const metrics = createMetrics();
  const logSinks = openLogSinks({ dataDir, log }, metrics);
  const destination = { write: () => undefined };
  harness = await createHarness({
    overrides: { log: createLogger(log, { destination, sinks: logSinks.all }), logSinks, metrics },
  });
  ({ token } = await harness.admin(['system:read']));
  person = await harness.person();
});

afterAll(async () => {
  await harness.close();
  await rm(dataDir, { recursive: true, force: true });
});

const LOGS = `query($filter: LogFilter, $first: Int, $after: String) {
  logs(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id time level event requestId fields }
  }
}`;
const TRACE = `query($requestId: String!) { requestTrace(requestId: $requestId) {
  requestId
  lines { event level fields }
  auditEvents { action userId requestId }
  creditTransactions { kind amount description }
  letters { kind userId status attempts }
} }`;

async function logs(filter: Record<string, unknown>, page: { first?: number; after?: string } = {}) {
  const answer = await harness.graphql(LOGS, { token, variables: { filter, ...page } });
  expect(answer.errors).toBeUndefined();
  return answer.data.logs;
}

async function trace(requestId: string) {
  const answer = await harness.graphql(TRACE, { token, variables: { requestId } });
  expect(answer.errors).toBeUndefined();
  return answer.data.requestTrace;
}

test('each GraphQL request leaves a line: its id, its fields, its status, its time and who asked', async () => {
  const headers = { 'x-request-id': 'who-am-i-1' };
  await harness.graphql('{ me { id } serviceInfo { version } }', { token: person.token, headers });
  const { nodes } = await logs({ requestId: 'who-am-i-1' });
  expect(nodes).toMatchObject([{ level: 'INFO', event: 'graphql request', requestId: 'who-am-i-1' }]);
  expect(nodes[0].fields).toEqual({
    status: 200,
    durationMs: expect.any(Number),
    actorKind: 'user',
    field: 'me serviceInfo',
  });
});

test('the line tells nothing that a caller wrote', async () => {
  const requestId = 'with-a-secret-1';
  const query = 'query crd_secret_name { crd_secret_field ...crd_secret_fragment }';
  await harness.graphql(query, { headers: { 'x-request-id': requestId, 'user-agent': 'crd_secret_agent' } });
  await harness.graphql('{ nothing: crd_secret_field }', { headers: { 'x-request-id': requestId } });
  const { nodes } = await logs({ requestId });
  expect(nodes).toHaveLength(2);
  expect(JSON.stringify(nodes)).not.toContain('crd_secret');
});

test('answers page by page, newest first, each line once, by every part of the filter', async () => {
  for (let asked = 0; asked < 5; asked += 1) {
    await harness.graphql('{ serviceInfo { version } }', { headers: { 'x-request-id': 'five-times-1' } });
  }
  const filter = { requestId: 'five-times-1', text: 'serviceInfo', level: 'INFO' };
  const seen: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await logs(filter, { first: 2, ...(after && { after }) });
    expect(page.totalCount).toBe(5);
    seen.push(...page.nodes.map((node: { id: string }) => node.id));
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  expect(new Set(seen).size).toBe(5);
  expect(seen).toEqual([...seen].sort((one, other) => Number(other) - Number(one)));
  expect((await logs({ ...filter, level: 'ERROR' })).nodes).toEqual([]);
  expect((await logs({ ...filter, to: '2020-01-01T00:00:00Z' })).nodes).toEqual([]);
  expect((await logs({ ...filter, from: '2090-01-01T00:00:00Z' })).nodes).toEqual([]);
});

test('a request can be followed through lines, audit rows and letters', async () => {
  const username = uniqueName();
  const input = { username, email: `${username}@example.com`, password: 'violet tractor sings 77 at dusk' };
  const registered = await harness.graphql(
    'mutation($input: RegisterInput!) { register(input: $input) { user { id } } }',
    {
      variables: { input },
      headers: { 'x-request-id': 'sign-up-1' },
      ip: '10.200.0.1',
    },
  );
  const userId = registered.data.register.user.id;
  const traced = await trace('sign-up-1');
  expect(traced.lines).toMatchObject([{ event: 'graphql request', fields: { field: 'register' } }]);
  expect(traced.auditEvents).toMatchObject([{ action: 'user.registered', userId, requestId: 'sign-up-1' }]);
  expect(traced.letters).toMatchObject([{ kind: 'WELCOME_VERIFY', userId }]);
  expect(traced.creditTransactions).toEqual([]);
  expect(JSON.stringify(traced)).not.toContain(input.email);
});

test('… and through the ledger', async () => {
  const { key: serviceKey } = await harness.service(['credits:grant']);
  const input = { userId: person.id, amount: 7, description: 'welcome', idempotencyKey: 'traced' };
  await harness.graphql('mutation($input: AddCreditsInput!) { addCredits(input: $input) { replayed } }', {
    serviceKey,
    variables: { input },
    headers: { 'x-request-id': 'credits-1' },
  });
  expect((await trace('credits-1')).creditTransactions).toEqual([{ kind: 'GRANT', amount: 7, description: 'welcome' }]);
});

test('a look at a request is recorded, and an unknown one leaves nothing', async () => {
  const headers = { 'x-request-id': 'the-look-1' };
  const variables = { requestId: 'nobody-had-this-id' };
  const answer = await harness.graphql(TRACE, { token, variables, headers });
  expect(answer.data.requestTrace).toMatchObject({ lines: [], auditEvents: [], creditTransactions: [], letters: [] });
  expect((await trace('the-look-1')).auditEvents).toMatchObject([{ action: 'request.traced' }]);
});

test.each([
  [LOGS, { filter: { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' } }, 'filter.to'],
  [LOGS, { filter: { text: '' } }, 'filter.text'],
  [LOGS, { filter: { text: 'x'.repeat(201) } }, 'filter.text'],
  [LOGS, { filter: { requestId: '"' } }, 'filter.requestId'],
  [LOGS, { first: 0 }, 'first'],
  [LOGS, { after: 'nonsense' }, 'after'],
  [TRACE, { requestId: 'x' }, 'requestId'],
])('refuses bad input: %#', async (query, variables, field) => {
  const answer = await harness.graphql(query, { token, variables });
  expect(answer.code).toBe('BAD_USER_INPUT');
  expect(Object.keys(answer.errors?.[0]?.extensions.fields as object)).toEqual([field]);
});

test('is for admins who may read the system', async () => {
  const { token: other } = await harness.admin(['audit:read', 'users:read']);
  for (const query of [LOGS, TRACE]) {
    const variables = { requestId: 'who-am-i-1' };
    expect((await harness.graphql(query, { token: other, variables })).code).toBe('FORBIDDEN');
    expect((await harness.graphql(query, { token: person.token, variables })).code).toBe('FORBIDDEN');
    expect((await harness.graphql(query, { variables })).code).toBe('UNAUTHENTICATED');
  }
});

test('without a store, logs says so and a trace has no lines', async () => {
  const without = await createHarness();
  const { token: admin } = await without.admin(['system:read']);
  expect((await without.graphql(LOGS, { token: admin })).code).toBe('CONFLICT');
  const variables = { requestId: 'nobody-had-this-id' };
  expect((await without.graphql(TRACE, { token: admin, variables })).data.requestTrace.lines).toEqual([]);
  await without.close();
});
