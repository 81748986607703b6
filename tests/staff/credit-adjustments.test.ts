import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';
import { adjustCredits, historyOf } from './operations.js';

const CAP = 1000;

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
  h.clock.set(new Date('2026-05-04T09:00:00Z'));
  h.clock.freeze();
});
afterAll(() => h.close());

describe('adjustCredits', () => {
  it('moves a balance up and down, and the person reads why', async () => {
    const [staff, person] = [await h.staff(3), await h.person()];
    const up = await adjustCredits(h, staff, { userId: person.id, amount: 50, reason: 'outage on Monday' });
    expect(up.data.adjustCredits).toMatchObject({
      transaction: { kind: 'ADJUSTMENT', amount: 50, balanceAfter: 50, description: 'outage on Monday' },
      account: { balance: 50, available: 50 },
      replayed: false,
    });
    const down = await adjustCredits(h, staff, { userId: person.id, amount: -20 });
    expect(down.data.adjustCredits.transaction).toMatchObject({ kind: 'ADJUSTMENT', amount: -20, balanceAfter: 30 });
    expect((await historyOf(h, person))[0]).toMatchObject({ action: 'user.credits_adjusted', actorKind: 'STAFF' });
  });

  it('never goes below zero, and leaves the balance alone', async () => {
    const [staff, person] = [await h.staff(3), await h.person()];
    await adjustCredits(h, staff, { userId: person.id, amount: 5 });
    expect((await adjustCredits(h, staff, { userId: person.id, amount: -6 })).code).toBe('INSUFFICIENT_CREDITS');
    expect((await adjustCredits(h, staff, { userId: person.id, amount: -5 })).data.adjustCredits.account.balance).toBe(
      0,
    );
  });

  it('answers a key again with the first result, and takes nothing from the cap for it', async () => {
    const [staff, person] = [await h.staff(3), await h.person()];
    const input = { userId: person.id, amount: 600, idempotencyKey: 'once' };
    expect((await adjustCredits(h, staff, input)).data.adjustCredits.replayed).toBe(false);
    const again = (await adjustCredits(h, staff, input)).data.adjustCredits;
    expect(again).toMatchObject({ replayed: true, account: { balance: 600 } });
    expect((await adjustCredits(h, staff, { userId: person.id, amount: 400 })).errors).toBeUndefined();
    // Another amount, and the same amount the other way, are other inputs.
    for (const amount of [601, -600])
      expect((await adjustCredits(h, staff, { ...input, amount })).code).toBe('IDEMPOTENCY_CONFLICT');
  });

  it('refuses 0, no reason, no key, nobody, and amounts beyond all measure', async () => {
    const [staff, person] = [await h.staff(3), await h.person()];
    const userId = person.id;
    for (const wrong of [
      { amount: 0 },
      { amount: 1_000_000_001 },
      { amount: -1_000_000_001 },
      { reason: ' ' },
      { idempotencyKey: '' },
      { userId: 'x' },
    ])
      expect((await adjustCredits(h, staff, { userId, amount: 1, ...wrong })).code, JSON.stringify(wrong)).toBe(
        'BAD_USER_INPUT',
      );
    expect((await adjustCredits(h, staff, { userId: staff.id, amount: 1 })).code).toBe('NOT_FOUND');
  });
});

describe('the cap of a day', () => {
  it('counts up and down together, says what is left, and starts anew at midnight UTC', async () => {
    const [staff, person] = [await h.staff(3), await h.person()];
    expect((await adjustCredits(h, staff, { userId: person.id, amount: 600 })).errors).toBeUndefined();
    expect((await adjustCredits(h, staff, { userId: person.id, amount: -300 })).errors).toBeUndefined();
    const refused = await adjustCredits(h, staff, { userId: person.id, amount: -101 });
    expect(refused.errors?.[0]?.extensions).toMatchObject({
      code: 'LIMIT_REACHED',
      limit: CAP,
      remaining: 100,
      resetsAt: '2026-05-05T00:00:00.000Z',
    });
    expect(
      (await adjustCredits(h, staff, { userId: person.id, amount: -100 })).data.adjustCredits.account.balance,
    ).toBe(200);
    expect((await adjustCredits(h, staff, { userId: person.id, amount: 1 })).code).toBe('LIMIT_REACHED');
    // Another's cap is their own.
    expect((await adjustCredits(h, await h.staff(3), { userId: person.id, amount: 1 })).errors).toBeUndefined();
  });

  it('is none for admins who hold the permission', async () => {
    const [admin, person] = [await h.admin(['credits:adjust']), await h.person()];
    const { data } = await adjustCredits(h, admin, { userId: person.id, amount: 5 * CAP });
    expect(data.adjustCredits.account.balance).toBe(5 * CAP);
    expect((await adjustCredits(h, await h.admin(['users:write']), { userId: person.id, amount: 1 })).code).toBe(
      'FORBIDDEN',
    );
  });

  it('is exact under twenty adjustments at once, over several people', async () => {
    const staff = await h.staff(3);
    const people = [await h.person(), await h.person(), await h.person()];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => adjustCredits(h, staff, { userId: people[n % 3]?.id ?? '', amount: 150 })),
    );
    const codes = answers.map(({ code }) => code ?? 'ok');
    expect(codes.filter((code) => code === 'ok')).toHaveLength(Math.floor(CAP / 150));
    expect(new Set(codes)).toEqual(new Set(['ok', 'LIMIT_REACHED']));
    const balances = await Promise.all(
      people.map(({ token }) => h.graphql('{ me { creditAccount { balance } } }', { token })),
    );
    expect(balances.reduce((sum, { data }) => sum + data.me.creditAccount.balance, 0)).toBe(900);
  });
});
