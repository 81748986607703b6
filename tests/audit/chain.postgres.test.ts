import { afterEach, beforeEach, expect, test } from 'vitest';
import { closeApp, createApp } from '../../src/app.js';
import { SYSTEM_ACTOR } from '../../src/core/context.js';
import { transact } from '../../src/core/database.js';
import { recordAudit } from '../../src/modules/audit/audit.service.js';
import { linkAuditEvents, verifyAuditLog } from '../../src/modules/audit/chain.service.js';
import { createHarness, type Harness } from '../support/harness.js';

let harness: Harness;
/** What was recorded on the way to here. */
let before: number;

beforeEach(async () => {
  harness = await createHarness();
  while ((await linkAuditEvents(harness.app)) > 0);
  before = (await verifyAuditLog(harness.app)).checked;
});

afterEach(() => harness.close());

const record = (app = harness.app) => recordAudit(app, { actor: SYSTEM_ACTOR, action: 'user.viewed' });

test('two linkers and sixteen writers at once: every row is linked exactly once, and the chain holds', async () => {
  const other = await createApp(harness.app.config, { log: harness.app.log });
  let isWriting = true;
  const link = async (app: typeof harness.app) => {
    let linked = 0;
    while (isWriting) linked += await linkAuditEvents(app);
    return linked;
  };
  const linkers = [link(harness.app), link(other)];
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    for (let written = 0; written < 25; written += 1) {
      // Every other transaction takes two rows and the time of a query between them.
      if (writer % 2 === 0) await record();
      else await transact(harness.app, async (app) => [await record(app), await record(app)]);
    }
  });
  await Promise.all(writers);
  isWriting = false;
  await Promise.all(linkers);
  while ((await linkAuditEvents(harness.app)) > 0);
  await closeApp(other);
  const proof = await verifyAuditLog(harness.app);
  const all = before + 16 * 25 + 8 * 25;
  expect(proof).toMatchObject({ ok: true, unlinked: 0, checked: all, lastSequence: all });
});

test('a transaction that commits last is linked last, and nobody waits for it', async () => {
  let commit: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    commit = resolve;
  });
  let isWritten: () => void = () => undefined;
  const written = new Promise<void>((resolve) => {
    isWritten = resolve;
  });
  const slow = transact(harness.app, async (app) => {
    await record(app);
    isWritten();
    await held;
  });
  await written;
  await record();
  expect(await linkAuditEvents(harness.app)).toBe(1);
  expect(await linkAuditEvents(harness.app)).toBe(0);
  commit();
  await slow;
  expect(await linkAuditEvents(harness.app)).toBe(1);
  expect(await verifyAuditLog(harness.app)).toMatchObject({ ok: true, checked: before + 2, unlinked: 0 });
});
