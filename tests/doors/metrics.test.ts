import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';

const TOKEN = 'a-metrics-token-of-32-characters';
let open: Harness;
let guarded: Harness;
beforeAll(async () => {
  [open, guarded] = await Promise.all([createHarness(), createHarness({ config: { metricsToken: TOKEN as never } })]);
});
afterAll(() => Promise.all([open.close(), guarded.close()]));

const scrape = (harness: Harness, options: { headers?: Record<string, string>; remoteAddress?: string } = {}) =>
  harness.fastify.inject({ url: '/metrics', remoteAddress: '127.0.0.1', ...options });

test('without a token the page is for this machine', async () => {
  for (const remoteAddress of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    const answer = await scrape(open, { remoteAddress });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.payload).toContain('process_cpu_seconds_total');
    expect(answer.payload).toMatch(/^credence_outbox_oldest_letter_seconds 0$/m);
  }
});

test.each([
  ['another machine', { remoteAddress: '203.0.113.9' }],
  ['a proxy on this machine', { headers: { 'x-forwarded-for': '203.0.113.9' } }],
  ['a proxy that names itself otherwise', { headers: { forwarded: 'for=203.0.113.9' } }],
  [
    'a stranger who claims to be this machine',
    { headers: { 'x-forwarded-for': '127.0.0.1' }, remoteAddress: '203.0.113.9' },
  ],
  ['a stranger with some token', { headers: { authorization: 'Bearer x' }, remoteAddress: '203.0.113.9' }],
])('without a token it does not exist for %s', async (_who, options) => {
  const [answer, nowhere] = [await scrape(open, options), await open.fastify.inject('/no-such-page')];
  expect(answer.statusCode).toBe(404);
  expect(answer.json().errors[0].message).toBe(nowhere.json().errors[0].message);
});

test('with a token set, the token opens it from anywhere', async () => {
  const answer = await scrape(guarded, { headers: { authorization: `Bearer ${TOKEN}` }, remoteAddress: '203.0.113.9' });
  expect(answer.statusCode).toBe(200);
});

test.each([
  ['no token', {}],
  ['a wrong token', { headers: { authorization: 'Bearer wrong' } }],
  ['the beginning of the token', { headers: { authorization: `Bearer ${TOKEN.slice(0, -1)}` } }],
  ['the token in another scheme', { headers: { authorization: `Basic ${TOKEN}` } }],
])('with a token set, %s is refused, from this machine too', async (_what, options) => {
  const answer = await scrape(guarded, options);
  expect(answer.statusCode).toBe(403);
  expect(answer.json().errors[0].extensions.code).toBe('FORBIDDEN');
});

test('answers are counted by route pattern, never by what was asked for', async () => {
  await open.fastify.inject('/health/live');
  for (let at = 0; at < 20; at += 1) await open.fastify.inject(`/nowhere/${at}?token=swordfish`);
  const { payload } = await scrape(open);
  expect(payload).toMatch(/^credence_http_request_duration_seconds_count\{route="\/health\/live"\} [1-9]/m);
  expect(payload).toMatch(/^credence_http_responses_total\{status="404"\} [2-9]\d/m);
  expect(payload).not.toMatch(/nowhere|swordfish/);
});

test('what people, services and letters do shows on the page', async () => {
  const harness = await createHarness({ config: { limits: { authPerMinute: 5, defaultPerMinute: 1_000 } } });
  const person = await harness.person();
  const { key } = await harness.service(['credits:grant']);
  await harness.graphql('{ me { id } }', { token: person.token });
  await harness.graphql('{ me { id } }');
  const grant = 'mutation($input: AddCreditsInput!) { addCredits(input: $input) { replayed } }';
  await harness.graphql(grant, {
    serviceKey: key,
    variables: { input: { userId: person.id, amount: 5, idempotencyKey: 'k' } },
  });
  const flood = 'mutation { login(input: { identifier: "x", password: "y" }) { __typename } }';
  for (let at = 0; at < 6; at += 1) await harness.graphql(flood, { ip: '198.51.100.7' });
  const { payload } = await scrape(harness);
  await harness.close();

  for (const line of [
    'credence_session_lookups_total{source="database"} [1-9]',
    'credence_batch_size_count{batch="sessions"} [1-9]',
    'credence_batch_size_count{batch="keys"} [1-9]',
    'credence_letters_total{outcome="sent"} [1-9]',
    'credence_credit_movements_total{kind="GRANT"} 1',
    'credence_limiter_refusals_total{limit="auth"} [1-9]',
    'credence_graphql_errors_total{code="UNAUTHENTICATED"} 1',
    'credence_graphql_errors_total{code="RATE_LIMITED"} [1-9]',
    'credence_graphql_field_duration_seconds_count{field="Query.me"} 2',
    'credence_graphql_operation_duration_seconds_count{kind="mutation"} [1-9]',
    'credence_hashing_queue_length 0',
    'credence_hashing_seconds_count{phase="run"} [1-9]',
    'credence_hashing_seconds_count{phase="wait"} [1-9]',
    'credence_sign_ins_total{way="password",outcome="INVALID_CREDENTIALS"} 5',
    'credence_sign_ins_total{way="password",outcome="RATE_LIMITED"} 1',
    'credence_graphql_field_errors_total{field="Mutation.login"} 6',
    'credence_graphql_documents_total{seen="known"} [1-9]',
    'credence_graphql_documents_total{seen="unknown"} [1-9]',
    'credence_database_statement_seconds_count{lane="(embedded|readers)"} [1-9]',
    'credence_database_up 1',
    'credence_database_latency_seconds 0',
    'credence_database_pool_connections{state="used"} \\d',
    'credence_build_info{version="[\\d.]+"} 1',
    'credence_draining 0',
    'credence_outbox_letters{state="dead"} 0',
    'credence_audit_unlinked_rows [1-9]',
    'credence_audit_oldest_unlinked_seconds \\d',
  ]) {
    expect(payload.match(new RegExp(`^${line.replace(/[{}]/g, '\\$&')}`, 'm')), line).not.toBeNull();
  }
});
