import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { users } from '../../src/modules/auth/auth.table.js';
import { login } from '../auth/operations.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import { adjustCredits, historyOf, revokeUserSessions } from './operations.js';

let h: Harness;
let staff: Record<1 | 2 | 3, { id: string; token: string }>;
beforeAll(async () => {
  h = await createHarness();
  staff = { 1: await h.staff(1), 2: await h.staff(2), 3: await h.staff(3) };
});
afterAll(() => h.close());

const by = (level: 1 | 2 | 3) => ({ token: staff[level].token });
const unknown = '00000000-0000-7000-8000-000000000000';

describe('levels', () => {
  it('are off by none: each act needs its level, and every one above will do', async () => {
    const needed: [number, (id: string) => string][] = [
      [1, (id) => `{ user(id: "${id}") { id } }`],
      [1, () => '{ users { totalCount } }'],
      [1, (id) => `mutation { sendUserPasswordReset(userId: "${id}") { ok } }`],
      [1, (id) => `mutation { addUserNote(input: { userId: "${id}", text: "called" }) { note { id } } }`],
      [2, (id) => `mutation { unlockUser(userId: "${id}", reason: "called") { user { id } } }`],
      [2, (id) => `mutation { revokeUserSessions(input: { userId: "${id}" }) { endedSessions } }`],
      [3, (id) => `mutation { unsuspendUser(input: { userId: "${id}" }) { user { id } } }`],
    ];
    for (const [level, query] of needed)
      for (const own of [1, 2, 3] as const) {
        const text = query((await h.person()).id);
        const wanted = own < level ? 'FORBIDDEN' : undefined;
        expect((await h.graphql(text, by(own))).code, `${text} by ${own}`).toBe(wanted);
      }
    const person = await h.person();
    for (const own of [1, 2] as const)
      expect((await adjustCredits(h, by(own), { userId: person.id, amount: 1 })).code).toBe('FORBIDDEN');
  });

  it('give nothing of admins, of services and of people', async () => {
    for (const query of [
      '{ adminMe { id } }',
      '{ admins { totalCount } }',
      '{ staffMembers { totalCount } }',
      '{ services { totalCount } }',
    ])
      expect((await h.graphql(query, by(3))).code).toBe('FORBIDDEN');
    expect((await h.graphql('{ me { id } }', by(3))).code).toBe('UNAUTHENTICATED');
    expect((await h.graphql(`{ creditBalance(userId: "${unknown}") { balance } }`, by(3))).code).toBe('FORBIDDEN');
  });
});

describe('level 1', () => {
  it('sees addresses masked wherever a person is shown', async () => {
    const person = await h.person();
    const masked = `${person.email.slice(0, 1)}***@example.com`;
    const one = await h.graphql(`{ user(id: "${person.id}") { username email } }`, by(1));
    expect(one.data.user).toEqual({ username: person.username, email: masked });
    const many = await h.graphql(
      'query($s: String!) { users(filter: { search: $s }) { nodes { email } edges { node { email } } } }',
      { ...by(1), variables: { s: person.username } },
    );
    expect(many.data.users.nodes).toEqual([{ email: masked }]);
    expect(many.data.users.edges).toEqual([{ node: { email: masked } }]);
    expect(JSON.stringify([one, many])).not.toContain(person.email);
    for (const level of [2, 3] as const) {
      const { data } = await h.graphql(`{ user(id: "${person.id}") { email } }`, by(level));
      expect(data.user.email).toBe(person.email);
    }
    const own = await h.graphql('{ me { email } }', { token: person.token });
    expect(own.data.me.email).toBe(person.email);
  });

  it('finds nobody by address, or the mask would come off by searching', async () => {
    const username = uniqueName('masked');
    const person = await h.person({ username });
    const secret = `${uniqueName('hidden')}@example.org`;
    const admin = await h.admin(['users:read']);
    await h.app.db.update(users).set({ email: secret, emailKey: secret }).where(eq(users.id, person.id));
    const found = async (token: string, s: string) =>
      (
        await h.graphql('query($s: String!) { users(filter: { search: $s }) { totalCount nodes { id } } }', {
          token,
          variables: { s },
        })
      ).data.users;
    for (const search of [secret, secret.slice(0, 8), 'example.org', secret.toUpperCase()]) {
      expect((await found(admin.token, search)).totalCount).toBe(1);
      expect(await found(staff[1].token, search)).toEqual({ totalCount: 0, nodes: [] });
      expect((await found(staff[2].token, search)).totalCount).toBe(1);
    }
    expect((await found(staff[1].token, username.slice(0, -1).toUpperCase())).nodes).toContainEqual({ id: person.id });
    expect((await found(staff[1].token, person.id.slice(0, 13))).nodes).toContainEqual({ id: person.id });
  });

  it('gets nothing of a person that is for level 2', async () => {
    const person = await h.person();
    for (const field of [
      'sessions { totalCount }',
      'apiKeys { totalCount }',
      'securityHistory { totalCount }',
      'hasTotp',
      'creditAccount { balance }',
    ]) {
      expect((await h.graphql(`{ user(id: "${person.id}") { ${field} } }`, by(1))).code, field).toBe('FORBIDDEN');
      expect((await h.graphql(`{ user(id: "${person.id}") { ${field} } }`, by(2))).errors, field).toBeUndefined();
    }
  });
});

