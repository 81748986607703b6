import { and, eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import type { App } from '../../src/core/context.js';
import { creditAccounts } from '../../src/modules/credits/credits.table.js';
import { ledgerHealth } from '../../src/modules/credits/health.service.js';
import { creditBalance } from '../../src/modules/credits/history.service.js';
import {
  captureCredits,
  expireDueHolds,
  holdCredits,
  releaseCredits,
} from '../../src/modules/credits/holds.service.js';
import { addCredits, refundCredits, useCredits } from '../../src/modules/credits/movements.service.js';
import {
  codeOf,
  createLedger,
  createOwner,
  type Ledger,
  openSecondInstance,
  serviceActor,
  tally,
} from '../support/credits.js';

let ledger: Ledger;
let app: App;
let second: Awaited<ReturnType<typeof openSecondInstance>>;
const actor = serviceActor();

beforeAll(async () => {
  ledger = await createLedger();
  app = ledger.app;
  second = await openSecondInstance(app);
});
afterAll(async () => {
  await second.close();
  await ledger.close();
});

/** Calls spread over two instances, all at once. */
function atOnce<T>(count: number, call: (app: App, index: number) => Promise<T>): Promise<T>[] {
  return Array.from({ length: count }, (_, index) => call(index % 2 ? second.app : app, index));
}

/** What the ledger must never be: looks, thinks, writes. Known to overspend; it shows that the race is a race. */
async function spendCarelessly(app: App, options: { userId: string; amount: number }): Promise<void> {
  const { userId, amount } = options;
  const [account] = await app.db.select().from(creditAccounts).where(eq(creditAccounts.userId, userId));
  if (!account || account.balance < amount)
    throw Object.assign(new Error('too little'), { code: 'INSUFFICIENT_CREDITS' });
  await app.db
    .update(creditAccounts)
    .set({ balance: account.balance - amount })
    .where(and(eq(creditAccounts.userId, userId)));
}

describe('spending at once', () => {
  it('lets 200 spends of 10 take exactly the 100 that are there', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const spend = (app: App) => codeOf(useCredits(app, { userId, amount: 10, idempotencyKey: newId(), actor }));
    expect(tally(await Promise.all(atOnce(200, spend)))).toEqual({ done: 10, INSUFFICIENT_CREDITS: 190 });
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 0, available: 0 });
  });

  it('would notice: a careless twin overspends in the same race', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const outcomes = await Promise.all(atOnce(200, (app) => codeOf(spendCarelessly(app, { userId, amount: 10 }))));
    expect(tally(outcomes).done).toBeGreaterThan(10);
    await app.db.execute(sql`update credit_accounts set balance = 100 where user_id = ${userId}`);
  });

  it('keeps many accounts right at once, each movement with its own verdict', async () => {
    const owners = await Promise.all(
      Array.from({ length: 20 }, (_, index) => createOwner(app, { balance: index + 1 })),
    );
    const outcomes = await Promise.all(
      atOnce(20 * 40, async (app, index) => {
        const place = index % 20;
        const code = await codeOf(
          useCredits(app, { userId: owners[place] ?? '', amount: 1, idempotencyKey: newId(), actor }),
        );
        return code === 'done' ? place : -1;
      }),
    );
    expect(owners.map((_, place) => outcomes.filter((outcome) => outcome === place).length)).toEqual(
      owners.map((_, place) => place + 1),
    );
  });
});

describe('one key at once', () => {
  it('has one effect and 49 replays of it, over two instances', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const answers = await Promise.all(
      atOnce(50, (app) => useCredits(app, { userId, amount: 3, idempotencyKey: 'once', actor })),
    );
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(answers.map(({ transaction }) => transaction.id)).size).toBe(1);
    expect(answers.every(({ account }) => account.balance === 97)).toBe(true);
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 97 });
  });

  it('has one effect and conflicts for all who mean something else by it, also on other accounts', async () => {
    const owners = await Promise.all(Array.from({ length: 25 }, () => createOwner(app, { balance: 10 })));
    const grant = (app: App, index: number) =>
      codeOf(
        useCredits(app, {
          userId: owners[index % 25] ?? '',
          amount: 1 + (index % 2),
          idempotencyKey: 'claimed',
          actor,
        }),
      );
    const counts = tally(await Promise.all(atOnce(100, grant)));
    // Two of a hundred are alike (25 accounts, two amounts): the winner and its one equal.
    expect(counts).toEqual({ done: 2, IDEMPOTENCY_CONFLICT: 98 });
    const balances = await Promise.all(owners.map((userId) => creditBalance(app, { userId })));
    expect(balances.filter(({ balance }) => balance < 10)).toHaveLength(1);
  });

  it('makes one account for somebody who has none', async () => {
    const userId = await createOwner(app);
    await Promise.all(
      atOnce(40, (app, index) => addCredits(app, { userId, amount: 1, idempotencyKey: `grant-${index}`, actor })),
    );
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 40 });
  });
});

