import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { ledgerHealth } from '../../src/modules/credits/health.service.js';
import { captureCredits, holdCredits } from '../../src/modules/credits/holds.service.js';
import { refundCredits, useCredits as spend } from '../../src/modules/credits/movements.service.js';
import { createOwner, serviceActor } from '../support/credits.js';
import { createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let token: string;
let victim: string;
const actor = serviceActor();
const HEALTH =
  '{ ledgerHealth { ok checkedAt accounts transactions holds brokenAccounts broken { userId problems } } }';
const ask = async () => (await h.graphql(HEALTH, { token })).data.ledgerHealth;

beforeAll(async () => {
  h = await createHarness();
  token = (await h.admin(['billing:read'])).token;
  for (let index = 0; index < 5; index += 1) await createOwner(h.app, { balance: 10 });
});
afterAll(() => h.close());

beforeEach(async () => {
  victim = await createOwner(h.app, { balance: 100 });
  const { app } = h;
  const { transaction } = await spend(app, { userId: victim, amount: 40, idempotencyKey: newId(), actor });
  await refundCredits(app, { transactionId: transaction.id, amount: 10, idempotencyKey: newId(), actor });
  const { hold } = await holdCredits(app, { userId: victim, amount: 20, idempotencyKey: newId(), actor });
  await captureCredits(app, { holdId: hold.id, amount: 5, idempotencyKey: newId(), actor });
  await holdCredits(app, { userId: victim, amount: 7, idempotencyKey: newId(), actor });
});

/** As somebody with the database's own password might: around every guard. Undone after the look. */
async function tampered(statement: string): Promise<Record<string, unknown>> {
  const undo = new Error('undo');
  let answer: Record<string, unknown> = {};
  await h.app.db
    .transaction(async (tx) => {
      await tx.execute(sql`alter table credit_transactions disable trigger all`);
      await tx.execute(sql.raw(statement.replaceAll(':victim', `'${victim}'`)));
      answer = { ...(await ledgerHealth({ ...h.app, db: tx })) };
      throw undo;
    })
    .catch((error) => {
      if (error !== undo) throw error;
    });
  return answer;
}

describe('ledgerHealth', () => {
  it('finds healthy books healthy, and says how much it looked at', async () => {
    const before = await ask();
    expect(before).toMatchObject({ ok: true, brokenAccounts: 0, broken: [] });
    await createOwner(h.app, { balance: 1 });
    const after = await ask();
    expect(after).toMatchObject({
      ok: true,
      accounts: before.accounts + 1,
      transactions: before.transactions + 1,
      holds: before.holds,
    });
  });

  it.each([
    [
      'a balance that was raised',
      `update credit_accounts set balance = balance + 1 where user_id = :victim`,
      'balance',
    ],
    [
      'a row that was changed',
      `update credit_transactions set amount = -1 where user_id = :victim and version = 2`,
      'sum up',
    ],
    [
      'a row that is gone',
      `delete from credit_transactions where user_id = :victim and version = 3`,
      'version 4, but 3 rows',
    ],
    [
      'the last row gone',
      `delete from credit_transactions where user_id = :victim and version = 4`,
      'version 4, but 3 rows',
    ],
    [
      'a last row that ends elsewhere',
      `update credit_transactions set balance_after = 1 where user_id = :victim and version = 4`,
      'the last row left 1',
    ],
    [
      'credits held for nothing',
      `update credit_accounts set held = 30 where user_id = :victim`,
      'held 30, but live holds sum up to 7',
    ],
    [
      'a hold that nobody counted',
      `update credit_holds set amount = 8 where user_id = :victim and status = 'ACTIVE'`,
      'held 7, but live holds sum up to 8',
    ],
    [
      'more refunded than spent',
      `update credit_transactions set amount = 50 where user_id = :victim and kind = 'REFUND'`,
      'more is refunded than was spent',
    ],
  ])('finds %s', async (_, statement, problem) => {
    const answer = await tampered(statement);
    expect(answer).toMatchObject({ ok: false, brokenAccounts: 1, broken: [{ userId: victim }] });
    expect(JSON.stringify(answer.broken)).toContain(problem);
  });

  it('is for admins with billing:read alone', async () => {
    const person = await h.person();
    const other = await h.admin(['users:read']);
    const service = await h.service(['credits:read']);
    expect(await h.graphql(HEALTH)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await h.graphql(HEALTH, { token: person.token })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await h.graphql(HEALTH, { token: other.token })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await h.graphql(HEALTH, { serviceKey: service.key })).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });
});
