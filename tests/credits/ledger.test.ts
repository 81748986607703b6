import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import type { App } from '../../src/core/context.js';
import { transact } from '../../src/core/database.js';
import { creditAccounts, creditTransactions } from '../../src/modules/credits/credits.table.js';
import { creditBalance, creditTransactions as history } from '../../src/modules/credits/history.service.js';
import { captureCredits, holdCredits } from '../../src/modules/credits/holds.service.js';
import { moveCredits } from '../../src/modules/credits/ledger.service.js';
import { addCredits, refundCredits, useCredits } from '../../src/modules/credits/movements.service.js';
import { codeOf, createLedger, createOwner, type Ledger, serviceActor } from '../support/credits.js';

let ledger: Ledger;
let app: App;
const actor = serviceActor();

beforeAll(async () => {
  ledger = await createLedger();
  app = ledger.app;
});
afterAll(() => ledger.close());

/** SQLSTATE of what the database says to a statement; `done` when it takes it. */
async function stateOf(statement: Promise<unknown>): Promise<string> {
  try {
    await statement;
    return 'done';
  } catch (error) {
    let cause = error;
    while (cause instanceof Error && cause.cause) cause = cause.cause;
    return String((cause as { code?: unknown }).code);
  }
}

describe('the ledger’s rows', () => {
  it('cannot be changed, deleted or emptied, not even by the server’s own statements', async () => {
    const userId = await createOwner(app, { balance: 10 });
    const of = eq(creditTransactions.userId, userId);
    expect(await stateOf(app.db.update(creditTransactions).set({ amount: 1_000 }).where(of))).toBe('23000');
    expect(await stateOf(app.db.delete(creditTransactions).where(of))).toBe('23000');
    expect(await stateOf(app.db.execute(sql`truncate credit_transactions cascade`))).toBe('23000');
    expect(await app.db.select().from(creditTransactions).where(of)).toMatchObject([
      { amount: 10, balanceAfter: 10, version: 1 },
    ]);
  });

  it('cannot name another person’s transaction or hold, nor capture one hold twice', async () => {
    const [owner, other] = [await createOwner(app, { balance: 10 }), await createOwner(app, { balance: 10 })];
    const spent = await useCredits(app, { userId: other, amount: 1, idempotencyKey: newId(), actor });
    const { hold } = await holdCredits(app, { userId: other, amount: 1, idempotencyKey: newId(), actor });
    const row = { id: newId(), userId: owner, version: 2, actorKind: 'SERVICE', createdAt: app.now() };
    const refund = {
      ...row,
      kind: 'REFUND' as const,
      amount: 1,
      balanceAfter: 11,
      refundsTransactionId: spent.transaction.id,
    };
    const capture = { ...row, kind: 'CAPTURE' as const, amount: -1, balanceAfter: 9, holdId: hold.id };
    expect(await stateOf(app.db.insert(creditTransactions).values(refund))).toBe('23503');
    expect(await stateOf(app.db.insert(creditTransactions).values(capture))).toBe('23503');
    await captureCredits(app, { holdId: hold.id, idempotencyKey: newId(), actor });
    expect(await stateOf(app.db.insert(creditTransactions).values({ ...capture, userId: other, version: 9 }))).toBe(
      '23505',
    );
  });

  it('cannot make a balance negative, nor hold more than there is', async () => {
    const userId = await createOwner(app, { balance: 10 });
    const of = eq(creditAccounts.userId, userId);
    expect(await stateOf(app.db.update(creditAccounts).set({ balance: -1 }).where(of))).toBe('23514');
    expect(await stateOf(app.db.update(creditAccounts).set({ held: 11 }).where(of))).toBe('23514');
    const wrongSign = {
      id: newId(),
      userId,
      version: 2,
      kind: 'USE' as const,
      amount: 1,
      balanceAfter: 11,
      actorKind: 'SERVICE',
      createdAt: app.now(),
    };
    expect(await stateOf(app.db.insert(creditTransactions).values(wrongSign))).toBe('23514');
  });

  it('say who moved what, in which request, and carry their times', async () => {
    const userId = await createOwner(app);
    const before = app.now();
    await addCredits(app, { userId, amount: 1, idempotencyKey: newId(), actor: { ...actor, requestId: 'request-7' } });
    const { nodes } = await history(app, { userId });
    expect(nodes).toMatchObject([{ actorKind: 'SERVICE', actorId: actor.id, requestId: 'request-7', metadata: null }]);
    expect(nodes[0]?.createdAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
  });
});

describe('a movement within a transaction', () => {
  it('stands and falls with it, its key included', async () => {
    const userId = await createOwner(app, { balance: 10 });
    const grant = {
      operation: 'ADD',
      kind: 'PURCHASE',
      userId,
      amount: 5,
      idempotencyKey: `checkout:${userId}`,
      actor,
    } as const;
    const failed = transact(app, async (app) => {
      await moveCredits(app, grant);
      throw new Error('something later failed');
    });
    await expect(failed).rejects.toThrow('something later failed');
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 10 });
    const moved = await transact(app, (app) => moveCredits(app, grant));
    expect(moved).toMatchObject({
      replayed: false,
      transaction: { kind: 'PURCHASE', amount: 5, userId },
      account: { userId, balance: 15 },
    });
    expect(await transact(app, (app) => moveCredits(app, grant))).toMatchObject({
      replayed: true,
      transaction: { id: moved.transaction?.id },
    });
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 15 });
  });

  it('can be refused without ending it', async () => {
    const userId = await createOwner(app, { balance: 10 });
    await transact(app, async (app) => {
      expect(await codeOf(useCredits(app, { userId, amount: 11, idempotencyKey: newId(), actor }))).toBe(
        'INSUFFICIENT_CREDITS',
      );
      await useCredits(app, { userId, amount: 4, idempotencyKey: newId(), actor });
      await useCredits(app, { userId, amount: 4, idempotencyKey: newId(), actor });
    });
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 2 });
  });

  it('gives back what was spent in the same transaction', async () => {
    const userId = await createOwner(app, { balance: 10 });
    await transact(app, async (app) => {
      const { transaction } = await useCredits(app, { userId, amount: 4, idempotencyKey: newId(), actor });
      await refundCredits(app, { transactionId: transaction.id, amount: 1, idempotencyKey: newId(), actor });
      expect(
        await codeOf(refundCredits(app, { transactionId: transaction.id, amount: 4, idempotencyKey: newId(), actor })),
      ).toBe('CONFLICT');
    });
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 7 });
  });
});

