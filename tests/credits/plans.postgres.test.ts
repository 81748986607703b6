import postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { useCredits } from '../../src/modules/credits/movements.service.js';
import { createLedger, createOwner, type Ledger, serviceActor } from '../support/credits.js';

let ledger: Ledger;
let client: postgres.Sql;

beforeAll(async () => {
  ledger = await createLedger();
  const { database } = ledger.app.config;
  if (database.kind !== 'postgres') throw new Error('Runs on PostgreSQL only.');
  client = postgres(database.url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await client.end();
  await ledger.close();
});

/** Index entries of the keys that were read so far, by everybody. */
async function entriesRead(): Promise<number> {
  // Each connection of the ledger hands in what it has counted; one by one, so that both are asked.
  for (let turn = 0; turn < 4; turn += 1) await ledger.app.sql.write('select pg_stat_force_next_flush()', []);
  await client`select pg_stat_clear_snapshot()`;
  const [row] =
    await client`select idx_tup_read from pg_stat_user_indexes where indexrelname = 'idempotency_keys_scope_key_pk'`;
  return Number(row?.idx_tup_read);
}

it('a batch reads no more of the keys when there are many of them, also with the statistics of an empty table', async () => {
  const { app } = ledger;
  const userId = await createOwner(app, { balance: 100_000 });
  await client`truncate idempotency_keys`;
  await client.unsafe('vacuum analyze');
  const actor = serviceActor();
  const spend = () => useCredits(app, { userId, amount: 1, idempotencyKey: newId(), actor });
  const rounds: number[] = [];
  let before = await entriesRead();
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 50 }, spend));
    const after = await entriesRead();
    rounds.push(after - before);
    before = after;
  }
  // A thousand keys by now. The round that read them all would have read them once for its batch at least.
  expect(Math.max(...rounds.slice(-5))).toBeLessThan(400);
});
