import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openDatabase } from '../../src/core/database.js';
import { outboxEmails } from '../../src/modules/mail/mail.table.js';
import { silentLog } from '../support/database.js';
import { ask, createPlace, startCredence } from '../support/process.js';
import { type ResendServer, startResendServer } from '../support/resend-server.js';

const KEY = 're_5p2mX9qT_tests';
const PATIENCE = { timeout: 60_000, interval: 50 };
const REGISTER = 'mutation($input: RegisterInput!) { register(input: $input) { user { id } } }';

let place: Awaited<ReturnType<typeof createPlace>>;
let resend: ResendServer;
beforeAll(async () => {
  [place, resend] = await Promise.all([createPlace(), startResendServer(KEY)]);
  const mail = { MAIL_TRANSPORT: 'resend', RESEND_API_KEY: KEY, RESEND_API_BASE: resend.url };
  Object.assign(place.env, mail);
});
afterAll(async () => {
  await resend.close();
  await place.dispose();
});

/** As if the lease of whoever took the letters had run out. Only while no server runs: the embedded database has one user. */
async function makeDue(): Promise<string[]> {
  const { DATABASE_URL: url, DATA_DIR } = place.env;
  const settings = url
    ? ({ kind: 'postgres', url, connections: 4 } as const)
    : ({ kind: 'pglite', directory: `${DATA_DIR}/database` } as const);
  const database = await openDatabase(settings, silentLog);
  const rows = await database.db
    .update(outboxEmails)
    .set({ nextAttemptAt: new Date(0) })
    .returning();
  await database.close();
  return rows.map(({ status }) => status);
}

it('a process killed after the provider took a letter and before it was marked sends it again, and it arrives once', async () => {
  const first = await startCredence(place.env);
  // Taken, and never answered.
  resend.swallow = () => undefined;
  const input = { username: 'ada', email: 'ada@example.com', password: 'violet tractor sings 77 at dusk' };
  expect((await ask(first.url, { query: REGISTER, variables: { input } })).data.register.user.id).toBeTruthy();
  await vi.waitFor(() => expect(resend.delivered).toHaveLength(1), PATIENCE);
  await first.end('SIGKILL');
  expect(await makeDue()).toEqual(['QUEUED']);
  resend.swallow = undefined;

  const second = await startCredence(place.env);
  await vi.waitFor(() => expect(resend.requests).toHaveLength(2), PATIENCE);
  await second.end('SIGTERM');
  expect(await makeDue()).toEqual(['SENT']);
  expect(resend.delivered.map(({ to }) => to)).toEqual(['ada@example.com']);
  const keys = resend.requests.map((headers) => headers['idempotency-key']);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(keys[1]).toBe(keys[0]);
}, 240_000);