describe('holds at once', () => {
  it('hold exactly what is there', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const hold = (app: App) => codeOf(holdCredits(app, { userId, amount: 10, idempotencyKey: newId(), actor }));
    expect(tally(await Promise.all(atOnce(60, hold)))).toEqual({ done: 10, INSUFFICIENT_CREDITS: 50 });
    expect(await creditBalance(app, { userId })).toEqual({ userId, balance: 100, held: 100, available: 0 });
  });

  it('are captured once, however many capture', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const { hold } = await holdCredits(app, { userId, amount: 10, idempotencyKey: newId(), actor });
    const answers = await Promise.all(
      atOnce(40, (app, index) =>
        captureCredits(app, { holdId: hold.id, amount: 1 + (index % 10), idempotencyKey: newId(), actor }),
      ),
    );
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(answers.map(({ transaction }) => transaction.id)).size).toBe(1);
    const taken = -(answers[0]?.transaction.amount ?? 0);
    expect(await creditBalance(app, { userId })).toEqual({
      userId,
      balance: 100 - taken,
      held: 0,
      available: 100 - taken,
    });
  });

  it('end in one way when capture, release and expiry meet', async () => {
    const userId = await createOwner(app, { balance: 1_000 });
    const ids: string[] = [];
    for (let index = 0; index < 20; index += 1) {
      ids.push(
        (await holdCredits(app, { userId, amount: 10, ttlSeconds: 60, idempotencyKey: newId(), actor })).hold.id,
      );
    }
    ledger.clock.advance(60_000);
    await Promise.all([
      ...ids.map((holdId) => codeOf(captureCredits(app, { holdId, idempotencyKey: newId(), actor }))),
      ...ids.map((holdId) => codeOf(releaseCredits(second.app, { holdId, idempotencyKey: newId(), actor }))),
      expireDueHolds(app, { limit: 10 }),
      expireDueHolds(second.app, { limit: 10 }),
    ]);
    expect(await creditBalance(app, { userId })).toEqual({ userId, balance: 1_000, held: 0, available: 1_000 });
  });

  it('end in one way when capture and release meet in time', async () => {
    const userId = await createOwner(app, { balance: 100 });
    for (let index = 0; index < 10; index += 1) {
      const { hold } = await holdCredits(app, { userId, amount: 10, idempotencyKey: newId(), actor });
      const before = await creditBalance(app, { userId });
      const outcomes = await Promise.all([
        codeOf(captureCredits(app, { holdId: hold.id, idempotencyKey: newId(), actor })),
        codeOf(releaseCredits(second.app, { holdId: hold.id, idempotencyKey: newId(), actor })),
      ]);
      expect(outcomes.sort()).toEqual(['CONFLICT', 'done']);
      const after = await creditBalance(app, { userId });
      expect([before.balance, before.balance - 10]).toContain(after.balance);
      expect(after.held).toBe(0);
    }
  });
});

describe('refunds at once', () => {
  it('give back no more than was spent', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const { transaction } = await useCredits(app, { userId, amount: 100, idempotencyKey: newId(), actor });
    const refund = (app: App) =>
      codeOf(refundCredits(app, { transactionId: transaction.id, amount: 7, idempotencyKey: newId(), actor }));
    expect(tally(await Promise.all(atOnce(50, refund)))).toEqual({ done: 14, CONFLICT: 36 });
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 98 });
  });
});

it('leaves books that add up', async () => {
  expect(await ledgerHealth(app)).toMatchObject({ ok: true, broken: [] });
});
