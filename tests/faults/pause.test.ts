import { afterAll, beforeAll, expect, it } from 'vitest';
import { onServer } from '../support/database.js';
import { createFaultPlace, type FaultPlace } from '../support/fault-place.js';
import { LOAD_PASSWORD } from '../support/load.js';
import { ask, startCredence } from '../support/process.js';
import { type ResendServer, startResendServer } from '../support/resend-server.js';

const PATIENCE = { timeout: 60_000, interval: 50 };
const KEY = 're_5p2mX9qT_tests';
const REGISTER = 'mutation($input: RegisterInput!) { register(input: $input) { user { id } } }';

let resend: ResendServer;
let place: FaultPlace;
beforeAll(async () => {
  resend = await startResendServer(KEY);
  place = await createFaultPlace({
    env: { MAIL_TRANSPORT: 'resend', RESEND_API_KEY: KEY, RESEND_API_BASE: resend.url },
  });
});
afterAll(async () => {
  await place?.dispose();
  await resend?.close();
});

it('a sender is paused with a letter in hand, another takes it over, and the first wakes up: it undoes nothing, and one letter arrives', async () => {
  const first = place.server();
  // Taken, and the answer held back: whoever asks first waits, whoever asks again is told.
  resend.swallow = ({ seen }, response) =>
    seen === 0 ? undefined : response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"again"}');
  const input = { username: 'paused', email: 'paused@example.com', password: LOAD_PASSWORD };
  place.seen.perhaps.push(input.username);
  expect((await ask(first.url, { query: REGISTER, variables: { input } })).data.register.user.id).toBeTruthy();
  await expect.poll(() => resend.delivered.length, PATIENCE).toBe(1);
  first.child.kill('SIGSTOP');
  // As if the minute of the lease were over.
  const url = place.env.DATABASE_URL ?? '';
  await onServer(url, `update outbox_emails set next_attempt_at = now() - interval '1 second'`);
  const second = await startCredence(place.env);
  await expect.poll(() => resend.requests.length, PATIENCE).toBe(2);
  const rows = () =>
    onServer(
      url,
      `do $$ begin if exists (select from outbox_emails where status <> 'SENT' or attempts <> 2) then raise 'not yet'; end if; end $$`,
    );
  await expect.poll(() => rows().then(() => 'sent', String), PATIENCE).toBe('sent');
  first.child.kill('SIGCONT');
  // Its connection has long been given up, or is answered now: either way the row stays as the other has left it.
  expect(await first.end('SIGTERM')).toBe(0);
  expect(await rows().then(() => 'sent', String)).toBe('sent');
  expect(resend.delivered.map(({ to }) => to)).toEqual(['paused@example.com']);
  expect(new Set(resend.requests.map((headers) => headers['idempotency-key'])).size).toBe(1);
  await second.end('SIGTERM');
  await place.restart();
  await place.expectInvariants();
});
