import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../src/api/server.js';
import { closeApp, createApp } from '../../src/app.js';
import type { App } from '../../src/core/context.js';
import { loadSigningKeys } from '../../src/modules/auth/signing-keys.service.js';
import { findPostgresServer } from '../support/database.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';

let h: Harness;
/** Where it is asked: the other instance on PostgreSQL; on PGlite, where there can be only one, the same. */
let ask: (token: string) => Promise<string>;
let closeOther: () => Promise<void> = async () => undefined;
let admin: { token: string };

beforeAll(async () => {
  h = await createHarness();
  admin = await h.admin(['users:read', 'users:write', 'services:manage']);
  const { key } = await h.service(['tokens:validate']);
  let { fastify } = h;
  if (findPostgresServer()) {
    const other: App = await createApp(h.app.config, { log: h.app.log, mailer: h.app.mailer, now: h.app.now });
    await loadSigningKeys(other);
    ({ fastify } = await createServer(other));
    const server = fastify;
    closeOther = async () => {
      await server.close();
      await closeApp({ ...other, mailer: { send: async () => undefined, close: async () => undefined } });
    };
  }
  ask = async (token) => {
    const response = await fastify.inject({
      method: 'POST',
      url: '/graphql',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      payload: { query: `query($token: String!) { validateToken(token: $token) { code } }`, variables: { token } },
    });
    return response.json().data.validateToken.code;
  };
});
afterAll(async () => {
  await closeOther();
  await h.close();
});

/** Asked before, so that whatever could be remembered is. */
async function known(): Promise<Person> {
  const person = await h.person();
  expect(await ask(person.token)).toBe('VALID');
  expect(await ask(person.token)).toBe('VALID');
  return person;
}

describe('what ends a token on one instance counts at once on the other', () => {
  it('logout', async () => {
    const person = await known();
    await h.graphql(`mutation { logout { ok } }`, { token: person.token });
    expect(await ask(person.token)).toBe('REVOKED');
  });

  it('suspension, and its end does not bring the session back', async () => {
    const person = await known();
    const input = { userId: person.id, reason: 'a test' };
    const suspend = `mutation($input: SuspendUserInput!) { suspendUser(input: $input) { user { status } } }`;
    await h.graphql(suspend, { token: admin.token, variables: { input } });
    expect(await ask(person.token)).toBe('SUSPENDED');
    const lift = `mutation($input: UnsuspendUserInput!) { unsuspendUser(input: $input) { user { status } } }`;
    await h.graphql(lift, { token: admin.token, variables: { input: { userId: person.id } } });
    expect(await ask(person.token)).toBe('REVOKED');
  });

  it('asked without pause while it happens: never VALID after the answer to the logout', async () => {
    for (let round = 0; round < 20; round += 1) {
      const person = await h.person();
      let over = false;
      const late: string[] = [];
      const asking = Array.from({ length: 5 }, async () => {
        while (!over) await ask(person.token);
        late.push(await ask(person.token));
      });
      await h.graphql(`mutation { logout { ok } }`, { token: person.token });
      over = true;
      await Promise.all(asking);
      expect(late).toEqual(Array(5).fill('REVOKED'));
    }
  });
});
