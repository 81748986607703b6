import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { messageLogs } from '../../src/modules/messages/messages.table.js';
import { isSignedIn, login } from '../auth/operations.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import {
  deleteAccount,
  deleteUser,
  eraseUser,
  exchange,
  logMessages,
  move,
  register,
  restoreUser,
} from './operations.js';

let h: Harness;
let serviceKey: string;
let admin: { token: string };
const SCOPES = ['credits:grant', 'credits:use', 'credits:read', 'messages:write'];

beforeAll(async () => {
  h = await createHarness();
  serviceKey = (await h.service(SCOPES)).key;
  admin = await h.admin(['users:read', 'users:delete', 'billing:read']);
});
afterAll(() => h.close());

let networks = 0;
const freshNetwork = () => `172.20.${(++networks >> 8) & 255}.${networks & 255}`;

async function booksAreRight(): Promise<boolean> {
  return (await h.graphql('{ ledgerHealth { ok } }', admin)).data.ledgerHealth.ok;
}

describe('at the same time', () => {
  it('deleting and spending: each spend is there or refused, nothing is held afterwards, and the books are right', async () => {
    const person = await h.person();
    const { id: userId } = person;
    await move(h, serviceKey, { field: 'addCredits', userId, amount: 1_000, key: newId() });
    const spend = (n: number) =>
      move(h, serviceKey, { field: n % 2 ? 'useCredits' : 'holdCredits', userId, amount: 1, key: newId() });
    const before = Array.from({ length: 20 }, (_, n) => spend(n));
    const leaving = deleteAccount(h, person.token);
    const during = Array.from({ length: 20 }, (_, n) => spend(n));
    const answers = await Promise.all([...before, ...during]);
    expect((await leaving).errors).toBeUndefined();
    for (const { code } of answers) expect([undefined, 'NOT_FOUND']).toContain(code);
    const used = answers.filter(({ data }) => data?.useCredits).length;
    const query = `query($userId: ID!) { creditBalance(userId: $userId) { balance held } }`;
    const { data } = await h.graphql(query, { serviceKey, variables: { userId } });
    expect(data.creditBalance).toEqual({ balance: 1_000 - used, held: 0 });
    expect((await spend(1)).code).toBe('NOT_FOUND');
    expect(await booksAreRight()).toBe(true);
  });

  it('erasing and logging: no message of somebody who was erased is there afterwards', async () => {
    const person = await h.person();
    const log = () => logMessages(h, serviceKey, { batch: [exchange(person.id)] });
    await log();
    const before = Array.from({ length: 10 }, log);
    const erasing = eraseUser(h, admin, person.id);
    const answers = await Promise.all([...before, ...Array.from({ length: 10 }, log)]);
    expect((await erasing).errors).toBeUndefined();
    for (const { data } of answers) {
      const { accepted, rejected } = data.logMessages;
      expect(accepted === 1 ? [] : [{ index: 0, code: 'NOT_FOUND' }]).toEqual(rejected);
    }
    expect(await h.app.db.$count(messageLogs, eq(messageLogs.userId, person.id))).toBe(0);
  });

  it('restoring and registering with the same names: exactly one of them gets them', async () => {
    for (let round = 0; round < 8; round += 1) {
      const person = await h.person();
      await deleteUser(h, admin, person.id);
      const [restored, registered] = await Promise.all([
        restoreUser(h, admin, { userId: person.id }),
        register(h, person, freshNetwork()),
      ]);
      const codes = [restored.code, registered.code].filter((code) => code !== undefined);
      expect(codes).toEqual(['USER_ALREADY_EXISTS']);
      const { data } = await login(h, { identifier: person.username });
      expect(data.login.user.id === person.id).toBe(restored.code === undefined);
    }
  });

  it('ten deletions of one person are one', async () => {
    const person = await h.person();
    const answers = await Promise.all(Array.from({ length: 10 }, () => deleteUser(h, admin, person.id)));
    expect(new Set(answers.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    expect((await h.letters(person.email)).filter(({ subject }) => subject.includes('deleted'))).toHaveLength(1);
  });

  it('deleting, restoring and erasing one person end in one of the three, whole', async () => {
    const person = await h.person();
    await Promise.all([
      deleteUser(h, admin, person.id),
      restoreUser(h, admin, { userId: person.id }),
      eraseUser(h, admin, person.id),
      restoreUser(h, admin, { userId: person.id }),
    ]);
    const { code } = await login(h, { identifier: person.username });
    const again = await restoreUser(h, admin, { userId: person.id });
    expect(code === undefined ? ['CONFLICT'] : ['CONFLICT', undefined]).toContain(again.code);
  });
});

interface Known {
  id: string;
  name: string;
  token: string;
  state: 'HERE' | 'DELETED' | 'ERASED';
}

it('in any order of signing up, leaving, coming back and erasing, a name is one person’s and who left stays out', async () => {
  const step = fc.record({
    act: fc.constantFrom('register', 'register', 'delete', 'restore', 'erase'),
    name: fc.nat(2),
    person: fc.nat(5),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 14 }), async (steps) => {
      const names = [uniqueName('a'), uniqueName('b'), uniqueName('c')];
      const people: Known[] = [];
      const holderOf = (name: string) => people.find((person) => person.name === name && person.state === 'HERE');
      for (const { act, name: n, person: p } of steps) {
        const name = names[n] ?? '';
        const person = people[p % Math.max(people.length, 1)];
        if (act === 'register') {
          const input = { username: name, email: `${name}@example.com`, password: PASSWORD };
          const { code, data } = await register(h, input, freshNetwork());
          expect(code).toBe(holderOf(name) ? 'USER_ALREADY_EXISTS' : undefined);
          if (data?.register)
            people.push({ id: data.register.user.id, name, token: data.register.accessToken, state: 'HERE' });
        } else if (person === undefined) {
        } else if (act === 'delete') {
          expect((await deleteUser(h, admin, person.id)).errors).toBeUndefined();
          if (person.state === 'HERE') person.state = 'DELETED';
        } else if (act === 'erase') {
          expect((await eraseUser(h, admin, person.id)).errors).toBeUndefined();
          person.state = 'ERASED';
        } else {
          const { code } = await restoreUser(h, admin, { userId: person.id });
          const taken = holderOf(person.name) ? 'USER_ALREADY_EXISTS' : undefined;
          expect(code).toBe(person.state === 'DELETED' ? taken : 'CONFLICT');
          if (code === undefined) person.state = 'HERE';
        }
      }
      for (const name of names) {
        const { data, code } = await login(h, { identifier: name });
        expect(data?.login?.user.id).toBe(holderOf(name)?.id);
        expect(code).toBe(holderOf(name) ? undefined : 'INVALID_CREDENTIALS');
      }
      for (const { token, state } of people) if (state !== 'HERE') expect(await isSignedIn(h, token)).toBe(false);
    }),
    { numRuns: 12 },
  );
}, 120_000);
