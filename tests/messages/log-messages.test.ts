import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { dataKeys } from '../../src/modules/data-keys/data-keys.table.js';
import { purgeMessages } from '../../src/modules/messages/message-logs.service.js';
import { messageLogs } from '../../src/modules/messages/messages.table.js';
import { DAY, MINUTE, signIn } from '../auth/operations.js';
import { deleteUser, exchange, logMessages, restoreUser } from '../privacy/operations.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

let h: Harness;
let serviceKey: string;

beforeAll(async () => {
  h = await createHarness();
  serviceKey = (await h.service(['messages:write', 'usage:read'])).key;
});
afterAll(() => h.close());

async function logged(input: object) {
  const { data, errors } = await logMessages(h, serviceKey, input);
  expect(errors).toBeUndefined();
  return data.logMessages;
}

const rowsOf = (userId: string) => h.app.db.select().from(messageLogs).where(eq(messageLogs.userId, userId));

async function messagesUsed(userId: string) {
  const query = `query($id: ID!) { usage(userId: $id) { messages { limit used remaining } } }`;
  return (await h.graphql(query, { serviceKey, variables: { id: userId } })).data.usage.messages;
}

const MINE = `query($first: Int, $after: String) { me { messages(first: $first, after: $after) {
  nodes { id userId conversationId model messages { role content } messageCount inputTokens outputTokens occurredAt }
  pageInfo { hasNextPage endCursor } totalCount } } }`;

async function myMessages(token: string, page: { first?: number; after?: string } = {}) {
  const { data, errors } = await h.graphql(MINE, { token, variables: page });
  expect(errors).toBeUndefined();
  return data.me.messages;
}

