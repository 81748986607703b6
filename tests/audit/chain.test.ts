import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { SYSTEM_ACTOR } from '../../src/core/context.js';
import { transact } from '../../src/core/database.js';
import { recordAudit } from '../../src/modules/audit/audit.service.js';
import { linkAuditEvents, verifyAuditLog } from '../../src/modules/audit/chain.service.js';
import { createHarness, type Harness } from '../support/harness.js';

let harness: Harness;

beforeAll(async () => {
  harness = await createHarness();
});

afterAll(() => harness.close());

const run = (statement: string) => harness.app.sql.query(statement, []);

/** As somebody with all rights on the database: past the triggers that refuse changes. */
async function tamper(...statements: string[]): Promise<void> {
  await harness.app.database.alone(async (sql) => {
    await sql.query("set local session_replication_role = 'replica'", []);
    for (const statement of statements) await sql.query(statement, []);
  });
}

async function startOver(): Promise<void> {
  await tamper('truncate audit_links, audit_unlinked, audit_events');
}

async function record(count: number): Promise<void> {
  for (let written = 0; written < count; written += 1) {
    const after = { written, nested: { b: [1, 2.5], a: 'é "quoted"' } };
    await recordAudit(harness.app, { actor: SYSTEM_ACTOR, action: 'user.viewed', userId: newId(), after });
  }
}

async function linkAll(): Promise<void> {
  while ((await linkAuditEvents(harness.app)) > 0);
}

async function eventAt(sequence: number): Promise<string> {
  const [link] = await harness.app.sql.query<{ event_id: string }>(
    'select event_id from audit_links where sequence = $1',
    [sequence],
  );
  return link?.event_id ?? '';
}

