import { and, eq } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { plans } from '../../src/modules/catalog/catalog.table.js';
import { usageCounters } from '../../src/modules/usage/usage.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

const CONSUME = `mutation($input: ConsumeConversationInput!) { consumeConversation(input: $input) { allowed limit used remaining resetsAt replayed } }`;
const USAGE = `query($id: ID!) { usage(userId: $id) { conversations { limit used remaining resetsAt } } }`;

let h: Harness;
let serviceKey: string;

beforeAll(async () => {
  h = await createHarness();
  serviceKey = (await h.service(['usage:read', 'usage:write'])).key;
  const plan = { messagesPerDay: null, createdAt: h.app.now() };
  await h.app.db.insert(plans).values([
    { ...plan, code: 'three', name: 'Three', conversationsPerDay: 3 },
    { ...plan, code: 'one', name: 'One', conversationsPerDay: 1 },
    { ...plan, code: 'none', name: 'None', conversationsPerDay: 0 },
    { ...plan, code: 'endless', name: 'Endless', conversationsPerDay: null },
  ]);
});
afterAll(() => h.close());
afterEach(() => h.clock.set(new Date()));

async function personWith(changes: { planCode?: string; timeZone?: string }): Promise<Person> {
  const person = await h.person();
  await h.app.db.update(users).set(changes).where(eq(users.id, person.id));
  return person;
}

const consume = (userId: string, idempotencyKey?: string | null) =>
  h.graphql(CONSUME, { serviceKey, variables: { input: { userId, idempotencyKey } } });

async function consumed(userId: string, idempotencyKey?: string) {
  const { data, errors } = await consume(userId, idempotencyKey);
  expect(errors).toBeUndefined();
  return data.consumeConversation;
}

async function usageOf(id: string) {
  const { data, errors } = await h.graphql(USAGE, { serviceKey, variables: { id } });
  expect(errors).toBeUndefined();
  return data.usage.conversations;
}