describe('logMessages', () => {
  it('writes what was said, for the person alone to read', async () => {
    const person = await h.person();
    const entry = exchange(person.id, 'where do otters sleep?', {
      conversationId: 'c1',
      occurredAt: h.app.now().toISOString(),
    });
    expect(await logged({ batch: [entry] })).toEqual({ accepted: 1, rejected: [], replayed: false });
    const { nodes, totalCount } = await myMessages(person.token);
    expect(totalCount).toBe(1);
    expect(nodes[0]).toMatchObject({ ...entry, messageCount: 2 });
    const [row] = await rowsOf(person.id);
    expect(row?.sealedContent).toMatch(/^d1\.1\.[\w-]+$/);
    expect(JSON.stringify(row)).not.toContain('otters');
  });

  it.each(['null', 'NULL', ' ', '"', '\\\\', '{a,b}', 'a","b', "it's", 'a\nb\tc', 'größe 🦦', '\\"}'])(
    'keeps the names %j as they came',
    async (name) => {
      const person = await h.person();
      const entry = exchange(person.id, name, { conversationId: name, model: name });
      const without = exchange(person.id, name, { conversationId: null, occurredAt: h.app.now().toISOString() });
      expect(await logged({ batch: [entry, without] })).toMatchObject({ accepted: 2 });
      const { nodes } = await myMessages(person.token);
      expect(nodes).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ conversationId: name, model: name }),
          expect.objectContaining({ conversationId: null, messages: without.messages }),
        ]),
      );
    },
  );

  it('seals the same words differently each time, and for one row only', async () => {
    const person = await h.person();
    await logged({ batch: [exchange(person.id), exchange(person.id)] });
    const [one, two] = await rowsOf(person.id);
    expect(one?.sealedContent).not.toBe(two?.sealedContent);
    await h.app.db
      .update(messageLogs)
      .set({ sealedContent: two?.sealedContent ?? '' })
      .where(eq(messageLogs.id, one?.id ?? ''));
    expect((await h.graphql(MINE, { token: person.token })).code).toBe('INTERNAL_SERVER_ERROR');
  });

  it('takes a thousand entries about many people, and no more', async () => {
    const people = [await h.person(), await h.person(), await h.person()];
    const batch = Array.from({ length: 1_000 }, (_, n) => exchange(people[n % 3]?.id ?? '', `n${n}`));
    expect(await logged({ batch })).toMatchObject({ accepted: 1_000, rejected: [] });
    const counts = await Promise.all(people.map(async ({ id }) => (await rowsOf(id)).length));
    expect(counts).toEqual([334, 333, 333]);
    expect((await logMessages(h, serviceKey, { batch: [...batch, batch[0]] })).code).toBe('BAD_USER_INPUT');
    expect((await logMessages(h, serviceKey, { batch: [] })).code).toBe('BAD_USER_INPUT');
  });

  it('says of each entry that cannot be written why, and writes its neighbours', async () => {
    const person = await h.person();
    const gone = await h.person();
    const { token } = await h.admin(['users:delete']);
    await deleteUser(h, { token }, gone.id);
    const at = (milliseconds: number) => new Date(h.app.now().getTime() + milliseconds).toISOString();
    const good = exchange(person.id);
    const batch = [
      good,
      exchange(newId()),
      exchange(gone.id),
      exchange('ada'),
      { ...good, model: '' },
      { ...good, model: 'm'.repeat(256) },
      { ...good, conversationId: '' },
      { ...good, messages: [] },
      { ...good, messages: [{ role: '', content: 'x' }] },
      { ...good, inputTokens: -1 },
      { ...good, outputTokens: -1 },
      { ...good, occurredAt: at(6 * MINUTE) },
      { ...good, occurredAt: at(-31 * DAY) },
      { ...good, userId: person.id.toUpperCase(), occurredAt: at(-29 * DAY) },
    ];
    const { accepted, rejected } = await logged({ batch });
    expect(accepted).toBe(2);
    expect(rejected).toEqual([
      ...[1, 2].map((index) => ({ index, code: 'NOT_FOUND' })),
      ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((index) => ({ index, code: 'BAD_USER_INPUT' })),
    ]);
    expect(await rowsOf(person.id)).toHaveLength(2);
    expect(await rowsOf(gone.id)).toEqual([]);
  });

  it('refuses text that cannot be kept as it is, and writes nothing of the call', async () => {
    const person = await h.person();
    for (const text of ['a\0b', 'half \ud800']) {
      const answer = await logMessages(h, serviceKey, { batch: [exchange(person.id), exchange(person.id, text)] });
      expect(answer.code).toBe('BAD_USER_INPUT');
    }
    expect(await rowsOf(person.id)).toEqual([]);
  });

  it('counts messages by the person’s day, and goes on recording beyond the limit and of the suspended', async () => {
    const person = await h.person();
    const admin = await h.admin(['users:write']);
    const call = { token: admin.token, variables: { id: person.id } };
    const limit = `mutation($id: ID!) { setUserLimits(input: { userId: $id, messagesPerDay: 3 }) { user { id } } }`;
    const suspend = `mutation($id: ID!) { suspendUser(input: { userId: $id, reason: "x" }) { user { id } } }`;
    for (const query of [limit, suspend]) expect((await h.graphql(query, call)).errors).toBeUndefined();
    await logged({ batch: [exchange(person.id)] });
    expect(await messagesUsed(person.id)).toEqual({ limit: 3, used: 2, remaining: 1 });
    const yesterday = new Date(h.app.now().getTime() - DAY).toISOString();
    await logged({ batch: [exchange(person.id), exchange(person.id, 'late', { occurredAt: yesterday })] });
    expect(await messagesUsed(person.id)).toEqual({ limit: 3, used: 4, remaining: 0 });
  });

  it('many at once share statements, and each is answered with its own', async () => {
    const person = await h.person();
    const { sql } = h.app.database;
    const commits = async () => {
      const [row] = await sql.query<{ n: number }>(
        `select count(distinct xmin::text)::int as n from message_logs where user_id = $1`,
        [person.id],
      );
      return row?.n ?? 0;
    };
    const calls = Array.from({ length: 200 }, (_, n) =>
      logged({ batch: n % 10 === 0 ? [exchange(newId())] : [exchange(person.id), exchange(newId())] }),
    );
    const answers = await Promise.all(calls);
    expect(answers.filter(({ accepted }) => accepted === 1)).toHaveLength(180);
    expect(answers.every(({ rejected }) => rejected.length === 1)).toBe(true);
    expect(await commits()).toBeLessThan(100);
    expect(await rowsOf(person.id)).toHaveLength(180);
    expect(await messagesUsed(person.id)).toMatchObject({ used: 360 });
    expect(await h.app.db.select().from(dataKeys).where(eq(dataKeys.userId, person.id))).toHaveLength(1);
  });
});

