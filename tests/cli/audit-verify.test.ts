import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/core/database.js';
import { silentLog } from '../support/database.js';
import { createPlace, spawnCredence, startCredence } from '../support/process.js';

let place: Awaited<ReturnType<typeof createPlace>>;

beforeAll(async () => {
  place = await createPlace();
  const server = await startCredence(place.env);
  await server.end('SIGTERM');
});

afterAll(() => place.dispose());

async function verify(...options: string[]): Promise<{ code: number | null; output: string }> {
  const { child, output } = spawnCredence(place.env, ['audit', 'verify', ...options]);
  await once(child, 'close');
  return { code: child.exitCode, output: output() };
}

async function onDatabase(...statements: string[]): Promise<void> {
  const url = place.env.DATABASE_URL;
  const directory = `${place.dataDir}/database`;
  const database = await openDatabase(
    url ? { kind: 'postgres', url, connections: 4 } : { kind: 'pglite', directory },
    silentLog,
  );
  await database.alone(async (sql) => {
    for (const statement of statements) await sql.query(statement, []);
  });
  await database.close();
}

test('without a server, "audit verify" ends with 0 while the log is whole, and with 1 and the row’s name when it is not', async () => {
  const whole = await verify();
  expect(whole).toMatchObject({ code: 0, output: expect.stringContaining('The audit log is whole') });
  const proof = JSON.parse((await verify('--json')).output);
  expect(proof).toMatchObject({ ok: true, firstBroken: null });
  expect(proof.checked + proof.unlinked).toBeGreaterThan(0);
  await onDatabase(
    "set local session_replication_role = 'replica'",
    `insert into audit_events (id, occurred_at, actor_kind, action)
       values ('01890000-0000-7000-8000-00000000f0f0', now(), 'ADMIN', 'user.viewed')`,
  );
  const broken = await verify();
  expect(broken.code).toBe(1);
  expect(broken.output).toContain('EVENT_NOT_LINKED, row 01890000-0000-7000-8000-00000000f0f0');
  const asJson = await verify('--json');
  expect(asJson.code).toBe(1);
  expect(JSON.parse(asJson.output).firstBroken).toMatchObject({ problem: 'EVENT_NOT_LINKED' });
}, 300_000);
