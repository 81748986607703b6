import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import type { App } from '../../src/core/context.js';
import { transact } from '../../src/core/database.js';
import { creditBalance } from '../../src/modules/credits/history.service.js';
import { expireDueHolds, holdCredits } from '../../src/modules/credits/holds.service.js';
import { moveCredits } from '../../src/modules/credits/ledger.service.js';
import { addCredits, useCredits as spendCredits } from '../../src/modules/credits/movements.service.js';
import {
  codeOf,
  createLedger,
  createOwner,
  type Ledger,
  openSecondInstance,
  serviceActor,
} from '../support/credits.js';

let ledger: Ledger;
let app: App;
const actor = serviceActor();

beforeAll(async () => {
  ledger = await createLedger();
  app = ledger.app;
});
afterAll(() => ledger.close());

/** Keeps an account locked by a transaction of somebody else's until told to let go. */
async function lockAccount(userId: string): Promise<() => Promise<void>> {
  const locked = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const held = transact(app, async (app) => {
    await app.db.execute(sql`select from credit_accounts where user_id = ${userId} for update`);
    locked.resolve();
    await letGo.promise;
  });
  await locked.promise;
  return () => {
    letGo.resolve();
    return held;
  };
}

/** Resolves when a statement in this database stands waiting for another's lock. */
async function someoneWaits(): Promise<void> {
  const query = `select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  for (let waiting = 0; waiting === 0; )
    waiting = (await app.sql.query<{ waiting: number }>(query, []))[0]?.waiting ?? 0;
}

const spend = (userId: string, app_: App = app) =>
  spendCredits(app_, { userId, amount: 1, idempotencyKey: newId(), actor });

describe('an account that is locked by a transaction', () => {
  it('is waited for, and its movements are applied as soon as it is free', async () => {
    const userId = await createOwner(app, { balance: 10 });
    const letGo = await lockAccount(userId);
    const spends = Promise.all([spend(userId), spend(userId)]);
    // Reads go on meanwhile: nothing waits on the lane that they share.
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 10 });
    await letGo();
    await spends;
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 8 });
  });

  it('does not fail the movements of others that came with its own, and refuses its own with "again later"', async () => {
    const [busy, free] = [await createOwner(app, { balance: 10 }), await createOwner(app, { balance: 10 })];
    const letGo = await lockAccount(busy);
    const outcomes = await Promise.all([
      codeOf(spend(busy)),
      codeOf(spend(free)),
      codeOf(spend(busy)),
      codeOf(spend(free)),
    ]);
    expect(outcomes).toEqual(['RETRY_LATER', 'done', 'RETRY_LATER', 'done']);
    await letGo();
    expect(await creditBalance(app, { userId: busy })).toMatchObject({ balance: 10 });
    expect(await creditBalance(app, { userId: free })).toMatchObject({ balance: 8 });
  });

  it('is left alone by hold expiry', async () => {
    const [busy, free] = [await createOwner(app, { balance: 10 }), await createOwner(app, { balance: 10 })];
    for (const userId of [busy, free])
      await holdCredits(app, { userId, amount: 1, ttlSeconds: 60, idempotencyKey: newId(), actor });
    ledger.clock.advance(60_000);
    const letGo = await lockAccount(busy);
    expect(await expireDueHolds(app, { limit: 100 })).toEqual({ expired: 1, isDone: true });
    await letGo();
    expect(await expireDueHolds(app, { limit: 100 })).toEqual({ expired: 1, isDone: true });
  });
});

describe('two instances', () => {
  it('never wait for each other in a circle, whatever accounts they name in whatever order', async () => {
    const second = await openSecondInstance(app);
    const owners = await Promise.all(Array.from({ length: 12 }, () => createOwner(app, { balance: 100 })));
    // Half of them pass through the shared lanes, half in transactions that touch two accounts, in id order.
    const calls = Array.from({ length: 80 }, async (_, index) => {
      const instance = index % 2 ? app : second.app;
      const [one, two] = [owners[index % 12] ?? '', owners[(index * 7 + 5) % 12] ?? ''].sort();
      if (index % 4 < 2) return codeOf(spend(one ?? '', instance));
      return codeOf(
        transact(instance, async (app) => {
          await moveCredits(app, {
            operation: 'USE',
            kind: 'USE',
            userId: one ?? '',
            amount: 1,
            idempotencyKey: newId(),
            actor,
          });
          await moveCredits(app, {
            operation: 'ADD',
            kind: 'GRANT',
            userId: two ?? '',
            amount: 1,
            idempotencyKey: newId(),
            actor,
          });
        }),
      );
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['done']));
    const total = (await Promise.all(owners.map((userId) => creditBalance(app, { userId })))).reduce(
      (sum, { balance }) => sum + balance,
      0,
    );
    expect(total).toBe(12 * 100 - 40);
    await second.close();
  });

  it('agree on who has a key, when two transactions take it for two accounts', async () => {
    const [one, two] = [await createOwner(app), await createOwner(app)];
    const idempotencyKey = newId();
    const grant = (app: App, userId: string) =>
      moveCredits(app, { operation: 'ADD', kind: 'PURCHASE', userId, amount: 5, idempotencyKey, actor });
    const taken = Promise.withResolvers<void>();
    const letGo = Promise.withResolvers<void>();
    const first = transact(app, async (app) => {
      await grant(app, one);
      taken.resolve();
      await letGo.promise;
    });
    await taken.promise;
    const second = codeOf(transact(app, (app) => grant(app, two)));
    await someoneWaits();
    letGo.resolve();
    await first;
    expect(await second).toBe('IDEMPOTENCY_CONFLICT');
    expect(await creditBalance(app, { userId: one })).toMatchObject({ balance: 5 });
    expect(await creditBalance(app, { userId: two })).toMatchObject({ balance: 0 });
  });

  it('agree about an account that both make at the same moment', async () => {
    const second = await openSecondInstance(app);
    for (let round = 0; round < 10; round += 1) {
      const owners = await Promise.all([createOwner(app), createOwner(app), createOwner(app)]);
      const grants = [app, second.app, app, second.app].flatMap((instance) =>
        owners.map((userId) => addCredits(instance, { userId, amount: 1, idempotencyKey: newId(), actor })),
      );
      await Promise.all(grants);
      for (const userId of owners) expect(await creditBalance(app, { userId })).toMatchObject({ balance: 4 });
    }
    await second.close();
  });
});

describe('a connection that breaks', () => {
  it('answers that the outcome is unknown, and the same key then says what it was', async () => {
    const userId = await createOwner(app, { balance: 1_000 });
    const keys = Array.from({ length: 200 }, () => newId());
    const spendOnce = (idempotencyKey: string) => spendCredits(app, { userId, amount: 1, idempotencyKey, actor });
    const outcomes = keys.map((key) => codeOf(spendOnce(key)));
    await app.db.execute(
      sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    const first = await Promise.all(outcomes);
    for (const [index, key] of keys.entries()) {
      let answer = await codeOf(spendOnce(key));
      while (answer !== 'done') answer = await codeOf(spendOnce(key));
      if (first[index] === 'done') expect((await spendOnce(key)).replayed).toBe(true);
    }
    expect(await creditBalance(app, { userId })).toMatchObject({ balance: 800 });
  });
});
