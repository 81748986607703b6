import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startExpireHolds } from '../../src/jobs/expire-holds.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { creditAccounts, creditHolds } from '../../src/modules/credits/credits.table.js';
import { expireDueHolds } from '../../src/modules/credits/holds.service.js';
import { createOwner } from '../support/credits.js';
import { createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let service: string;
let keys = 0;
const key = () => {
  keys += 1;
  return `key-${keys}`;
};

beforeAll(async () => {
  h = await createHarness();
  service = (await h.service(['credits:use', 'credits:read', 'credits:grant'])).key;
});
afterAll(() => h.close());

const HOLD_FIELDS =
  '{ id amount capturedAmount status expiresAt description referenceType referenceId createdAt resolvedAt }';
const HOLD = `mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { hold ${HOLD_FIELDS} account { balance held available } replayed } }`;
const CAPTURE = `mutation($input: CaptureCreditsInput!) { captureCredits(input: $input)
  { hold ${HOLD_FIELDS} transaction { id kind amount balanceAfter holdId description referenceType referenceId metadata } account { balance held available } replayed } }`;
const RELEASE = `mutation($input: ReleaseCreditsInput!) { releaseCredits(input: $input) { hold ${HOLD_FIELDS} account { balance held available } replayed } }`;

const send = (query: string, input: Record<string, unknown>, serviceKey = service) =>
  h.graphql(query, { serviceKey, variables: { input: { idempotencyKey: key(), ...input } } });

async function balanceOf(userId: string) {
  const { data } = await h.graphql(
    'query($userId: ID!) { creditBalance(userId: $userId) { balance held available } }',
    {
      serviceKey: service,
      variables: { userId },
    },
  );
  return data.creditBalance;
}

/** A hold of 10 out of 100. */
async function held(input: Record<string, unknown> = {}): Promise<{ userId: string; holdId: string }> {
  const userId = await createOwner(h.app, { balance: 100 });
  const { data, errors } = await send(HOLD, { userId, amount: 10, ...input });
  expect(errors).toBeUndefined();
  return { userId, holdId: data.holdCredits.hold.id };
}

const suspend = (id: string) =>
  h.app.db.update(users).set({ status: 'SUSPENDED', suspendedAt: h.app.now() }).where(eq(users.id, id));

describe('holdCredits', () => {
  it('sets credits aside for 15 minutes and leaves the balance as it is', async () => {
    const userId = await createOwner(h.app, { balance: 100 });
    const { data } = await send(HOLD, {
      userId,
      amount: 5,
      description: 'a long answer',
      referenceType: 'chat',
      referenceId: 'c1',
    });
    const { hold } = data.holdCredits;
    expect(data.holdCredits).toMatchObject({
      hold: {
        amount: 5,
        capturedAmount: null,
        status: 'ACTIVE',
        description: 'a long answer',
        referenceType: 'chat',
        referenceId: 'c1',
        resolvedAt: null,
      },
      account: { balance: 100, held: 5, available: 95 },
      replayed: false,
    });
    expect(Date.parse(hold.expiresAt) - Date.parse(hold.createdAt)).toBe(900_000);
  });

  it('keeps what is held from being spent or held again', async () => {
    const userId = await createOwner(h.app, { balance: 10 });
    await send(HOLD, { userId, amount: 8 });
    const more = await send(HOLD, { userId, amount: 3 });
    expect(more).toMatchObject({ status: 402, code: 'INSUFFICIENT_CREDITS' });
    expect(more.errors?.[0]?.extensions).toMatchObject({ needed: 3, available: 2 });
    const spend = await h.graphql(`mutation($input: UseCreditsInput!) { useCredits(input: $input) { replayed } }`, {
      serviceKey: service,
      variables: { input: { userId, amount: 3, idempotencyKey: key() } },
    });
    expect(spend.code).toBe('INSUFFICIENT_CREDITS');
  });

  it('answers the same key with the hold as it was then, whatever became of it', async () => {
    const userId = await createOwner(h.app, { balance: 100 });
    const input = { userId, amount: 10, idempotencyKey: key() };
    const first = await send(HOLD, input);
    await send(CAPTURE, { holdId: first.data.holdCredits.hold.id, amount: 4 });
    const again = await send(HOLD, input);
    expect(again.data.holdCredits).toEqual({ ...first.data.holdCredits, replayed: true });
    expect(await send(HOLD, { ...input, ttlSeconds: 60 })).toMatchObject({ status: 409, code: 'IDEMPOTENCY_CONFLICT' });
  });

  it.each([[0], [-1], [86_401]])('refuses a time of %i seconds', async (ttlSeconds) => {
    const userId = await createOwner(h.app, { balance: 10 });
    expect(await send(HOLD, { userId, amount: 1, ttlSeconds })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });

  it('refuses suspended, unverified and unknown people', async () => {
    const suspended = await createOwner(h.app, { balance: 10 });
    await suspend(suspended);
    expect(await send(HOLD, { userId: suspended, amount: 1 })).toMatchObject({
      status: 403,
      code: 'ACCOUNT_SUSPENDED',
    });
    const unverified = await createOwner(h.app, { balance: 10, verified: false });
    expect(await send(HOLD, { userId: unverified, amount: 1 })).toMatchObject({
      status: 403,
      code: 'EMAIL_NOT_VERIFIED',
    });
    expect(await send(HOLD, { userId: '01890000-0000-7000-8000-000000000000', amount: 1 })).toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
    });
  });
});

