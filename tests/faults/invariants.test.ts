// The invariants are what every fault is judged by: each has to notice when it does not hold.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { linkAuditEvents } from '../../src/modules/audit/chain.service.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { findBroken, type Place } from '../support/invariants.js';
import { nothingSeen } from '../support/load.js';

let h: Harness;
let person: Person;
let where: Place;
beforeAll(async () => {
  h = await createHarness();
  person = await h.person();
  await h.admin(['users:read']);
  const { key } = await h.service(['credits:grant']);
  await h.graphql('mutation($input: AddCreditsInput!) { addCredits(input: $input) { replayed } }', {
    serviceKey: key,
    variables: { input: { userId: person.id, amount: 10, idempotencyKey: 'ten' } },
  });
  await linkAuditEvents(h.app);
  where = { database: h.app.config.database };
});
afterAll(() => h.close());

it('nothing is broken before', async () => {
  expect(await findBroken(where)).toEqual([]);
});

it.each<[number, string[], string[]]>([
  [1, ['update credit_accounts set balance = 11'], ['update credit_accounts set balance = 10']],
  [4, ['update users set email_verified_at = null'], ['update users set email_verified_at = now()']],
  [
    5,
    [
      `update outbox_emails set status = 'QUEUED', sealed_body = 'x', sent_at = null, created_at = now() - interval '2 days'`,
    ],
    [`update outbox_emails set status = 'SENT', sealed_body = null, sent_at = now(), created_at = now()`],
  ],
  [7, ['update admins set disabled_at = now()'], ['update admins set disabled_at = null']],
  [
    8,
    [`update users set status = 'SUSPENDED', suspended_at = now(), suspension_reason = 'x'`],
    [`update users set status = 'ACTIVE', suspended_at = null, suspension_reason = null`],
  ],
  [10, ['create index users_of_somebody_else on users (created_at)'], ['drop index users_of_somebody_else']],
])('number %i is noticed when it is broken', async (number, breaking, mending) => {
  for (const statement of breaking) await h.app.sql.write(statement, []);
  const found = await findBroken(where);
  for (const statement of mending) await h.app.sql.write(statement, []);
  expect(found.length).toBeGreaterThan(0);
  expect(found.every((complaint) => complaint.startsWith(`${number} `))).toBe(true);
  expect(await findBroken(where)).toEqual([]);
});

it('number 2 is noticed: an answer without a row, a row that was refused, people whom nobody asked for', async () => {
  const movement = { field: 'addCredits' as const, id: newId() };
  const input = (idempotencyKey: string) => ({ userId: person.id, amount: 1, idempotencyKey });
  const lost = { ...movement, input: input('lost'), outcome: 'ok' as const };
  const refused = { ...movement, input: input('ten'), outcome: 'refused' as const };
  const found = await findBroken({ ...where, seen: { ...nothingSeen(), movements: [lost, refused] } });
  expect(found.map((complaint) => complaint.split(': ').slice(1).join(': '))).toEqual([
    'lost: answered, and gone',
    'ten: refused, and there',
    `${person.username}: nobody asked for them`,
  ]);
});

it('number 12 is noticed: a line of the log that nobody explains', async () => {
  const output = () => '{"level":"error","msg":"unexpected error","requestId":"x"}\n';
  const found = await findBroken({ ...where, server: { url: 'http://127.0.0.1:1', output } });
  expect(found).toHaveLength(1);
});
