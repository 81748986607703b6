import { afterEach, expect, test, vi } from 'vitest';
import { createMetrics } from '../../src/core/metrics.js';
import { parseCidrs } from '../../src/core/network.js';
import { summaryOf } from '../../src/core/statement-watch.js';
import { openTracing, type Tracing } from '../../src/core/tracing.js';
import { createHarness } from '../support/harness.js';
import { type Collector, startCollector } from '../support/otlp-collector.js';

let collector: Collector | undefined;
afterEach(async () => {
  await collector?.close();
  collector = undefined;
});

async function settings(changes: { ratio?: number; followsParent?: boolean } = {}) {
  collector = await startCollector();
  const url = `${collector.url}/v1/traces`;
  return { url, headers: {}, serviceName: 'test', ratio: 1, followsParent: true, ...changes };
}

async function open(changes: Parameters<typeof settings>[0] = {}) {
  const metrics = createMetrics();
  const tracing = await openTracing(await settings(changes), { metrics, onExporting: () => undefined });
  if (!tracing) throw new Error('no tracing');
  return { tracing, metrics };
}

const parentOf = (at: number, flags = '01') => `00-${String(at + 1).padStart(32, '0')}-00f067aa0ba902b7-${flags}`;
const request = (tracing: Tracing, traceparent: string | undefined) => {
  const span = tracing.startRequest('POST /graphql', { traceparent, isTrusted: true });
  span.end();
  return span.traceId;
};

test('without a collector there is no tracing at all', async () => {
  expect(await openTracing(undefined, { metrics: createMetrics(), onExporting: () => undefined })).toBeUndefined();
});

test('a stranger’s traceparent is not followed: only that of a proxy on the list', async () => {
  const tracing = await settings();
  const server = { trustProxy: parseCidrs(['10.0.0.1']) };
  const harness = await createHarness({ config: { tracing, server } });
  const ask = (remoteAddress: string, at: number) =>
    harness.fastify.inject({ url: '/health/live', remoteAddress, headers: { traceparent: parentOf(at) } });
  await ask('203.0.113.9', 1);
  await ask('10.0.0.1', 2);
  await harness.close();
  const requests = collector?.spans.filter(({ kind }) => kind === 2) ?? [];
  expect(requests.map(({ parentSpanId }) => parentSpanId)).toEqual([undefined, '00f067aa0ba902b7']);
  expect(requests.map(({ traceId }, at) => parentOf(at + 1).includes(traceId))).toEqual([false, true]);
});

test('callers cannot have more recorded than their share, whatever their headers wish', async () => {
  const { tracing } = await open({ ratio: 0 });
  const recorded = Array.from({ length: 500 }, (_, at) => request(tracing, parentOf(at))).filter(Boolean);
  // Ten a second; the loop may see a second end.
  expect(recorded.length).toBeGreaterThanOrEqual(10);
  expect(recorded.length).toBeLessThanOrEqual(20);
  expect(request(tracing, undefined)).toBeUndefined();
  expect(request(tracing, 'not a traceparent')).toBeUndefined();
  await tracing.close();
});

test('a caller’s decision not to record is followed, and none is where only the ratio counts', async () => {
  const [following, deciding] = [await open(), await open({ ratio: 0, followsParent: false })];
  expect(request(following.tracing, parentOf(1, '00'))).toBeUndefined();
  expect(request(deciding.tracing, parentOf(1, '01'))).toBeUndefined();
  await Promise.all([following.tracing.close(), deciding.tracing.close()]);
});

test('a collector that says nothing fills a bounded buffer; what does not fit is dropped and counted', async () => {
  const { tracing, metrics } = await open();
  collector?.hang();
  for (let at = 0; at < 6_000; at += 1) request(tracing, undefined);
  const page = await metrics.text();
  expect(page).toMatch(/^credence_trace_spans_total\{outcome="dropped"\} 1904$/m);
  expect(page).toMatch(/^credence_trace_spans_total\{outcome="exported"\} 0$/m);
  await collector?.close();
  collector = undefined;
  await tracing.close();
});

test('attributes and names that are not of the closed lists never leave', async () => {
  const { tracing } = await open();
  const attributes = { 'http.route': '/x?token=1', 'user.email': 'a@example.com', 'credence.attempt': 'two' } as never;
  await tracing.span('Query.me "planted"', { root: true, attributes }, async (span) => {
    span?.set({ 'credence.fields': 'me', 'http.request.method': 'get' });
  });
  await expect(
    tracing.span('failing', { root: true }, async () => Promise.reject(new Error('planted message'))),
  ).rejects.toThrow('planted message');
  await tracing.close();
  await vi.waitFor(() => expect(collector?.spans).toHaveLength(2));
  expect(collector?.spans).toMatchObject([
    { name: 'other', isError: false },
    { name: 'failing', isError: true },
  ]);
  expect(collector?.spans[0]?.attributes).toEqual({ 'credence.fields': 'me' });
  expect(collector?.bodies.join()).not.toMatch(/planted|token|example/);
});

test.each([
  ['select id from "sessions" where id = any($1)', 'SELECT sessions'],
  ['insert into login_failures as f (key) values ($1)', 'INSERT login_failures'],
  ['with a as (select 1 from x), b as (update "users" set a = $1) select 1', 'UPDATE users'],
  ['delete from only t', 'DELETE t'],
  ['select 1', 'SELECT'],
])('the statement %s is called %s', (text, name) => {
  expect(summaryOf(text)).toBe(name);
});