describe('with an idempotency key', () => {
  it('a call that is sent again is written once and gets the first answer', async () => {
    const person = await h.person();
    const input = { batch: [exchange(person.id), exchange(newId())], idempotencyKey: 'k1' };
    const first = await logged(input);
    expect(first).toEqual({ accepted: 1, rejected: [{ index: 1, code: 'NOT_FOUND' }], replayed: false });
    expect(await logged(input)).toEqual({ ...first, replayed: true });
    expect(await rowsOf(person.id)).toHaveLength(1);
    expect((await messagesUsed(person.id)).used).toBe(2);
  });

  it('fifty at once with one key are written once', async () => {
    const person = await h.person();
    const input = { batch: [exchange(person.id)], idempotencyKey: 'k2' };
    const answers = await Promise.all(Array.from({ length: 50 }, () => logged(input)));
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await rowsOf(person.id)).toHaveLength(1);
  });

  it('other input is IDEMPOTENCY_CONFLICT and costs its neighbours nothing', async () => {
    const person = await h.person();
    await logged({ batch: [exchange(person.id)], idempotencyKey: 'k3' });
    const [bad, good] = await Promise.all([
      logMessages(h, serviceKey, { batch: [exchange(person.id, 'other')], idempotencyKey: 'k3' }),
      logMessages(h, serviceKey, { batch: [exchange(person.id, 'mine')], idempotencyKey: 'k4' }),
    ]);
    expect(bad.code).toBe('IDEMPOTENCY_CONFLICT');
    expect(good.data.logMessages.accepted).toBe(1);
    for (const idempotencyKey of ['', 'k'.repeat(256)]) {
      const answer = await logMessages(h, serviceKey, { batch: [exchange(person.id)], idempotencyKey });
      expect(answer.code).toBe('BAD_USER_INPUT');
    }
  });
});

describe('messageLogs', () => {
  const LOGS = `query($filter: MessageLogFilter!, $reason: String!, $first: Int, $after: String) {
    messageLogs(filter: $filter, reason: $reason, first: $first, after: $after) {
      nodes { id model messages { role content } } pageInfo { hasNextPage endCursor } totalCount } }`;
  let person: Person;
  let reader: { token: string };
  const look = (variables: object, call: object = reader) =>
    h.graphql(LOGS, { ...call, variables: { reason: 'ticket 7', ...variables } });

  beforeAll(async () => {
    person = await h.person();
    reader = await h.admin(['messages:read', 'users:read']);
    const at = (minutes: number) => new Date(h.app.now().getTime() - minutes * MINUTE).toISOString();
    await logged({
      batch: [1, 2, 3, 4, 5].map((n) =>
        exchange(person.id, `n${n}`, { model: n % 2 ? 'odd' : 'even', occurredAt: at(60 - n) }),
      ),
    });
  });

  it('shows what was said, newest first, by model and time, a page at a time', async () => {
    const filter = { userId: person.id };
    const { data, errors } = await look({ filter, first: 2 });
    expect(errors).toBeUndefined();
    const { nodes, pageInfo, totalCount } = data.messageLogs;
    expect(nodes.map((node: { messages: { content: string }[] }) => node.messages[0]?.content)).toEqual(['n5', 'n4']);
    expect([totalCount, pageInfo.hasNextPage]).toEqual([5, true]);
    const next = await look({ filter, first: 3, after: pageInfo.endCursor });
    expect(next.data.messageLogs.nodes).toHaveLength(3);
    const odd = await look({ filter: { ...filter, model: 'odd' } });
    expect(odd.data.messageLogs.totalCount).toBe(3);
    const from = new Date(h.app.now().getTime() - 57.5 * MINUTE).toISOString();
    expect((await look({ filter: { ...filter, from } })).data.messageLogs.totalCount).toBe(3);
    expect((await look({ filter: { ...filter, to: from } })).data.messageLogs.totalCount).toBe(2);
  });

  it('always leaves a record that the person sees, with the reason', async () => {
    await look({ filter: { userId: person.id }, reason: 'ticket 8' });
    const history = `{ me { securityHistory(first: 1) { nodes { action actorKind reason ip } } } }`;
    const { data } = await h.graphql(history, { token: person.token });
    expect(data.me.securityHistory.nodes).toEqual([
      { action: 'user.messages_viewed', actorKind: 'ADMIN', reason: 'ticket 8', ip: null },
    ]);
  });

  it('refuses without a reason, for unknown people and for bad input', async () => {
    const filter = { userId: person.id };
    expect((await look({ filter, reason: ' ' })).code).toBe('BAD_USER_INPUT');
    expect((await look({ filter: { userId: newId() } })).code).toBe('NOT_FOUND');
    expect((await look({ filter: { userId: 'x' } })).code).toBe('BAD_USER_INPUT');
    expect((await look({ filter, first: 101 })).code).toBe('BAD_USER_INPUT');
    const now = h.app.now().toISOString();
    expect((await look({ filter: { ...filter, from: now, to: now } })).code).toBe('BAD_USER_INPUT');
  });

  it('who lacks messages:read is refused; who may look at people sees that there were messages, not what they say', async () => {
    const support = await h.admin(['users:read']);
    expect((await look({ filter: { userId: person.id } }, support)).code).toBe('FORBIDDEN');
    expect((await look({ filter: { userId: person.id } }, { token: person.token })).code).toBe('FORBIDDEN');
    const query = `query($id: ID!) { user(id: $id) { messages { nodes { model messageCount messages { content } } } } }`;
    const { data } = await h.graphql(query, { token: support.token, variables: { id: person.id } });
    expect(data.user.messages.nodes[0]).toEqual({ model: 'odd', messageCount: 2, messages: null });
  });
});

