import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { expectInvariants } from '../support/invariants.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let h: Harness;
let service: { key: string };
beforeAll(async () => {
  h = await createHarness();
  await h.admin(['users:read']);
  service = await h.service(['credits:grant', 'credits:use', 'credits:read', 'tokens:validate']);
});
afterAll(() => h.close());

let keys = 0;
async function move(field: 'addCredits' | 'useCredits' | 'holdCredits', input: object) {
  keys += 1;
  const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
  const query = `mutation($input: ${type}!) { ${field}(input: $input) { account { balance available } } }`;
  const variables = { input: { ...input, idempotencyKey: `clock-${keys}` } };
  return h.graphql(query, { serviceKey: service.key, variables });
}

const refresh = (refreshToken: string) =>
  h.graphql('mutation($t: String) { refreshToken(refreshToken: $t) { accessToken refreshToken } }', {
    variables: { t: refreshToken },
  });
const me = async (token: string) => (await h.graphql('{ me { id } }', { token })).code;

/** What people do in a day; each step leans on times that were written before. */
async function aDay(): Promise<Person> {
  const person = await h.person();
  expect(await me(person.token)).toBeUndefined();
  expect((await refresh(person.refreshToken)).code).toBeUndefined();
  expect((await move('addCredits', { userId: person.id, amount: 10 })).data.addCredits.account.balance).toBe(10);
  const held = await move('holdCredits', { userId: person.id, amount: 4, ttlSeconds: 60 });
  expect(held.data.holdCredits.account.available).toBe(6);
  h.clock.advance(61_000);
  expect((await move('useCredits', { userId: person.id, amount: 10 })).data.useCredits.account.balance).toBe(0);
  await h.graphql('mutation($e: EmailAddress!) { requestPasswordReset(email: $e) { ok } }', {
    variables: { e: person.email },
  });
  const token = await h.tokenFor(person.email, '/reset-password');
  const reset = 'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { __typename } }';
  const variables = { input: { token, newPassword: 'another lantern over 8 quiet rivers' } };
  expect((await h.graphql(reset, { variables })).code).toBeUndefined();
  expect((await h.graphql(reset, { variables })).code).toBe('TOKEN_INVALID');
  // All that was written to them leaves on the same day.
  await h.letters();
  return person;
}

describe('the server’s clock says what time it is, everywhere: a database beside it may have another', () => {
  it.each([
    ['five minutes ahead', 5 * 60_000],
    ['an hour behind', -HOUR],
    ['ten days ahead', 10 * DAY],
    ['ten days behind', -10 * DAY],
  ])('%s, and a day goes as it should', async (_, offset) => {
    h.clock.advance(offset);
    await aDay();
    h.clock.advance(-offset);
  });
});

describe('a clock that jumps', () => {
  it('ahead by an hour: tokens end as their times say, sessions go on', async () => {
    const person = await h.person();
    h.clock.advance(HOUR);
    expect(await me(person.token)).toBe('TOKEN_EXPIRED');
    const { data } = await refresh(person.refreshToken);
    expect(await me(data.refreshToken.accessToken)).toBeUndefined();
  });

  it('back by a second: nobody is put out', async () => {
    const person = await h.person();
    h.clock.advance(-1_000);
    expect(await me(person.token)).toBeUndefined();
    expect((await refresh(person.refreshToken)).code).toBeUndefined();
    h.clock.advance(1_000);
  });

  it.each([
    ['an hour', HOUR],
    ['ten days', 10 * DAY],
  ])('back by %s: what was ended or used stays so', async (_, offset) => {
    const person = await h.person();
    const { data } = await refresh(person.refreshToken);
    await h.graphql('mutation { logout { ok } }', { token: data.refreshToken.accessToken });
    h.clock.advance(-offset);
    expect(await me(data.refreshToken.accessToken)).not.toBeUndefined();
    expect((await refresh(data.refreshToken.refreshToken)).code).not.toBeUndefined();
    expect((await refresh(person.refreshToken)).code).not.toBeUndefined();
    const other = await aDay();
    expect(await me(other.token)).not.toBeUndefined();
    h.clock.advance(offset);
  });
});

it('leaves everything whole', async () => {
  await expectInvariants({ database: h.app.config.database });
});
