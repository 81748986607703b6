import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';
import {
  changePassword,
  createRecoveryPhrase,
  NEW_PASSWORD,
  refresh,
  requestEmailChange,
  requestPasswordReset,
  signIn,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

/** Every row of every table as text, by table. */
async function dump(): Promise<Map<string, string>> {
  const names = await h.app.database.sql.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    [],
  );
  const tables = new Map<string, string>();
  for (const { name } of names) {
    const rows = await h.app.db.execute(
      sql.raw(`select coalesce(string_agg(t::text, E'\\n'), '') as text from ${name} t`),
    );
    tables.set(name, JSON.stringify(rows));
  }
  return tables;
}

/** Does everything that hands out a secret, and collects what was handed out. */
async function collectSecrets(): Promise<Record<string, string>> {
  const person = await h.person();
  const admin = await h.admin(['admins:manage', 'services:manage', 'users:read']);
  const { key: serviceKey } = await h.service(['tokens:validate']);
  const refreshed = (await refresh(h, person.refreshToken)).data.refreshToken;
  const { data: keys } = await h.graphql(
    `mutation { createApiKey(input: { name: "k", scopes: ["account:read"] }) { key apiKey { id } } }`,
    { token: person.token },
  );
  const rotated = await h.graphql(`mutation($id: ID!) { rotateApiKey(input: { id: $id, overlap: ONE_DAY }) { key } }`, {
    token: person.token,
    variables: { id: keys.createApiKey.apiKey.id },
  });
  const made = await h.graphql(
    `mutation { createService(input: { name: "dump", scopes: ["credits:read"] }) { key } }`,
    {
      token: admin.token,
    },
  );
  expect([rotated.errors, made.errors]).toEqual([undefined, undefined]);
  const phrase: string = (await createRecoveryPhrase(h, person.token)).data.createRecoveryPhrase.phrase;
  const newEmail = `new-${person.username}@example.com`;
  await requestEmailChange(h, person.token, newEmail);
  await requestPasswordReset(h, person.email);
  const unverified = await h.person({ verified: false });
  const secrets = {
    'access token': person.token,
    'refresh token': person.refreshToken,
    'next refresh token': refreshed.refreshToken,
    'next access token': refreshed.accessToken,
    'admin’s refresh token': admin.refreshToken,
    'service key': serviceKey,
    'service key made by an admin': made.data.createService.key,
    'API key': keys.createApiKey.key,
    'rotated API key': rotated.data.rotateApiKey.key,
    'recovery phrase': phrase,
    'recovery phrase without spaces': phrase.replaceAll(' ', ''),
    'verification token': await h.tokenFor(unverified.email, '/verify-email'),
    'change token': await h.tokenFor(newEmail, '/confirm-email-change'),
    'undo token': await h.tokenFor(person.email, '/undo-email-change'),
    'reset token': await h.tokenFor(person.email, '/reset-password'),
    password: PASSWORD,
    'new password': NEW_PASSWORD,
  };
  await changePassword(h, person.token);
  await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
  // A letter that is still waiting to be sent, so that its links are in the database at this moment.
  await requestPasswordReset(h, unverified.email);
  return secrets;
}

it('no table holds a secret that was ever handed out, not even while its letter waits', async () => {
  const secrets = await collectSecrets();
  const tables = await dump();
  expect(tables.size).toBeGreaterThan(15);
  expect(tables.get('public.outbox_emails')).toContain('QUEUED');
  const found = [...tables].flatMap(([table, text]) =>
    Object.entries(secrets)
      .filter(([, secret]) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64')))
      .map(([name]) => `${name} in ${table}`),
  );
  expect(found).toEqual([]);
  // The search itself works: what is meant to be there, the hashes, is found.
  const all = [...tables.values()].join('\n');
  for (const name of ['next refresh token', 'API key', 'service key', 'undo token']) {
    const hash = createHash('sha256')
      .update(secrets[name] ?? '')
      .digest('hex');
    expect(all, name).toContain(hash);
  }
});

it('neither do the private keys and the passwords stand there as they are', async () => {
  const tables = await dump();
  const text = [...tables.values()].join('\n');
  expect(text).not.toMatch(/"d\\*"\s*:/);
  expect(text).toContain('$argon2id$');
});