describe('the audit chain', () => {
  beforeEach(async () => {
    await startOver();
    await record(6);
  });

  test('takes up every row once, in order, and holds', async () => {
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: true, checked: 0, unlinked: 6 });
    await linkAll();
    const proof = await verifyAuditLog(harness.app);
    expect(proof).toMatchObject({ ok: true, checked: 6, unlinked: 0, lastSequence: 6, firstBroken: null });
    expect(proof.lastHash).toMatch(/^[0-9a-f]{64}$/);
    await record(2);
    await linkAll();
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: true, checked: 8, lastSequence: 8 });
  });

  test('takes up a row that becomes visible after later ones were linked', async () => {
    await linkAll();
    const { app } = harness;
    // Written first, by its clock and its id; there only after all others.
    const early = { id: newId(), at: new Date(app.now().getTime() - 3_600_000).toISOString() };
    await record(1);
    await linkAll();
    await app.sql.query(
      "insert into audit_events (id, occurred_at, actor_kind, action) values ($1, $2, 'SYSTEM', 'user.viewed')",
      [early.id, early.at],
    );
    await linkAll();
    expect(await eventAt(8)).toBe(early.id);
    expect(await verifyAuditLog(app)).toMatchObject({ ok: true, checked: 8, unlinked: 0 });
  });

  test('knows nothing of a row whose transaction was rolled back', async () => {
    const failed = transact(harness.app, async (app) => {
      await recordAudit(app, { actor: SYSTEM_ACTOR, action: 'user.viewed' });
      throw new Error('rolled back');
    });
    await expect(failed).rejects.toThrow('rolled back');
    await linkAll();
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: true, checked: 6, unlinked: 0 });
  });

  test.each([
    ['what was done', `action = 'user.suspended'`],
    ['who did it', `actor_id = '${newId()}'`],
    ['when, by a millionth of a second', `occurred_at = occurred_at + interval '1 microsecond'`],
    ['a value deep inside', `after = jsonb_set(after, '{nested,b,0}', '2')`],
    ['the reason', `reason = 'because'`],
    ['the address', `ip = '203.0.113.9'`],
  ])('names a row in which somebody changed %s', async (_, change) => {
    await linkAll();
    const eventId = await eventAt(3);
    await tamper(`update audit_events set ${change} where id = '${eventId}'`);
    expect(await verifyAuditLog(harness.app)).toMatchObject({
      ok: false,
      checked: 2,
      firstBroken: { sequence: 3, eventId, problem: 'EVENT_CHANGED' },
    });
  });

  test('names a row that was deleted', async () => {
    await linkAll();
    const eventId = await eventAt(4);
    await tamper(`delete from audit_events where id = '${eventId}'`);
    const firstBroken = { sequence: 4, eventId, problem: 'EVENT_MISSING' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, firstBroken });
  });

  test('names the gap when a row was deleted together with its link', async () => {
    await linkAll();
    const eventId = await eventAt(4);
    await tamper(`delete from audit_events where id = '${eventId}'`, 'delete from audit_links where sequence = 4');
    const firstBroken = { sequence: 4, eventId: null, problem: 'LINK_MISSING' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, firstBroken });
  });

  test('names the first row after a gap that was closed up', async () => {
    await linkAll();
    const eventId = await eventAt(5);
    await tamper(
      `delete from audit_events where id = '${await eventAt(4)}'`,
      'delete from audit_links where sequence = 4',
      'update audit_links set sequence = sequence - 1 where sequence > 4',
    );
    const firstBroken = { sequence: 4, eventId, problem: 'ORDER_CHANGED' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, firstBroken });
  });

  test('names the first of two rows that were swapped', async () => {
    await linkAll();
    const [second, fifth] = [await eventAt(2), await eventAt(5)];
    await tamper(
      `update audit_links set event_id = '${newId()}' where sequence = 2`,
      `update audit_links set event_id = '${second}' where sequence = 5`,
      `update audit_links set event_id = '${fifth}' where sequence = 2`,
    );
    const firstBroken = { sequence: 2, eventId: fifth, problem: 'EVENT_CHANGED' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, firstBroken });
  });

  test('names a row that was put in past the chain', async () => {
    await linkAll();
    const forged = newId();
    await tamper(
      `insert into audit_events (id, occurred_at, actor_kind, action) values ('${forged}', now(), 'ADMIN', 'user.viewed')`,
    );
    const firstBroken = { sequence: null, eventId: forged, problem: 'EVENT_NOT_LINKED' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, checked: 6, firstBroken });
  });

  test('names a forged row with a forged link', async () => {
    await linkAll();
    const forged = newId();
    await tamper(
      `insert into audit_events (id, occurred_at, actor_kind, action) values ('${forged}', now(), 'ADMIN', 'user.viewed')`,
      `insert into audit_links select 7, '${forged}', hash, repeat('a', 64), now() from audit_links where sequence = 6`,
    );
    const firstBroken = { sequence: 7, eventId: forged, problem: 'EVENT_CHANGED' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, checked: 6, firstBroken });
  });

  test('names a row that was taken away before it had a link', async () => {
    await linkAll();
    await record(1);
    const [waiting] = await harness.app.sql.query<{ id: string }>('select event_id as id from audit_unlinked', []);
    await tamper(`delete from audit_events where id = '${waiting?.id}'`);
    const firstBroken = { sequence: null, eventId: waiting?.id, problem: 'EVENT_MISSING' };
    expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: false, firstBroken });
  });

  test.each(['update audit_links set hash = hash', 'delete from audit_links', 'truncate audit_links'])(
    'refuses: %s',
    async (statement) => {
      await linkAll();
      await expect(run(statement)).rejects.toThrow();
      expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: true, checked: 6 });
    },
  );
});

test('a chain longer than one batch holds, and rows written meanwhile are no break', async () => {
  await startOver();
  await run(
    `insert into audit_events (id, occurred_at, actor_kind, action)
     select gen_random_uuid(), now() + n * interval '1 second', 'SYSTEM', 'user.viewed' from generate_series(1, 4500) n`,
  );
  const verifying = [linkAll(), verifyAuditLog(harness.app), record(3), verifyAuditLog(harness.app)] as const;
  const [, during, , later] = await Promise.all(verifying);
  expect([during, later]).toMatchObject([{ ok: true }, { ok: true }]);
  await linkAll();
  expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: true, checked: 4503, unlinked: 0 });
});
