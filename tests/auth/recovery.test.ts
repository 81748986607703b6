import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loginFailures, recoveryPhrases, users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import {
  actionsOf,
  createRecoveryPhrase,
  isSignedIn,
  login,
  MINUTE,
  NEW_PASSWORD,
  reauthenticate,
  recoverAccount,
  refresh,
  SECOND,
  signIn,
  verdicts,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

/** Somebody with a phrase. */
async function careful(): Promise<{ person: Person; phrase: string }> {
  const person = await h.person();
  const { data } = await createRecoveryPhrase(h, person.token);
  return { person, phrase: data.createRecoveryPhrase.phrase };
}

const OTHER = 'legal winner thank year wave sausage worth useful legal winner thank yellow';

describe('createRecoveryPhrase', () => {
  it('answers twelve words, mails that there is one, and never shows them again', async () => {
    const { person, phrase } = await careful();
    expect(phrase.split(' ')).toHaveLength(12);
    const { data } = await h.graphql('{ me { hasRecoveryPhrase } }', { token: person.token });
    expect(data.me.hasRecoveryPhrase).toBe(true);
    const letter = (await h.letters(person.email)).at(-1);
    expect(letter?.subject).toBe('A recovery phrase was created');
    expect(letter?.text).not.toContain(phrase);
    expect(await actionsOf(h, person.token)).toContain('user.recovery_phrase_created');
    const [row] = await h.app.db.select().from(recoveryPhrases).where(eq(recoveryPhrases.userId, person.id));
    expect(row?.phraseHash).toMatch(/^\$argon2id\$/);
  });

  it('replaces an earlier one', async () => {
    const { person, phrase } = await careful();
    const second = (await createRecoveryPhrase(h, person.token)).data.createRecoveryPhrase.phrase;
    expect(second).not.toBe(phrase);
    expect((await recoverAccount(h, { identifier: person.username, phrase })).code).toBe('INVALID_CREDENTIALS');
    expect((await recoverAccount(h, { identifier: person.username, phrase: second })).errors).toBeUndefined();
  });

  it('is there for nobody who has not made one', async () => {
    const person = await h.person();
    const { data } = await h.graphql('{ me { hasRecoveryPhrase } }', { token: person.token });
    expect(data.me.hasRecoveryPhrase).toBe(false);
  });

  it('asks for a fresh session of a verified person', async () => {
    const [unverified, admin, person] = [await h.person({ verified: false }), await h.admin([]), await h.person()];
    expect((await createRecoveryPhrase(h, unverified.token)).code).toBe('EMAIL_NOT_VERIFIED');
    expect((await createRecoveryPhrase(h, admin.token)).code).toBe('UNAUTHENTICATED');
    h.clock.advance(9 * MINUTE);
    const { data } = await refresh(h, person.refreshToken);
    h.clock.advance(2 * MINUTE);
    const stale = await createRecoveryPhrase(h, data.refreshToken.accessToken);
    expect([stale.status, stale.code]).toEqual([403, 'REAUTHENTICATION_REQUIRED']);
    await reauthenticate(h, data.refreshToken.accessToken);
    expect((await createRecoveryPhrase(h, data.refreshToken.accessToken)).errors).toBeUndefined();
  });
});

describe('recoverAccount', () => {
  it('sets a new password, ends all sessions, uses the phrase up, mails, and signs nobody in', async () => {
    const { person, phrase } = await careful();
    const answer = await recoverAccount(h, { identifier: person.email, phrase });
    expect(answer.data).toEqual({ recoverAccount: { ok: true } });
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    const { token } = await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
    expect((await h.graphql('{ me { hasRecoveryPhrase } }', { token })).data.me.hasRecoveryPhrase).toBe(false);
    expect(await actionsOf(h, token)).toContain('user.recovered');
    expect((await h.letters(person.email)).at(-1)?.subject).toBe('Your account was recovered');
    expect((await recoverAccount(h, { identifier: person.email, phrase })).code).toBe('INVALID_CREDENTIALS');
  });

  it.each([
    ['capitals', (phrase: string) => phrase.toUpperCase()],
    ['hyphens', (phrase: string) => phrase.replaceAll(' ', '-')],
    ['long dashes and many spaces', (phrase: string) => `  ${phrase.replaceAll(' ', ' — ')}\n`],
    [
      'full-width letters',
      (phrase: string) =>
        [...phrase]
          .map((letter) => (letter === ' ' ? '\u3000' : String.fromCharCode(letter.charCodeAt(0) + 0xfee0)))
          .join(''),
    ],
    ['no-break spaces', (phrase: string) => phrase.replaceAll(' ', '\u00a0')],
  ])('does not mind %s', async (_, typed) => {
    const { person, phrase } = await careful();
    expect((await recoverAccount(h, { identifier: person.username, phrase: typed(phrase) })).errors).toBeUndefined();
  });

  it('answers alike for a wrong phrase, a person without one, and a name that nobody has', async () => {
    const [{ person }, without] = [await careful(), await h.person()];
    const verify = vi.spyOn(h.app.passwords, 'verify');
    for (const identifier of [person.username, without.username, 'nobody-has-this-name']) {
      const answer = await recoverAccount(h, { identifier, phrase: OTHER });
      expect([answer.status, answer.code], identifier).toEqual([401, 'INVALID_CREDENTIALS']);
    }
    expect(verify).toHaveBeenCalledTimes(3);
    verify.mockRestore();
  });

  it('refuses what cannot be a phrase', async () => {
    const { person, phrase } = await careful();
    const words = phrase.split(' ');
    const typed = [
      '',
      words.slice(1).join(' '),
      `${phrase} ${words[0]}`,
      [...words].reverse().join(' '),
      words.join(''),
      'x'.repeat(5000),
    ];
    for (const text of typed) {
      expect((await recoverAccount(h, { identifier: person.username, phrase: text })).code).toBe('INVALID_CREDENTIALS');
    }
    // Typing errors are no guesses: the phrase still works.
    expect((await recoverAccount(h, { identifier: person.username, phrase })).errors).toBeUndefined();
  });

  it('looks at five guesses, then one after a delay that doubles; sign-in is counted apart', async () => {
    const { person, phrase } = await careful();
    for (let guess = 0; guess < 5; guess += 1) await recoverAccount(h, { identifier: person.username, phrase: OTHER });
    expect((await recoverAccount(h, { identifier: person.username, phrase })).code).toBe('INVALID_CREDENTIALS');
    await signIn(h, { identifier: person.username });
    const rows = await h.app.db
      .select()
      .from(loginFailures)
      .where(eq(loginFailures.key, `recovery:${person.id}`));
    expect(rows[0]?.failures).toBe(5);
    h.clock.advance(1 * SECOND);
    expect((await recoverAccount(h, { identifier: person.username, phrase })).errors).toBeUndefined();
  });

  it('is not closed by guesses at the password, and opens what they closed', async () => {
    const { person, phrase } = await careful();
    for (let guess = 0; guess < 6; guess += 1)
      await login(h, { identifier: person.username, password: 'wrong guess here' });
    expect((await recoverAccount(h, { identifier: person.username, phrase })).errors).toBeUndefined();
    await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
  });

  it('works once, of fifty at once', async () => {
    const { person, phrase } = await careful();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => recoverAccount(h, { identifier: person.username, phrase })),
    );
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
    expect(verdicts(answers)).toEqual(new Set([undefined, 'INVALID_CREDENTIALS']));
  });

  it('applies the policy without using the phrase up', async () => {
    const { person, phrase } = await careful();
    for (const newPassword of ['short', `${person.username}!${person.username}`]) {
      const answer = await recoverAccount(h, { identifier: person.email, phrase, newPassword });
      expect([answer.status, answer.code]).toEqual([422, 'WEAK_PASSWORD']);
    }
    expect((await recoverAccount(h, { identifier: person.username, phrase })).errors).toBeUndefined();
  });

  it('refuses for a suspended account, and tells so only to who has the phrase', async () => {
    const { person, phrase } = await careful();
    await h.app.db
      .update(users)
      .set({ status: 'SUSPENDED', suspendedAt: h.clock.now() })
      .where(eq(users.id, person.id));
    expect((await recoverAccount(h, { identifier: person.username, phrase: OTHER })).code).toBe('INVALID_CREDENTIALS');
    const answer = await recoverAccount(h, { identifier: person.username, phrase });
    expect([answer.status, answer.code]).toEqual([403, 'ACCOUNT_SUSPENDED']);
    await h.app.db.update(users).set({ status: 'ACTIVE', suspendedAt: null }).where(eq(users.id, person.id));
    expect((await recoverAccount(h, { identifier: person.username, phrase })).errors).toBeUndefined();
  });

  it('may stand once in an operation', async () => {
    const input = `{ identifier: "a", phrase: "b", newPassword: "c" }`;
    const twice = `mutation { a: recoverAccount(input: ${input}) { ok } b: recoverAccount(input: ${input}) { ok } }`;
    expect((await h.graphql(twice)).code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});