describe('whoever is looked at', () => {
  it('finds it in the history: one person, and everybody on a list', async () => {
    const [person, other] = [await h.person(), await h.person()];
    await h.graphql(`{ user(id: "${person.id}") { id sessions { totalCount } } }`, by(2));
    expect((await historyOf(h, person))[0]).toMatchObject({
      action: 'user.viewed',
      actorKind: 'STAFF',
      ip: null,
      userAgent: null,
    });
    await h.graphql('query($s: String!) { users(first: 1, filter: { search: $s }) { nodes { id } } }', {
      ...by(1),
      variables: { s: person.username },
    });
    expect((await historyOf(h, person))[0]).toMatchObject({ action: 'user.listed', actorKind: 'STAFF' });
    expect((await historyOf(h, other)).map(({ action }) => action)).not.toContain('user.listed');
  });

  it('does not find it when the page ended before them', async () => {
    const stem = uniqueName('paged');
    const [first, second] = [await h.person({ username: `${stem}a` }), await h.person({ username: `${stem}b` })];
    await h.graphql(
      'query($s: String!) { users(first: 1, sort: USERNAME_ASC, filter: { search: $s }) { nodes { id } } }',
      {
        ...by(1),
        variables: { s: stem },
      },
    );
    expect((await historyOf(h, first))[0]?.action).toBe('user.listed');
    expect((await historyOf(h, second))[0]?.action).not.toBe('user.listed');
  });
});

describe('letters', () => {
  it('resendUserVerification sends the link again, to who still needs it', async () => {
    const person = await h.person({ verified: false });
    const query = `mutation { resendUserVerification(userId: "${person.id}") { ok } }`;
    const before = (await h.letters(person.email)).length;
    expect((await h.graphql(query, by(1))).data.resendUserVerification.ok).toBe(true);
    expect(await h.letters(person.email)).toHaveLength(before + 1);
    const token = await h.tokenFor(person.email, '/verify-email');
    await h.graphql('mutation($t: String!) { verifyEmail(token: $t) { user { id } } }', { variables: { t: token } });
    expect((await h.graphql(query, by(1))).code).toBe('CONFLICT');
    expect((await historyOf(h, person)).map(({ action }) => action)).toContain('user.verification_resent');
  });

  it('sendUserPasswordReset lets the person choose, says when the address has had its letters, and skips the suspended', async () => {
    const person = await h.person();
    const query = `mutation { sendUserPasswordReset(userId: "${person.id}") { ok } }`;
    for (let sent = 0; sent < 2; sent += 1) expect((await h.graphql(query, by(1))).errors).toBeUndefined();
    expect(await h.tokenFor(person.email, '/reset-password')).toMatch(/^crd_reset_/);
    expect((await h.graphql(query, by(1))).code).toBe('RATE_LIMITED');
    const suspend = `mutation { suspendUser(input: { userId: "${person.id}", reason: "fraud" }) { user { status } } }`;
    expect((await h.graphql(suspend, by(3))).data.suspendUser.user.status).toBe('SUSPENDED');
    expect((await h.graphql(query, by(1))).code).toBe('CONFLICT');
  });

  it('answer NOT_FOUND and BAD_USER_INPUT', async () => {
    for (const field of ['resendUserVerification', 'sendUserPasswordReset']) {
      expect((await h.graphql(`mutation { ${field}(userId: "${unknown}") { ok } }`, by(1))).code).toBe('NOT_FOUND');
      expect((await h.graphql(`mutation { ${field}(userId: "x") { ok } }`, by(1))).code).toBe('BAD_USER_INPUT');
    }
  });
});