describe('captureCredits', () => {
  it('spends a part and gives the rest back', async () => {
    const { holdId } = await held({ description: 'a long answer', referenceType: 'chat', referenceId: 'c1' });
    const { data } = await send(CAPTURE, { holdId, amount: 4, metadata: { tokens: 12 } });
    expect(data.captureCredits).toMatchObject({
      hold: { id: holdId, status: 'CAPTURED', amount: 10, capturedAmount: 4, resolvedAt: expect.any(String) },
      transaction: {
        kind: 'CAPTURE',
        amount: -4,
        balanceAfter: 96,
        holdId,
        description: 'a long answer',
        referenceType: 'chat',
        referenceId: 'c1',
        metadata: { tokens: 12 },
      },
      account: { balance: 96, held: 0, available: 96 },
      replayed: false,
    });
  });

  it('spends all that is held when no amount is named', async () => {
    const { holdId } = await held();
    expect((await send(CAPTURE, { holdId })).data.captureCredits).toMatchObject({
      transaction: { amount: -10 },
      account: { balance: 90, held: 0 },
    });
  });

  it('refuses more than is held, and leaves the hold alive', async () => {
    const { userId, holdId } = await held();
    expect(await send(CAPTURE, { holdId, amount: 11 })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    expect(await balanceOf(userId)).toEqual({ balance: 100, held: 10, available: 90 });
  });

  it('answers a second time with the first result, with and without the same key', async () => {
    const { holdId } = await held();
    const input = { holdId, amount: 4, idempotencyKey: key() };
    const first = await send(CAPTURE, input);
    const expected = { ...first.data.captureCredits, replayed: true };
    expect((await send(CAPTURE, input)).data.captureCredits).toEqual(expected);
    expect((await send(CAPTURE, { holdId, amount: 9 })).data.captureCredits).toEqual(expected);
    expect(await send(CAPTURE, { ...input, amount: 5 })).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  });

  it('captures for work that was done before a suspension', async () => {
    const { userId, holdId } = await held();
    await suspend(userId);
    expect((await send(CAPTURE, { holdId })).data.captureCredits.hold.status).toBe('CAPTURED');
  });

  it('refuses a hold that was released or is past its time', async () => {
    const released = await held();
    await send(RELEASE, { holdId: released.holdId });
    const answer = await send(CAPTURE, { holdId: released.holdId });
    expect(answer).toMatchObject({ status: 409, code: 'CONFLICT' });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ status: 'RELEASED' });
    const expired = await held({ ttlSeconds: 1 });
    h.clock.advance(1_000);
    expect((await send(CAPTURE, { holdId: expired.holdId })).errors?.[0]?.extensions).toMatchObject({
      code: 'CONFLICT',
      status: 'EXPIRED',
    });
    expect(await balanceOf(expired.userId)).toEqual({ balance: 100, held: 0, available: 100 });
  });

  it('answers for another service’s hold as for one that never was', async () => {
    const other = (await h.service(['credits:use'])).key;
    const { userId, holdId } = await held();
    const unknown = await send(CAPTURE, { holdId: '01890000-0000-7000-8000-000000000000' }, other);
    const foreign = await send(CAPTURE, { holdId }, other);
    expect(foreign).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect({ ...foreign.errors?.[0], extensions: null }).toEqual({ ...unknown.errors?.[0], extensions: null });
    expect(await send(RELEASE, { holdId }, other)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect(await balanceOf(userId)).toMatchObject({ held: 10 });
    expect(await send(CAPTURE, { holdId: 'x' })).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
  });
});

