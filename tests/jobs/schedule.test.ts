import { afterEach, beforeEach, expect, test } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { createLogger } from '../../src/core/logger.js';
import { checkAuditLog, checkLedger, JOBS } from '../../src/jobs/schedule.js';
import { deleteExpiredCredentials } from '../../src/modules/auth/retention.service.js';
import { createHarness, type Harness } from '../support/harness.js';

const DAY = 86_400_000;
let harness: Harness;
const lines: string[] = [];

beforeEach(async () => {
  lines.length = 0;
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger({ level: 'warn', pretty: false }, { destination });
  harness = await createHarness({ overrides: { log } });
});

afterEach(() => harness.close());

async function countOf(table: string): Promise<number> {
  const [row] = await harness.app.sql.query<{ count: number }>(`select count(*)::int as count from ${table}`, []);
  return row?.count ?? -1;
}

test('every job runs on a database as it is, and a second time', async () => {
  await harness.person();
  for (const job of [...JOBS, ...JOBS]) await job.run(harness.app);
  expect(lines).toEqual([]);
});

test('keeps what may still count, and deletes what nobody can use any more', async () => {
  await harness.person();
  await harness.person({ verified: false });
  const [sessions, tokens] = [await countOf('sessions'), await countOf('email_tokens')];
  expect(sessions).toBeGreaterThan(0);
  expect(tokens).toBeGreaterThan(0);
  harness.clock.advance(10 * DAY);
  expect(await deleteExpiredCredentials(harness.app)).toBe(0);
  expect(await countOf('email_tokens')).toBe(tokens);
  harness.clock.advance(30 * DAY);
  expect(await deleteExpiredCredentials(harness.app)).toBe(tokens);
  expect(await countOf('sessions')).toBe(sessions);
  harness.clock.advance(365 * DAY);
  expect(await deleteExpiredCredentials(harness.app)).toBe(sessions);
});

test('forgets old guesses, and keeps an account closed that guesses have closed', async () => {
  const wrong = (identifier: string) =>
    harness.graphql('mutation($input: LoginInput!) { login(input: $input) { __typename } }', {
      variables: { input: { identifier, password: 'wrong password entirely' } },
    });
  await wrong('nobody');
  await harness.app.sql.query(
    "insert into login_failures (key, failures, first_at, last_at, blocked_until) values ($1, 100, $2, $2, '9999-01-01')",
    [`account:${newId()}`, harness.clock.now()],
  );
  harness.clock.advance(2 * DAY);
  await deleteExpiredCredentials(harness.app);
  expect(await harness.app.sql.query("select 1 from login_failures where key like 'net:%'", [])).toEqual([]);
  expect(await countOf('login_failures')).toBe(2);
  harness.clock.advance(40 * DAY);
  await deleteExpiredCredentials(harness.app);
  expect(await harness.app.sql.query('select failures from login_failures', [])).toEqual([{ failures: 100 }]);
});

test('books that do not add up raise an alarm, in the log and in the metrics', async () => {
  const person = await harness.person();
  const { key } = await harness.service(['credits:grant']);
  const variables = { input: { userId: person.id, amount: 5, description: 'welcome', idempotencyKey: newId() } };
  await harness.graphql('mutation($input: AddCreditsInput!) { addCredits(input: $input) { replayed } }', {
    serviceKey: key,
    variables,
  });
  await checkLedger(harness.app);
  expect(lines).toEqual([]);
  await harness.app.sql.query('update credit_accounts set balance = balance + 1 where user_id = $1', [person.id]);
  await checkLedger(harness.app);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'error', check: 'ledger', count: 1 }]);
  expect(await harness.app.metrics.text()).toContain('credence_alarms_total{check="ledger"} 1');
});

test('a broken audit log raises an alarm', async () => {
  await harness.person();
  await checkAuditLog(harness.app);
  expect(lines).toEqual([]);
  await harness.app.database.alone(async (sql) => {
    await sql.query("set local session_replication_role = 'replica'", []);
    await sql.query('delete from audit_unlinked', []);
  });
  await checkAuditLog(harness.app);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'error', check: 'audit' }]);
  expect(await harness.app.metrics.text()).toContain('credence_alarms_total{check="audit"} 1');
});
