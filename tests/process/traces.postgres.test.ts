// A server as it is run, and a collector beside it: what arrives there, and what becomes of the server when it does not.
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type CollectedSpan, type Collector, startCollector } from '../support/otlp-collector.js';
import { ask, createPlace, type ServerProcess, startCredence } from '../support/process.js';

/** Planted wherever a caller can write something; none of it may leave. */
const PLANTED = {
  username: 'plantedname',
  email: 'planted.mail@example.com',
  password: 'planted tractor sings 77 at dusk',
  userAgent: 'PlantedBrowser/1.0',
  operation: 'PlantedOperation',
  alias: 'plantedAlias',
  token: 'plantedtoken0123456789',
};
const REGISTER = `mutation ${PLANTED.operation}($input: RegisterInput!) {
  ${PLANTED.alias}: register(input: $input) { accessToken user { id } } }`;
const LOGIN = `mutation ${PLANTED.operation}($input: LoginInput!) {
  ${PLANTED.alias}: login(input: $input) { ... on AuthPayload { accessToken } } }`;

let collector: Collector;
let place: Awaited<ReturnType<typeof createPlace>>;
let server: ServerProcess;

const settings = (more: Record<string, string> = {}) => ({
  ...place.env,
  LOG_LEVEL: 'info',
  TRUST_PROXY: '127.0.0.1/32',
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=acme%20inc',
  OTEL_SERVICE_NAME: 'credence-test',
  ...more,
});

beforeAll(async () => {
  [collector, place] = await Promise.all([startCollector(), createPlace()]);
  server = await startCredence(settings());
});
afterAll(async () => {
  await server.end('SIGKILL');
  await Promise.all([collector.close(), place.dispose()]);
});

const call = (query: string, options: { variables?: object; headers?: Record<string, string> } = {}) =>
  ask(server.url, { query, ...options, headers: { 'user-agent': PLANTED.userAgent, ...options.headers } });

/** Spans are sent every two seconds. */
const arrival = (fits: (span: CollectedSpan) => boolean): Promise<CollectedSpan> =>
  vi.waitFor(
    () => {
      const found = collector.spans.find(fits);
      if (!found) throw new Error(`not among ${collector.spans.map(({ name }) => name).join(', ')}`);
      return found;
    },
    { timeout: 20_000, interval: 50 },
  );
const isRequest = (id: string) => (span: CollectedSpan) =>
  span.kind === 2 && span.attributes['credence.request.id'] === id;
const childrenOf = (parent: CollectedSpan) =>
  collector.spans.filter(({ traceId, parentSpanId }) => traceId === parent.traceId && parentSpanId === parent.spanId);

function childOf(parent: CollectedSpan, name: string): CollectedSpan {
  const child = childrenOf(parent).find((span) => span.name === name);
  if (!child) throw new Error(`${parent.name} has ${childrenOf(parent).map((span) => span.name)}, not ${name}`);
  // Clocks of a span and of what was measured before it began differ by less than a millisecond.
  expect(child.startedAt + 1_000_000n).toBeGreaterThanOrEqual(parent.startedAt);
  expect(child.endedAt).toBeLessThanOrEqual(parent.endedAt + 1_000_000n);
  return child;
}

test('a sign-in is one trace: request, operation, field, password and statements, each within the other', async () => {
  await call(REGISTER, {
    variables: { input: { username: PLANTED.username, email: PLANTED.email, password: PLANTED.password } },
    headers: { 'x-request-id': 'registration-1' },
  });
  await call(LOGIN, {
    variables: { input: { identifier: PLANTED.email, password: PLANTED.password } },
    headers: { 'x-request-id': 'sign-in-1' },
  });
  const request = await arrival(isRequest('sign-in-1'));
  expect(request).toMatchObject({
    name: 'POST /graphql',
    parentSpanId: undefined,
    isError: false,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/graphql',
      'http.response.status_code': 200,
      'graphql.operation.type': 'mutation',
      'credence.fields': 'login',
      'credence.viewer.kind': 'anonymous',
    },
  });
  const field = childOf(childOf(request, 'graphql mutation'), 'Mutation.login');
  childOf(field, 'password waits');
  childOf(field, 'password hash');
  const statement = childOf(field, 'INSERT login_failures');
  expect(statement).toMatchObject({
    kind: 3,
    attributes: { 'db.system.name': 'postgresql', 'credence.lane': 'writers' },
  });
  expect(Object.keys(statement.attributes)).not.toContain('db.query.text');
  expect(collector.resources[0]).toMatchObject({ 'service.name': 'credence-test' });
  expect(collector.headers[0]).toMatchObject({ 'x-tenant': 'acme inc' });
});