describe('movements that arrive together', () => {
  it('do not suffer from one that the database cannot take', async () => {
    const userId = await createOwner(app, { balance: 100 });
    const poison = { ...actor, id: 'not a uuid' };
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        codeOf(
          useCredits(app, { userId, amount: 1, idempotencyKey: newId(), actor: index % 10 === 5 ? poison : actor }),
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(27);
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 73 });
  });

  it('are judged in the order of their arrival', async () => {
    const userId = await createOwner(app, { balance: 10 });
    const amounts = [4, 4, 4, 2, 1];
    const outcomes = await Promise.all(
      amounts.map((amount) => codeOf(useCredits(app, { userId, amount, idempotencyKey: newId(), actor }))),
    );
    expect(outcomes).toEqual(['done', 'done', 'INSUFFICIENT_CREDITS', 'done', 'INSUFFICIENT_CREDITS']);
  });

  it('see a twin’s refusal as their own question, and its success as the answer', async () => {
    const userId = await createOwner(app, { balance: 5 });
    const spend = (amount: number, idempotencyKey: string) =>
      useCredits(app, { userId, amount, idempotencyKey, actor });
    const [, refused, alsoRefused, topUp, done, replay, conflict] = await Promise.all([
      spend(1, `${userId}:0`),
      codeOf(spend(6, `${userId}:1`)),
      codeOf(spend(6, `${userId}:1`)),
      addCredits(app, { userId, amount: 10, idempotencyKey: userId, actor }),
      spend(6, `${userId}:1`),
      spend(6, `${userId}:1`),
      codeOf(spend(7, `${userId}:1`)),
    ]);
    expect([refused, alsoRefused, conflict]).toEqual([
      'INSUFFICIENT_CREDITS',
      'INSUFFICIENT_CREDITS',
      'IDEMPOTENCY_CONFLICT',
    ]);
    expect(topUp.account.balance).toBe(14);
    expect(done).toMatchObject({ replayed: false, account: { balance: 8 } });
    expect(replay).toEqual({ ...done, replayed: true });
  });
});

describe('corrections', () => {
  it('reach accounts that their owner may not spend from, and stop at zero all the same', async () => {
    const userId = await createOwner(app, { balance: 10, verified: false });
    const take = (amount: number) =>
      moveCredits(app, { operation: 'USE', kind: 'CLAWBACK', userId, amount, idempotencyKey: newId(), actor });
    expect((await take(10)).transaction).toMatchObject({ kind: 'CLAWBACK', amount: -10 });
    expect(await codeOf(take(1))).toBe('INSUFFICIENT_CREDITS');
    expect(await codeOf(useCredits(app, { userId, amount: 1, idempotencyKey: newId(), actor }))).toBe(
      'EMAIL_NOT_VERIFIED',
    );
  });
});
