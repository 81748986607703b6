import postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';
import { refresh } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

it('a session that another transaction holds is waited for, by its own refresh alone', async () => {
  const [held, free] = [await h.person(), await h.person()];
  const { database } = h.app.config;
  if (database.kind !== 'postgres') throw new Error('Runs on PostgreSQL only.');
  const client = postgres(database.url, { max: 1 });
  const { promise: letGo, resolve } = Promise.withResolvers<void>();
  const { promise: holds, resolve: locked } = Promise.withResolvers<void>();
  const holding = client.begin(async (tx) => {
    await tx`select id from sessions where user_id = ${held.id} for update`;
    locked();
    await letGo;
  });
  await holds;
  const waiting = refresh(h, held.refreshToken);
  const answered = await refresh(h, free.refreshToken);
  expect(answered.code).toBeUndefined();
  resolve();
  await holding;
  expect((await waiting).data.refreshToken.user.id).toBe(held.id);
  await client.end();
});