describe('releaseCredits', () => {
  it('lets go of what was held, and answers a second time with the first result', async () => {
    const { holdId } = await held();
    const first = await send(RELEASE, { holdId });
    expect(first.data.releaseCredits).toMatchObject({
      hold: { status: 'RELEASED', capturedAmount: null },
      account: { balance: 100, held: 0, available: 100 },
      replayed: false,
    });
    expect((await send(RELEASE, { holdId })).data.releaseCredits).toEqual({
      ...first.data.releaseCredits,
      replayed: true,
    });
  });

  it('finds an expired hold released already', async () => {
    const { holdId } = await held({ ttlSeconds: 1 });
    h.clock.advance(1_000);
    expect((await send(RELEASE, { holdId })).data.releaseCredits).toMatchObject({
      hold: { status: 'EXPIRED' },
      replayed: true,
    });
  });

  it('refuses a hold that was captured', async () => {
    const { holdId } = await held();
    await send(CAPTURE, { holdId });
    const answer = await send(RELEASE, { holdId });
    expect(answer).toMatchObject({ status: 409, code: 'CONFLICT' });
    expect(answer.errors?.[0]?.extensions).toMatchObject({ status: 'CAPTURED' });
  });
});

describe('a hold past its time', () => {
  it('counts for nothing at once: for the balance, and for the next spend', async () => {
    const { userId } = await held({ amount: 100, ttlSeconds: 60 });
    expect(await balanceOf(userId)).toEqual({ balance: 100, held: 100, available: 0 });
    h.clock.advance(60_000);
    expect(await balanceOf(userId)).toEqual({ balance: 100, held: 0, available: 100 });
    const { data } = await send(HOLD, { userId, amount: 100 });
    expect(data.holdCredits.account).toEqual({ balance: 100, held: 100, available: 0 });
  });

  it('is ended by the job, in as many steps as it takes, and no other is', async () => {
    const due = await Promise.all([held({ ttlSeconds: 60 }), held({ ttlSeconds: 60 }), held({ ttlSeconds: 60 })]);
    const live = await held();
    h.clock.advance(60_000);
    let rounds = 0;
    for (let isDone = false; !isDone; rounds += 1) ({ isDone } = await expireDueHolds(h.app, { limit: 2 }));
    expect(rounds).toBeGreaterThan(1);
    const statusOf = async (holdId: string) =>
      (await h.app.db.select().from(creditHolds).where(eq(creditHolds.id, holdId)))[0]?.status;
    for (const { holdId, userId } of due) {
      expect(await statusOf(holdId)).toBe('EXPIRED');
      const [account] = await h.app.db.select().from(creditAccounts).where(eq(creditAccounts.userId, userId));
      expect(account).toMatchObject({ balance: 100, held: 0 });
    }
    expect(await statusOf(live.holdId)).toBe('ACTIVE');
  });

  it('is looked for in the background until the job is stopped', async () => {
    const job = startExpireHolds(h.app);
    await job.stop();
  });
});

it('lets only services with credits:use hold, capture and release', async () => {
  const person = await h.person();
  const stranger = (await h.service(['credits:grant'])).key;
  const { userId, holdId } = await held();
  for (const [query, input] of [
    [HOLD, { userId, amount: 1 }],
    [CAPTURE, { holdId }],
    [RELEASE, { holdId }],
  ] as const) {
    const variables = { input: { idempotencyKey: key(), ...input } };
    expect(await h.graphql(query, { variables })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await h.graphql(query, { variables, token: person.token })).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
    expect(await h.graphql(query, { variables, serviceKey: stranger })).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
  }
  expect(await balanceOf(userId)).toMatchObject({ held: 10 });
});