describe('consumeConversation', () => {
  it('takes one after the other until none is left, then refuses and counts nothing', async () => {
    const { id } = await personWith({ planCode: 'three' });
    for (const used of [1, 2, 3]) {
      expect(await consumed(id)).toMatchObject({ allowed: true, limit: 3, used, remaining: 3 - used, replayed: false });
    }
    for (const _ of [1, 2])
      expect(await consumed(id)).toMatchObject({ allowed: false, limit: 3, used: 3, remaining: 0 });
    expect(await usageOf(id)).toMatchObject({ limit: 3, used: 3, remaining: 0 });
  });

  it('starts anew at midnight, without a job', async () => {
    h.clock.set(new Date('2031-05-05T23:30:00Z'));
    const { id } = await personWith({ planCode: 'one' });
    expect(await consumed(id)).toMatchObject({ allowed: true, resetsAt: '2031-05-06T00:00:00.000Z' });
    expect((await consumed(id)).allowed).toBe(false);
    h.clock.set(new Date('2031-05-06T00:00:01Z'));
    expect(await usageOf(id)).toMatchObject({ used: 0, resetsAt: '2031-05-07T00:00:00.000Z' });
    expect(await consumed(id)).toMatchObject({ allowed: true, used: 1 });
  });

  it.each([
    ['Pacific/Kiritimati', '2031-05-05T09:30:00Z', '2031-05-05T10:00:00.000Z'],
    ['Pacific/Kiritimati', '2031-05-05T10:00:01Z', '2031-05-06T10:00:00.000Z'],
    ['America/Los_Angeles', '2031-05-05T12:00:00Z', '2031-05-06T07:00:00.000Z'],
    ['Asia/Kolkata', '2031-05-05T12:00:00Z', '2031-05-05T18:30:00.000Z'],
    // The day on which the clocks go forward, and back: 23 and 25 hours.
    ['Europe/Berlin', '2026-03-28T23:30:00Z', '2026-03-29T22:00:00.000Z'],
    ['Europe/Berlin', '2026-10-24T22:30:00Z', '2026-10-25T23:00:00.000Z'],
    // Midnight itself is skipped, and comes twice.
    ['Africa/Cairo', '2026-04-23T20:00:00Z', '2026-04-23T22:00:00.000Z'],
    ['America/Havana', '2026-10-31T20:00:00Z', '2026-11-01T04:00:00.000Z'],
  ])('where the person is (%s at %s) the day ends at %s', async (timeZone, now, resetsAt) => {
    const { id } = await personWith({ planCode: 'one', timeZone });
    h.clock.set(new Date(now));
    expect(await consumed(id)).toMatchObject({ allowed: true, resetsAt });
    expect((await consumed(id)).allowed).toBe(false);
    h.clock.set(new Date(new Date(resetsAt).getTime() - 300_000));
    expect(await usageOf(id)).toMatchObject({ used: 1, resetsAt });
    h.clock.set(new Date(new Date(resetsAt).getTime() + 1_000));
    expect((await usageOf(id)).used).toBe(0);
    expect((await consumed(id)).allowed).toBe(true);
  });

  it('moving to another time zone and back does not give a date a second limit', async () => {
    h.clock.set(new Date('2031-05-05T12:00:00Z'));
    const { id } = await personWith({ planCode: 'three' });
    const zones = ['UTC', 'Pacific/Kiritimati', 'Pacific/Pago_Pago'];
    let allowed = 0;
    for (let turn = 0; turn < 30; turn += 1) {
      await h.app.db
        .update(users)
        .set({ timeZone: zones[turn % 3] ?? 'UTC' })
        .where(eq(users.id, id));
      if ((await consumed(id)).allowed) allowed += 1;
    }
    // At this moment it is the 5th in two of them and the 6th in the third.
    expect(allowed).toBe(6);
  });

  it('without a limit always allows, and counts', async () => {
    const { id } = await personWith({ planCode: 'endless' });
    expect(await consumed(id)).toMatchObject({ allowed: true, limit: null, used: 1, remaining: null });
    expect(await consumed(id)).toMatchObject({ allowed: true, used: 2 });
    expect(await usageOf(id)).toMatchObject({ limit: null, used: 2, remaining: null });
  });

  it('with a limit of none never allows', async () => {
    const { id } = await personWith({ planCode: 'none' });
    expect(await consumed(id)).toMatchObject({ allowed: false, limit: 0, used: 0, remaining: 0 });
  });

  it('of a plan made smaller during the day leaves nothing, not less', async () => {
    const { id } = await personWith({ planCode: 'three' });
    for (const _ of [1, 2, 3]) await consumed(id);
    await h.app.db.update(users).set({ planCode: 'one' }).where(eq(users.id, id));
    expect(await consumed(id)).toMatchObject({ allowed: false, limit: 1, used: 3, remaining: 0 });
  });

  it('500 at once for one person with a limit of 50: exactly 50', async () => {
    const { id } = await h.person();
    const answers = await Promise.all(Array.from({ length: 500 }, () => consume(id)));
    expect(answers.filter(({ errors }) => errors)).toEqual([]);
    const allowed = answers.map(({ data }) => data.consumeConversation).filter((answer) => answer.allowed);
    expect(allowed.map(({ used }) => used).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
    const mine = and(eq(usageCounters.userId, id), eq(usageCounters.kind, 'CONVERSATIONS'));
    expect(await h.app.db.select().from(usageCounters).where(mine)).toMatchObject([{ used: 50 }]);
  });

  it('the same race has teeth: looking first and counting then lets more through', async () => {
    const { id } = await h.person();
    const { sql } = h.app.database;
    const upsert = `insert into usage_counters as c (user_id, kind, day, used) values ($1, 'CONVERSATIONS', current_date, 1)
      on conflict (user_id, kind, day) do update set used = c.used + 1`;
    const naive = async () => {
      const [row] = await sql.query<{ used: number }>('select used from usage_counters where user_id = $1', [id]);
      if ((row?.used ?? 0) >= 5) return false;
      await sql.query(upsert, [id]);
      return true;
    };
    const allowed = await Promise.all(Array.from({ length: 50 }, naive));
    expect(allowed.filter(Boolean).length).toBeGreaterThan(5);
  });

  it('refuses a suspended person: ACCOUNT_SUSPENDED, and counts nothing', async () => {
    const { id } = await h.person();
    await h.app.db.update(users).set({ status: 'SUSPENDED', suspendedAt: h.app.now() }).where(eq(users.id, id));
    expect((await consume(id)).code).toBe('ACCOUNT_SUSPENDED');
    expect((await usageOf(id)).used).toBe(0);
  });

  it.each([
    ['an unknown person', newId(), undefined, 'NOT_FOUND'],
    ['a word for an id', 'ada', undefined, 'BAD_USER_INPUT'],
    ['no id', '', undefined, 'BAD_USER_INPUT'],
    ['an empty key', newId(), '', 'BAD_USER_INPUT'],
    ['a key that is too long', newId(), 'k'.repeat(256), 'BAD_USER_INPUT'],
    ['a key with NUL', newId(), 'k\0', 'BAD_USER_INPUT'],
    ['a key with half a surrogate pair', newId(), 'k\ud800', 'BAD_USER_INPUT'],
  ])('refuses %s', async (_, userId, key, code) => {
    expect((await consume(userId, key)).code).toBe(code);
  });
});

describe('with an idempotency key', () => {
  it('a call that is sent again counts once and gets the first answer', async () => {
    const { id } = await personWith({ planCode: 'three' });
    const first = await consumed(id, 'k1');
    expect(first).toMatchObject({ allowed: true, used: 1, replayed: false });
    await consumed(id);
    expect(await consumed(id, 'k1')).toEqual({ ...first, replayed: true });
    expect((await usageOf(id)).used).toBe(2);
  });

  it('gets the first answer even after the limit was reached, the day ended, or the person suspended', async () => {
    const { id } = await personWith({ planCode: 'one' });
    const first = await consumed(id, 'again');
    expect((await consumed(id)).allowed).toBe(false);
    h.clock.advance(3 * 86_400_000);
    await h.app.db.update(users).set({ status: 'SUSPENDED', suspendedAt: h.app.now() }).where(eq(users.id, id));
    expect(await consumed(id, 'again')).toEqual({ ...first, replayed: true });
  });

  it('100 at once with one key count once', async () => {
    const { id } = await h.person();
    const answers = await Promise.all(Array.from({ length: 100 }, () => consumed(id, 'once')));
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(answers.map(({ used }) => used))).toEqual(new Set([1]));
    expect((await usageOf(id)).used).toBe(1);
  });

  it('the same key for another person is IDEMPOTENCY_CONFLICT, and counts nothing', async () => {
    const [one, two] = [await h.person(), await h.person()];
    await consumed(one.id, 'shared');
    expect((await consume(two.id, 'shared')).code).toBe('IDEMPOTENCY_CONFLICT');
    expect((await usageOf(two.id)).used).toBe(0);
  });

  it('of another service is another key', async () => {
    const { id } = await h.person();
    await consumed(id, 'mine');
    const other = (await h.service(['usage:write'])).key;
    const { data } = await h.graphql(CONSUME, {
      serviceKey: other,
      variables: { input: { userId: id, idempotencyKey: 'mine' } },
    });
    expect(data.consumeConversation).toMatchObject({ used: 2, replayed: false });
  });

  it('a refused call may be sent again later', async () => {
    const { id } = await personWith({ planCode: 'one' });
    await consumed(id);
    expect((await consumed(id, 'later')).allowed).toBe(false);
    h.clock.advance(86_400_000);
    expect(await consumed(id, 'later')).toMatchObject({ allowed: true, used: 1, replayed: false });
  });
});

