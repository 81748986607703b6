import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/cli/ledger-verify.js';
import { newId } from '../../src/core/columns.js';
import { useCredits as spend } from '../../src/modules/credits/movements.service.js';
import { createOwner, serviceActor } from '../support/credits.js';
import { createHarness, type Harness } from '../support/harness.js';
import { quietUi } from './quiet-ui.js';

let h: Harness;
const owners: string[] = [];
const actor = serviceActor();
const look = () => checkLedger(h.app, quietUi());

beforeAll(async () => {
  h = await createHarness();
  for (let n = 0; n < 4; n += 1) {
    const userId = await createOwner(h.app, { balance: 100 });
    for (const amount of [5, 6, 7]) await spend(h.app, { userId, amount, idempotencyKey: newId(), actor });
    owners.push(userId);
  }
});
afterAll(() => h.close());

/** As somebody with the database's own password might: around every guard. Answers the outcome, and puts it back. */
async function tampered(change: string, back: string) {
  const around = (statement: string) =>
    h.app.database.alone(async (sql) => {
      await sql.query("set local session_replication_role = 'replica'", []);
      await sql.query(statement, []);
    });
  await around(change);
  try {
    return await look();
  } finally {
    await around(back);
  }
}

describe('ledger verify', () => {
  it('says that books which add up do, and how much it looked at', async () => {
    const ui = quietUi();
    const { ok, result, text } = await checkLedger(h.app, ui);
    expect(ok).toBe(true);
    expect(result).toMatchObject({ accounts: 4, brokenAccounts: 0, repeatedKeys: 0, broken: [] });
    expect(result.transactions).toBeGreaterThanOrEqual(16);
    expect(text).toContain('The ledger adds up');
    expect(ui.reached).toEqual([4]);
  });

  it('names each broken account, with everything that is wrong with it', async () => {
    const [one, two] = owners;
    const { ok, result, text } = await tampered(
      `update credit_accounts set balance = balance + 1 where user_id in ('${one}', '${two}')`,
      `update credit_accounts set balance = balance - 1 where user_id in ('${one}', '${two}')`,
    );
    expect(ok).toBe(false);
    expect(result.brokenAccounts).toBe(2);
    const broken = result.broken as { userId: string; problems: string[] }[];
    expect(broken.map(({ userId }) => userId).sort()).toEqual([one, two].sort());
    expect(broken[0]?.problems.join()).toMatch(/rows sum up to/);
    expect(text).toContain(`${one}: `);
  });

  it('finds a row whose balance does not go on from the row before, though the ends are right', async () => {
    const [one] = owners;
    const { result } = await tampered(
      `update credit_transactions set balance_after = balance_after + 3 where user_id = '${one}' and version = 2`,
      `update credit_transactions set balance_after = balance_after - 3 where user_id = '${one}' and version = 2`,
    );
    expect(result.broken).toEqual([
      { userId: one, problems: ['2 rows do not go on from the row before, the first at version 2'] },
    ]);
  });

  it('finds a movement that two keys lay claim to', async () => {
    const { ok, result } = await tampered(
      `insert into idempotency_keys (scope, key, fingerprint, answer, created_at)
         select scope, key || '-again', fingerprint, answer, created_at from idempotency_keys
          where answer ->> 'transaction' is not null limit 1`,
      "delete from idempotency_keys where key like '%-again'",
    );
    expect(ok).toBe(false);
    expect(result).toMatchObject({ brokenAccounts: 0, repeatedKeys: 1 });
    expect((await look()).ok).toBe(true);
  });
});