describe('notes', () => {
  const NOTES = (id: string) => `{ user(id: "${id}") { notes { nodes { text authorKind authorId } totalCount } } }`;
  const add = (userId: string, text: string) =>
    h.graphql('mutation($input: AddUserNoteInput!) { addUserNote(input: $input) { note { id text } } }', {
      ...by(1),
      variables: { input: { userId, text } },
    });

  it('are for operators, newest first, and neither shown nor hinted at to the person', async () => {
    const person = await h.person();
    await add(person.id, 'first');
    await add(person.id, ' second ');
    const { data } = await h.graphql(NOTES(person.id), by(1));
    expect(data.user.notes).toEqual({
      nodes: ['second', 'first'].map((text) => ({ text, authorKind: 'STAFF', authorId: staff[1].id })),
      totalCount: 2,
    });
    const admin = await h.admin(['users:read', 'users:write']);
    expect((await h.graphql(NOTES(person.id), { token: admin.token })).data.user.notes.totalCount).toBe(2);
    const reader = await h.admin(['users:read']);
    expect((await h.graphql(NOTES(person.id), { token: reader.token })).code).toBe('FORBIDDEN');
    expect((await h.graphql('{ me { notes { totalCount } } }', { token: person.token })).code).toBe('FORBIDDEN');
    expect((await historyOf(h, person)).map(({ action }) => action)).not.toContain('user.note_added');
  });

  it('have 1 to 2,000 characters, about somebody who is there', async () => {
    const person = await h.person();
    for (const text of ['', '   ', 'x'.repeat(2001), 'a\0b'])
      expect((await add(person.id, text)).code).toBe('BAD_USER_INPUT');
    expect((await add(person.id, 'x'.repeat(2000))).errors).toBeUndefined();
    expect((await add(unknown, 'x')).code).toBe('NOT_FOUND');
    expect((await add('x', 'x')).code).toBe('BAD_USER_INPUT');
  });
});

describe('unlockUser', () => {
  it('opens an account that guesses had closed, and says so in the history', async () => {
    const person = await h.person();
    for (let guesses = 0; guesses < 5; guesses += 1)
      await login(h, { identifier: person.username, password: 'wrong wrong wrong' });
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    const unlock = (reason: string, id = person.id) =>
      h.graphql('mutation($id: ID!, $reason: String!) { unlockUser(userId: $id, reason: $reason) { user { id } } }', {
        ...by(2),
        variables: { id, reason },
      });
    expect((await unlock(' ')).code).toBe('BAD_USER_INPUT');
    expect((await unlock('x', unknown)).code).toBe('NOT_FOUND');
    expect((await unlock('called and proved it')).errors).toBeUndefined();
    expect((await login(h, { identifier: person.username, password: PASSWORD })).errors).toBeUndefined();
    const entry = (await historyOf(h, person)).find(({ action }) => action === 'user.unlocked');
    expect(entry).toMatchObject({ actorKind: 'STAFF', reason: 'called and proved it' });
  });
});

describe('revokeUserSessions', () => {
  it('ends all sessions of one person at once', async () => {
    const person = await h.person();
    const second = (await login(h, { identifier: person.username })).data.login.accessToken;
    const answer = await revokeUserSessions(h, by(2), { userId: person.id, reason: 'lost the phone' });
    expect(answer.data.revokeUserSessions).toEqual({ endedSessions: 2, people: 1 });
    for (const token of [person.token, second])
      expect((await h.graphql('{ me { id } }', { token })).code).toBe('UNAUTHENTICATED');
    expect((await revokeUserSessions(h, by(2), { userId: person.id })).data.revokeUserSessions.endedSessions).toBe(0);
  });

  it('ends those of everybody who fits a filter, for admins, and stands in the history of each', async () => {
    const stem = uniqueName('many');
    const people = [await h.person({ username: `${stem}a` }), await h.person({ username: `${stem}b` })];
    const bystander = await h.person();
    const filter = { search: stem };
    expect((await revokeUserSessions(h, by(3), { filter })).code).toBe('FORBIDDEN');
    const admin = await h.admin(['users:write']);
    const answer = await revokeUserSessions(h, admin, { filter, reason: 'leaked passwords' });
    expect(answer.data.revokeUserSessions).toEqual({ endedSessions: 2, people: 2 });
    for (const person of people) {
      expect((await h.graphql('{ me { id } }', { token: person.token })).code).toBe('UNAUTHENTICATED');
      const { data } = await login(h, { identifier: person.username });
      const history = await historyOf(h, { token: data.login.accessToken });
      expect(history).toContainEqual(
        expect.objectContaining({ action: 'user.sessions_ended', reason: 'leaked passwords' }),
      );
    }
    expect((await h.graphql('{ me { id } }', { token: bystander.token })).errors).toBeUndefined();
  });

  it('wants one person or one filter, and somebody who is there', async () => {
    const person = await h.person();
    const admin = await h.admin(['users:write']);
    for (const input of [
      {},
      { userId: person.id, filter: {} },
      { userId: 'x' },
      { userId: person.id, reason: '' },
      { filter: { search: 'x' } },
    ])
      expect((await revokeUserSessions(h, admin, input)).code).toBe('BAD_USER_INPUT');
    expect((await revokeUserSessions(h, admin, { userId: unknown })).code).toBe('NOT_FOUND');
  });
});