describe('usage', () => {
  it('says the same to the person, through me, and to a service', async () => {
    const person = await h.person();
    await consumed(person.id);
    const query = `{ me { usage { conversations { limit used remaining resetsAt } } } }`;
    const { data } = await h.graphql(query, { token: person.token });
    expect(data.me.usage.conversations).toMatchObject({ limit: 50, used: 1, remaining: 49 });
    expect(data.me.usage.conversations).toEqual(await usageOf(person.id));
  });

  it('of a list of people is read by one query', async () => {
    const { token } = await h.admin(['users:read']);
    for (const _ of [1, 2, 3]) await h.person();
    const { sql } = h.app.database;
    const { query } = sql;
    let reads = 0;
    sql.query = (text, params) => {
      if (text.includes('usage_counters')) reads += 1;
      return query.call(sql, text, params) as never;
    };
    try {
      const { data } = await h.graphql(`{ users(first: 50) { nodes { usage { conversations { used } } } } }`, {
        token,
      });
      expect(data.users.nodes.length).toBeGreaterThan(3);
      expect(data.users.nodes.every((node: { usage: unknown }) => node.usage)).toBe(true);
    } finally {
      sql.query = query;
    }
    expect(reads).toBe(1);
  });

  it('an unknown id is NOT_FOUND, a malformed one BAD_USER_INPUT', async () => {
    expect((await h.graphql(USAGE, { serviceKey, variables: { id: newId() } })).code).toBe('NOT_FOUND');
    expect((await h.graphql(USAGE, { serviceKey, variables: { id: 'x' } })).code).toBe('BAD_USER_INPUT');
  });
});

it('who lacks the scope is refused', async () => {
  const person = await h.person();
  const { key: readOnly } = await h.service(['usage:read']);
  const { key: writeOnly } = await h.service(['usage:write']);
  const { token: admin } = await h.admin(['users:read', 'users:write']);
  const variables = { id: person.id, input: { userId: person.id } };
  const call = (document: string, by: object) => h.graphql(document, { ...by, variables });
  expect((await call(CONSUME, { serviceKey: readOnly })).code).toBe('FORBIDDEN');
  expect((await call(USAGE, { serviceKey: writeOnly })).code).toBe('FORBIDDEN');
  for (const document of [CONSUME, USAGE]) {
    expect((await call(document, { token: person.token })).code).toBe('FORBIDDEN');
    expect((await call(document, { token: admin })).code).toBe('FORBIDDEN');
    expect((await call(document, {})).code).toBe('UNAUTHENTICATED');
  }
});
