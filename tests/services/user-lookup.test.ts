import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { createHarness, type Harness, type Person, uniqueName } from '../support/harness.js';

const EMAIL = `query($id: ID!) { userEmail(userId: $id) }`;
const BY_EMAIL = `query($email: EmailAddress!) { userByEmail(email: $email) { id username email emailVerified status plan { code name } } }`;

let h: Harness;
let person: Person;
let serviceKey: string;

beforeAll(async () => {
  h = await createHarness();
  person = await h.person();
  serviceKey = (await h.service(['users:read'])).key;
});
afterAll(() => h.close());

describe('userEmail', () => {
  it('answers the address of a person', async () => {
    const { data } = await h.graphql(EMAIL, { serviceKey, variables: { id: person.id } });
    expect(data.userEmail).toBe(person.email);
  });

  it.each([
    ['an unknown person', newId(), 'NOT_FOUND'],
    ['an id of another kind', '00000000-0000-0000-0000-000000000000', 'BAD_USER_INPUT'],
    ['a word', 'ada', 'BAD_USER_INPUT'],
    ['nothing', '', 'BAD_USER_INPUT'],
    ['NUL', `${newId()}\0`, 'BAD_USER_INPUT'],
    ['a huge text', 'a'.repeat(50_000), 'BAD_USER_INPUT'],
  ])('for %s is an error', async (_, id, code) => {
    const answer = await h.graphql(EMAIL, { serviceKey, variables: { id } });
    expect([answer.code, answer.data]).toEqual([code, null]);
  });

  it('for the id of an admin answers as for an unknown one', async () => {
    const { id } = await h.admin([]);
    expect((await h.graphql(EMAIL, { serviceKey, variables: { id } })).code).toBe('NOT_FOUND');
  });
});

describe('userByEmail', () => {
  it('finds the person, in upper case too', async () => {
    for (const email of [person.email, person.email.toUpperCase()]) {
      const { data } = await h.graphql(BY_EMAIL, { serviceKey, variables: { email } });
      expect(data.userByEmail).toEqual({
        id: person.id,
        username: person.username,
        email: person.email,
        emailVerified: true,
        status: 'ACTIVE',
        plan: { code: 'free', name: 'Free' },
      });
    }
  });

  it('answers null when nobody has the address', async () => {
    const variables = { email: `${uniqueName()}@example.com` };
    const { data, errors } = await h.graphql(BY_EMAIL, { serviceKey, variables });
    expect([data, errors]).toEqual([{ userByEmail: null }, undefined]);
  });

  it.each(['nonsense', '', 'a@b', 'a b@example.com', 'two@example.com,three@example.com', 'a\0@example.com'])(
    'refuses "%s": BAD_USER_INPUT',
    async (email) => {
      expect((await h.graphql(BY_EMAIL, { serviceKey, variables: { email } })).code).toBe('BAD_USER_INPUT');
    },
  );

  it('does not lead to what belongs to the person', async () => {
    const query = `query($email: EmailAddress!) { userByEmail(email: $email) { usage { conversations { used } } } }`;
    expect((await h.graphql(query, { serviceKey, variables: { email: person.email } })).code).toBe('FORBIDDEN');
  });
});

it('a service without the scope, people and admins are refused', async () => {
  const calls = [
    { serviceKey: (await h.service(['tokens:validate'])).key },
    { token: person.token },
    { token: (await h.admin(['users:read'])).token },
  ];
  for (const call of calls) {
    expect((await h.graphql(EMAIL, { ...call, variables: { id: person.id } })).code).toBe('FORBIDDEN');
    expect((await h.graphql(BY_EMAIL, { ...call, variables: { email: person.email } })).code).toBe('FORBIDDEN');
  }
  expect((await h.graphql(EMAIL, { variables: { id: person.id } })).code).toBe('UNAUTHENTICATED');
});
