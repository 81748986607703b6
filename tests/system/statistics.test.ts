import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { deleteOldActivity } from '../../src/modules/auth/activity.service.js';
import { activeDays } from '../../src/modules/auth/activity.table.js';
import { messageLogs } from '../../src/modules/messages/messages.table.js';
import { DAY, login, refresh, signIn } from '../auth/operations.js';
import { createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let token: string;
beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

const QUERY = `query($from: DateTime!, $to: DateTime!) { statistics(from: $from, to: $to) { days {
  day signUps activeUsers signIns failedSignIns creditsGranted creditsUsed messagesLogged } } }`;

async function ask(from: Date | string, to: Date | string) {
  token = (await h.admin(['system:read'])).token;
  return h.graphql(QUERY, { token, variables: { from, to } });
}

const NOTHING = {
  signUps: 0,
  activeUsers: 0,
  signIns: 0,
  failedSignIns: 0,
  creditsGranted: 0,
  creditsUsed: 0,
  messagesLogged: 0,
};

const startOfDay = () => new Date(Math.floor(h.clock.now().getTime() / DAY) * DAY);
const dayAfter = (start: Date, days: number) => new Date(start.getTime() + days * DAY);
const named = (start: Date, days = 0) => dayAfter(start, days).toISOString().slice(0, 10);
const noonOf = (start: Date, days = 0) => new Date(start.getTime() + days * DAY + DAY / 2);

const move = (field: string, type: string, input: Record<string, unknown>) => async (key: string) => {
  const query = `mutation($input: ${type}!) { ${field}(input: $input) { __typename } }`;
  const answer = await h.graphql(query, { serviceKey: key, variables: { input } });
  expect(answer.errors).toBeUndefined();
};

describe('statistics', () => {
  it('counts each UTC day by itself, and shows days without anything as zeros', async () => {
    h.clock.freeze();
    // A day of its own, so that the accounts of other tests are not on it.
    const start = dayAfter(startOfDay(), 2);
    h.clock.set(noonOf(start));
    const [ann, bob] = [await h.person(), await h.person()];
    await signIn(h, { identifier: ann.username });
    await login(h, { identifier: ann.username, password: 'not the password at all' });
    await login(h, { identifier: 'nobody-has-this-name', password: 'not the password at all' });

    h.clock.set(noonOf(start, 2));
    const again = await signIn(h, { identifier: ann.username });
    await refresh(h, again.refreshToken);
    await refresh(h, bob.refreshToken);
    const { key } = await h.service(['credits:grant', 'credits:use']);
    const credit = (amount: number) => ({ userId: ann.id, amount, idempotencyKey: newId() });
    await move('addCredits', 'AddCreditsInput', credit(70))(key);
    await move('addCredits', 'AddCreditsInput', credit(30))(key);
    await move('useCredits', 'UseCreditsInput', credit(25))(key);
    await h.app.db.insert(messageLogs).values({
      id: newId(),
      userId: ann.id,
      serviceId: newId(),
      model: 'a',
      sealedContent: 'sealed',
      inputTokens: 1,
      outputTokens: 1,
      messageCount: 3,
      occurredAt: h.clock.now(),
      createdAt: h.clock.now(),
    });

    const { data } = await ask(noonOf(start), noonOf(start, 3));
    expect(data.statistics.days).toEqual([
      { ...NOTHING, day: named(start), signUps: 2, activeUsers: 2, signIns: 1, failedSignIns: 1 },
      { ...NOTHING, day: named(start, 1) },
      {
        ...NOTHING,
        day: named(start, 2),
        activeUsers: 2,
        signIns: 1,
        creditsGranted: 100,
        creditsUsed: 25,
        messagesLogged: 3,
      },
      { ...NOTHING, day: named(start, 3) },
    ]);
  });

  it('turns the day at midnight UTC, to the millisecond', async () => {
    const start = dayAfter(startOfDay(), 5);
    h.clock.set(new Date(start.getTime() + DAY - 1));
    await h.person();
    h.clock.set(dayAfter(start, 1));
    await h.person();
    await h.person();
    const { data } = await ask(start, dayAfter(start, 2));
    expect(data.statistics.days).toMatchObject([
      { day: named(start), signUps: 1, activeUsers: 1 },
      { day: named(start, 1), signUps: 2, activeUsers: 2 },
    ]);
  });

  it('does not take an impersonation for the person', async () => {
    const person = await h.person();
    h.clock.set(noonOf(startOfDay(), 3));
    const admin = await h.admin(['users:impersonate']);
    const query = 'mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }';
    const variables = { input: { userId: person.id, reason: 'a look' } };
    expect((await h.graphql(query, { token: admin.token, variables })).errors).toBeUndefined();
    const { data } = await ask(startOfDay(), h.clock.now());
    expect(data.statistics.days).toEqual([{ ...NOTHING, day: named(startOfDay()) }]);
  });

  it('answers for 366 days, and for no more', async () => {
    const { data } = await ask('2024-01-01T00:00:00Z', '2025-01-01T00:00:00Z');
    expect(data.statistics.days).toHaveLength(366);
    expect(data.statistics.days[0].day).toBe('2024-01-01');
    expect(data.statistics.days[365].day).toBe('2024-12-31');
    expect((await ask('2024-01-01T00:00:00Z', '2025-01-01T00:00:00.001Z')).code).toBe('BAD_USER_INPUT');
  });

  it('includes the last moment of a year and stops before the first of the next', async () => {
    const { data } = await ask('2025-12-31T23:59:59.999Z', '2026-01-01T00:00:00Z');
    expect(data.statistics.days.map(({ day }: { day: string }) => day)).toEqual(['2025-12-31']);
  });

  it.each([
    ['2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
  ])('refuses an end that is not after the beginning: %s to %s', async (from, to) => {
    const answer = await ask(from, to);
    expect(answer.code).toBe('BAD_USER_INPUT');
    expect(answer.errors?.[0]?.extensions.fields).toEqual({ to: 'must be after from' });
  });

  it.each([
    ['0000-01-01T00:00:00Z', '0000-01-01T12:00:00Z', 'BAD_USER_INPUT'],
    ['1969-12-31T23:59:59Z', '1970-01-01T12:00:00Z', 'BAD_USER_INPUT'],
    ['1970-01-01T00:00:00Z', '1970-01-01T12:00:00Z', undefined],
    ['9998-12-31T12:00:00Z', '9998-12-31T23:59:59.999Z', undefined],
    ['9999-12-31T12:00:00Z', '9999-12-31T23:59:59.999Z', 'BAD_USER_INPUT'],
  ])('knows the ends of time: %s to %s', async (from, to, code) => {
    expect((await ask(from, to)).code).toBe(code);
  });

  it('is for admins who hold system:read', async () => {
    const variables = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    for (const viewer of [await h.admin(['users:read', 'audit:read']), await h.staff(3), await h.person()])
      expect((await h.graphql(QUERY, { token: viewer.token, variables })).code).toBe('FORBIDDEN');
    expect((await h.graphql(QUERY, { variables })).code).toBe('UNAUTHENTICATED');
  });
});

describe('the days of activity', () => {
  it('are forgotten after a year and a month, and not before', async () => {
    const person = await h.person();
    const today = startOfDay();
    const days = [named(today, -398), named(today, -397), named(today, -1)];
    await h.app.db.insert(activeDays).values(days.map((day) => ({ day, userId: person.id })));
    expect(await deleteOldActivity(h.app)).toBe(1);
    expect(await deleteOldActivity(h.app)).toBe(0);
  });
});
