import { expect, test } from 'vitest';
import { createMetrics } from '../../src/core/metrics.js';

/** The samples of one metric on the page, as `labels → value`. */
async function samples(metrics: ReturnType<typeof createMetrics>, name: string): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith(`credence_${name}`));
  return Object.fromEntries(
    lines.map((line) => line.replace(`credence_${name}`, '').split(' ')).map(([key, value]) => [key, Number(value)]),
  );
}

test('counts what happened, by label', async () => {
  const metrics = createMetrics();
  metrics.errors.add('RATE_LIMITED');
  metrics.errors.add('RATE_LIMITED');
  metrics.errors.add('FORBIDDEN', 3);
  metrics.responses.add(200);
  expect(await samples(metrics, 'graphql_errors_total')).toMatchObject({
    '{code="RATE_LIMITED"}': 2,
    '{code="FORBIDDEN"}': 3,
    '{code="NOT_FOUND"}': 0,
  });
  expect(await samples(metrics, 'http_responses_total')).toMatchObject({ '{status="200"}': 1, '{status="404"}': 0 });
});

test('scraping twice does not count twice', async () => {
  const metrics = createMetrics();
  metrics.letters.add('sent');
  await metrics.text();
  expect(await samples(metrics, 'letters_total')).toMatchObject({ '{outcome="sent"}': 1 });
});

test('times fall into cumulative buckets, and labels that never occurred are left out', async () => {
  const metrics = createMetrics();
  metrics.fieldSeconds.allow(['Query.me', 'Query.users']);
  for (const seconds of [0.0004, 0.0005, 0.03, 99]) metrics.fieldSeconds.add('Query.me', seconds);
  const found = await samples(metrics, 'graphql_field_duration_seconds');
  expect(found['_bucket{field="Query.me",le="0.0005"}']).toBe(2);
  expect(found['_bucket{field="Query.me",le="0.025"}']).toBe(2);
  expect(found['_bucket{field="Query.me",le="0.05"}']).toBe(3);
  expect(found['_bucket{field="Query.me",le="+Inf"}']).toBe(4);
  expect(found['_count{field="Query.me"}']).toBe(4);
  expect(found['_sum{field="Query.me"}']).toBeCloseTo(99.0309);
  expect(Object.keys(found).filter((key) => key.includes('users'))).toEqual([]);
});

test('a label that nobody named becomes "other": callers can neither grow the page nor write on it', async () => {
  const metrics = createMetrics();
  const before = (await metrics.text()).split('\n').filter((line) => line.startsWith('credence_')).length;
  for (let at = 0; at < 1_000; at += 1) {
    metrics.fieldSeconds.add(`Query.made_up_${at}`, 0.1);
    metrics.requestSeconds.add(`/${at}"} 1\nforged 1`, 0.1);
    metrics.errors.add(`MADE_UP_${at}`);
    metrics.responses.add(at + 1_000);
  }
  const page = await metrics.text();
  const after = page.split('\n').filter((line) => line.startsWith('credence_')).length;
  expect(after - before).toBe(2 * 16); // the buckets, sum and count of "other", twice
  expect(page).toContain('credence_graphql_errors_total{code="other"} 1000');
  expect(page).not.toMatch(/made_up|MADE_UP|forged/);
});

test('a gauge is read when the page is, and a later reader replaces the former', async () => {
  const metrics = createMetrics();
  expect(await samples(metrics, 'hashing_queue_length')).toEqual({});
  metrics.watch(['hashing_queue_length'], () => ({ hashing_queue_length: 3 }));
  expect(await samples(metrics, 'hashing_queue_length')).toEqual({ '': 3 });
  metrics.watch(['hashing_queue_length'], async () => ({ hashing_queue_length: 7 }));
  expect(await samples(metrics, 'hashing_queue_length')).toEqual({ '': 7 });
});

test('a gauge that cannot be read any more has no sample, rather than the one of before, and costs no other', async () => {
  const metrics = createMetrics();
  let isGone = false;
  metrics.watch(['outbox_letters'], async () => {
    if (isGone) throw new Error('the database is away');
    return { outbox_letters: { queued: 2, dead: 0 } };
  });
  metrics.watch(['draining'], () => ({ draining: 1 }));
  expect(await samples(metrics, 'outbox_letters')).toEqual({ '{state="queued"}': 2, '{state="dead"}': 0 });
  isGone = true;
  expect(await samples(metrics, 'outbox_letters')).toEqual({});
  expect(await samples(metrics, 'draining')).toEqual({ '': 1 });
});

test('a way in and its outcome are two labels, both closed', async () => {
  const metrics = createMetrics();
  metrics.signIns.add('password INVALID_CREDENTIALS');
  metrics.signIns.add('admin ACCOUNT_SUSPENDED');
  metrics.signIns.add('password swordfish');
  const found = await samples(metrics, 'sign_ins_total');
  expect(found).toMatchObject({
    '{way="password",outcome="INVALID_CREDENTIALS"}': 1,
    '{way="password",outcome="ok"}': 0,
    '{way="admin",outcome="ACCOUNT_SUSPENDED"}': 1,
    '{way="other",outcome="other"}': 1,
  });
  expect(Object.keys(found).join()).not.toMatch(/swordfish|UPSTREAM/);
});

test('two apps in one process do not share numbers, and the page tells about the process', async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  first.letters.add('sent');
  expect(await samples(second, 'letters_total')).toMatchObject({ '{outcome="sent"}': 0 });
  expect(await first.text()).toContain('process_resident_memory_bytes');
});