test('the log line of the request names its trace', async () => {
  const request = await arrival(isRequest('sign-in-1'));
  const lines = server
    .output()
    .split('\n')
    .filter((line) => line.includes('sign-in-1'));
  expect(lines.join('\n')).toContain(request.traceId);
});

test('a letter is a trace of its own, which names the request that caused it, and the wait for the mail server in it', async () => {
  const letter = await arrival(
    ({ name, attributes }) => name === 'letter' && attributes['credence.request.id'] === 'registration-1',
  );
  expect(letter.parentSpanId).toBeUndefined();
  expect(childOf(letter, 'mail send').kind).toBe(3);
});

test('what is refused ends its field in an error, by its code alone', async () => {
  const variables = { input: { identifier: PLANTED.email, password: `${PLANTED.password} not` } };
  await call(LOGIN, { variables, headers: { 'x-request-id': 'wrong-password-1' } });
  const request = await arrival(isRequest('wrong-password-1'));
  const field = childOf(childOf(request, 'graphql mutation'), 'Mutation.login');
  expect(field).toMatchObject({ isError: true, attributes: { 'error.type': 'INVALID_CREDENTIALS' } });
});

test('a proxy on the list may hand its trace on, and no one is told of ours', async () => {
  const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
  await call('{ serviceInfo { name } }', {
    headers: { traceparent: `00-${traceId}-${spanId}-01`, 'x-request-id': 'behind-proxy-1' },
  });
  const answer = await fetch(`${server.url}/health/live`);
  expect([...answer.headers.keys()].filter((name) => name.startsWith('trace'))).toEqual([]);
  expect(await arrival(isRequest('behind-proxy-1'))).toMatchObject({ traceId, parentSpanId: spanId });
});

test('nothing that a person or a caller wrote reaches the collector', async () => {
  await fetch(`${server.url}/verify-email?token=${PLANTED.token}`, { headers: { 'user-agent': PLANTED.userAgent } });
  await fetch(`${server.url}/${PLANTED.token}/${PLANTED.alias}`, { headers: { 'x-request-id': 'nowhere-1' } });
  await call(`{ ${PLANTED.alias}: me { id } }`, { headers: { authorization: `Bearer ${PLANTED.token}` } });
  await arrival(isRequest('nowhere-1'));
  const sent = collector.bodies.join('\n');
  for (const [what, text] of Object.entries(PLANTED)) expect(sent.includes(text), what).toBe(false);
  expect(sent).not.toMatch(/select \*|\$1|127\.0\.0\.1:\d|@example/);
});

test('a collector that dies costs spans, which are counted, and no request; when it is back they arrive again', async () => {
  const port = Number(new URL(collector.url).port);
  await collector.close();
  const failed = async () => {
    const { data } = await call('{ serviceInfo { name } }');
    expect(data.serviceInfo.name).toBeTruthy();
    const page = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^credence_trace_spans_total\{outcome="failed"\} (\d+)/m.exec(page)?.[1]);
  };
  await vi.waitFor(async () => expect(await failed()).toBeGreaterThan(0), { timeout: 25_000, interval: 200 });
  expect(server.output().match(/takes no spans/g)).toHaveLength(1);
  collector = await startCollector(port);
  await call('{ serviceInfo { name } }', { headers: { 'x-request-id': 'back-again-1' } });
  await arrival(isRequest('back-again-1'));
  await vi.waitFor(() => expect(server.output()).toContain('takes spans again'));
}, 60_000);

test('ending sends what is left, and does not wait for a collector that says nothing', async () => {
  await call('{ serviceInfo { name } }', { headers: { 'x-request-id': 'the-last-one-1' } });
  expect(await server.end('SIGTERM')).toBe(0);
  await arrival(isRequest('the-last-one-1'));
  server = await startCredence(settings());
  collector.hang();
  await call('{ serviceInfo { name } }');
  const ended = server.end('SIGTERM');
  expect(await Promise.race([ended, wait(15_000, 'still there', { ref: false })])).toBe(0);
}, 60_000);