it('who lacks messages:write is refused', async () => {
  const person = await h.person();
  const { key } = await h.service(['usage:write']);
  const input = { batch: [exchange(person.id)] };
  expect((await logMessages(h, key, input)).code).toBe('FORBIDDEN');
  const query = `mutation($input: LogMessagesInput!) { logMessages(input: $input) { accepted } }`;
  expect((await h.graphql(query, { token: person.token, variables: { input } })).code).toBe('FORBIDDEN');
  expect((await h.graphql(query, { variables: { input } })).code).toBe('UNAUTHENTICATED');
});

describe('over time', () => {
  it('a key that has grown old is followed by another, and both are read', async () => {
    const person = await h.person();
    await logged({ batch: [exchange(person.id, 'old')] });
    await h.app.db
      .update(dataKeys)
      .set({ createdAt: new Date(h.app.now().getTime() - 91 * DAY) })
      .where(eq(dataKeys.userId, person.id));
    await logged({ batch: [exchange(person.id, 'new')] });
    const prefixes = (await rowsOf(person.id)).map((row) => row.sealedContent.slice(0, 5)).sort();
    expect(prefixes).toEqual(['d1.1.', 'd1.2.']);
    const { nodes } = await myMessages(person.token);
    const said = nodes.map((node: { messages: { content: string }[] }) => node.messages[0]?.content);
    expect(said.sort()).toEqual(['new', 'old']);
  });

  it('messages outlive their person’s leaving as long as they can come back', async () => {
    const person = await h.person();
    const { token } = await h.admin(['users:delete']);
    await logged({ batch: [exchange(person.id, 'still here')] });
    await deleteUser(h, { token }, person.id);
    await restoreUser(h, { token }, { userId: person.id });
    const again = await signIn(h, { identifier: person.username });
    expect((await myMessages(again.token)).nodes[0].messages[0].content).toBe('still here');
  });

  it('what is older than messages are kept is deleted, and nothing else', async () => {
    const person = await h.person();
    await logged({ batch: [exchange(person.id, 'first')] });
    h.clock.advance(20 * DAY);
    await logged({ batch: [exchange(person.id, 'second')] });
    h.clock.advance(10 * DAY + MINUTE);
    expect(await purgeMessages(h.app)).toBeGreaterThan(0);
    expect(await rowsOf(person.id)).toHaveLength(1);
    expect(await purgeMessages(h.app)).toBe(0);
  });
});
