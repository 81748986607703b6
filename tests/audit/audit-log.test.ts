import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { linkAuditEvents } from '../../src/modules/audit/chain.service.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

let harness: Harness;
let token: string;
let person: Person;

beforeAll(async () => {
  harness = await createHarness();
  ({ token } = await harness.admin(['audit:read']));
  person = await harness.person();
});

afterAll(() => harness.close());

const LOG = `query($filter: AuditFilter, $first: Int, $after: String) {
  auditLog(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id occurredAt actorKind actorId action targetKind targetId userId before after reason ip userAgent requestId }
  }
}`;

async function log(filter: Record<string, unknown>, page: { first?: number; after?: string } = {}) {
  const answer = await harness.graphql(LOG, { token, variables: { filter, ...page } });
  expect(answer.errors).toBeUndefined();
  return answer.data.auditLog;
}

test('shows what was done with everything that was recorded of it', async () => {
  const headers = { 'x-request-id': 'trace-me-please', 'user-agent': 'Browser/1' };
  const wrong = { identifier: person.username, password: 'wrong password entirely' };
  await harness.graphql('mutation($input: LoginInput!) { login(input: $input) { __typename } }', {
    variables: { input: wrong },
    headers,
    ip: '203.0.113.7',
  });
  const { nodes } = await log({ action: 'user.sign_in_failed', userId: person.id });
  expect(nodes).toHaveLength(1);
  expect(nodes[0]).toMatchObject({
    actorKind: 'ANONYMOUS',
    userId: person.id,
    ip: '203.0.113.7',
    userAgent: 'Browser/1',
    requestId: 'trace-me-please',
  });
});

test('answers page by page, newest first, each row once', async () => {
  const all = await log({ userId: person.id }, { first: 100 });
  const seen: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await log({ userId: person.id }, { first: 1, ...(after && { after }) });
    seen.push(...page.nodes.map((node: { id: string }) => node.id));
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  expect(seen).toEqual(all.nodes.map((node: { id: string }) => node.id));
  expect(all.totalCount).toBe(seen.length);
  expect(seen.length).toBeGreaterThan(2);
});

test('keeps to each part of the filter', async () => {
  const all = (await log({}, { first: 100 })).nodes as Record<string, string>[];
  for (const name of ['actorKind', 'actorId', 'action', 'targetKind', 'targetId', 'userId']) {
    const value = all.find((row) => row[name] !== null)?.[name];
    expect(value, name).toBeDefined();
    const { nodes } = await log({ [name]: value }, { first: 100 });
    expect(nodes.length, name).toBeGreaterThan(0);
    for (const node of nodes) expect(node[name]).toBe(value);
  }
  const middle = all[Math.floor(all.length / 2)]?.occurredAt ?? '';
  for (const node of (await log({ from: middle }, { first: 100 })).nodes) expect(node.occurredAt >= middle).toBe(true);
  for (const node of (await log({ to: middle }, { first: 100 })).nodes) expect(node.occurredAt < middle).toBe(true);
  expect((await log({ userId: newId() })).nodes).toEqual([]);
});

test('records the look itself, with what was searched for', async () => {
  await log({ action: 'nothing.like_it' });
  const { nodes } = await log({ action: 'audit.viewed' });
  expect(nodes[0].after).toMatchObject({ filter: { action: 'nothing.like_it' } });
});

test.each([
  [{ actorId: 'x' }, 'filter.actorId'],
  [{ userId: 'x' }, 'filter.userId'],
  [{ action: '' }, 'filter.action'],
  [{ targetId: 'x'.repeat(201) }, 'filter.targetId'],
  [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'filter.to'],
])('refuses the filter %j', async (filter, field) => {
  const answer = await harness.graphql(LOG, { token, variables: { filter } });
  expect(answer.code).toBe('BAD_USER_INPUT');
  expect(Object.keys(answer.errors?.[0]?.extensions.fields as object)).toEqual([field]);
});

test('proves the chain, and is for those who may read it', async () => {
  while ((await linkAuditEvents(harness.app)) > 0);
  const query =
    '{ verifyAuditLog { ok checked unlinked lastSequence lastHash firstBroken { sequence eventId problem } } }';
  const answer = await harness.graphql(query, { token });
  expect(answer.data.verifyAuditLog).toMatchObject({ ok: true, unlinked: 0, firstBroken: null });
  const { token: other } = await harness.admin(['users:read', 'system:read']);
  for (const asked of [query, LOG]) {
    expect((await harness.graphql(asked, { token: other })).code).toBe('FORBIDDEN');
    expect((await harness.graphql(asked, { token: person.token })).code).toBe('FORBIDDEN');
    expect((await harness.graphql(asked)).code).toBe('UNAUTHENTICATED');
  }
});
