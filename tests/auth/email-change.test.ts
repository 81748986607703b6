import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { emailTokens, users } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import {
  actionsOf,
  changePassword,
  confirmEmailChange,
  freshIp,
  HOUR,
  isSignedIn,
  login,
  MINUTE,
  NEW_PASSWORD,
  requestEmailChange,
  requestPasswordReset,
  resetPassword,
  SECOND,
  signIn,
  undoEmailChange,
  verdicts,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

const newAddress = () => `${uniqueName('new')}@example.com`;
const confirmToken = (email: string) => h.tokenFor(email, '/confirm-email-change');
const undoToken = (email: string) => h.tokenFor(email, '/undo-email-change');
const emailOf = async (token: string) => (await h.graphql('{ me { email emailVerified } }', { token })).data.me;

/** Asks for the change and confirms it. */
async function change(person: { token: string }, email: string): Promise<void> {
  expect((await requestEmailChange(h, person.token, email)).errors).toBeUndefined();
  expect((await confirmEmailChange(h, await confirmToken(email))).errors).toBeUndefined();
}

const registerWith = (email: string) =>
  h.graphql(`mutation($input: RegisterInput!) { register(input: $input) { user { id } } }`, {
    ip: freshIp(),
    variables: { input: { username: uniqueName(), email, password: PASSWORD } },
  });

describe('requestEmailChange', () => {
  it('leaves the old address until the new one is proven, and writes to both', async () => {
    const person = await h.person();
    const email = newAddress();
    expect((await requestEmailChange(h, person.token, email)).data.requestEmailChange).toEqual({ ok: true });
    expect(await emailOf(person.token)).toEqual({ email: person.email, emailVerified: true });
    expect((await h.letters(email)).map((letter) => letter.subject)).toEqual(['Confirm your new email address']);
    const warning = (await h.letters(person.email)).at(-1);
    expect(warning?.subject).toBe('Your email address is about to change');
    // Enough to recognise, not the whole address.
    expect(warning?.text).toContain('n…@');
    expect(warning?.text).not.toContain(email);
    expect(await actionsOf(h, person.token)).toContain('user.email_change_requested');
  });

  it('asks for the password, counted like a sign-in', async () => {
    const person = await h.person();
    for (let guess = 0; guess < 5; guess += 1) {
      const answer = await requestEmailChange(h, person.token, newAddress(), 'wrong guess here');
      expect([answer.status, answer.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    }
    expect((await requestEmailChange(h, person.token, newAddress())).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND);
    expect((await requestEmailChange(h, person.token, newAddress())).errors).toBeUndefined();
  });

  it('answers and does the same for an address that somebody has', async () => {
    const [person, other] = [await h.person(), await h.person()];
    const free = newAddress();
    const answers = [
      await requestEmailChange(h, person.token, free),
      await requestEmailChange(h, person.token, other.email),
    ];
    expect(answers.map(({ status, data }) => [status, data])).toEqual(
      new Array(2).fill([200, { requestEmailChange: { ok: true } }]),
    );
    const warnings = (await h.letters(person.email)).filter((letter) => letter.subject.includes('about to change'));
    expect(warnings).toHaveLength(2);
  });

  it('refuses what is no address, and the one that is there already', async () => {
    const person = await h.person();
    expect((await requestEmailChange(h, person.token, person.email)).code).toBe('BAD_USER_INPUT');
    expect((await requestEmailChange(h, person.token, '"a b"@example.com')).code).toBe('BAD_USER_INPUT');
  });

  it('leaves one link of each kind alive when several changes are asked for at once', async () => {
    const person = await h.person();
    await Promise.all([1, 2, 3, 4].map(() => requestEmailChange(h, person.token, newAddress())));
    const rows = await h.app.db.select().from(emailTokens).where(eq(emailTokens.userId, person.id));
    const live = rows.filter((row) => !row.usedAt && !row.voidedAt).map((row) => row.purpose);
    expect(live.sort()).toEqual(['CHANGE_EMAIL', 'UNDO_EMAIL_CHANGE']);
  });

  it('is for people with a verified address, and not for admins', async () => {
    const [unverified, admin] = [await h.person({ verified: false }), await h.admin([])];
    expect((await requestEmailChange(h, unverified.token, newAddress())).code).toBe('EMAIL_NOT_VERIFIED');
    expect((await requestEmailChange(h, admin.token, newAddress())).code).toBe('UNAUTHENTICATED');
  });

  it('cannot be used to flood a mailbox: three letters an hour, and the first links go on working', async () => {
    const email = newAddress();
    const people = [await h.person(), await h.person(), await h.person(), await h.person()] as const;
    for (const person of people) {
      expect((await requestEmailChange(h, person.token, email)).data.requestEmailChange.ok).toBe(true);
    }
    expect(await h.letters(email)).toHaveLength(3);
    // Nothing was begun for the fourth: no warning, no link.
    const warned = await h.letters(people[3].email);
    expect(warned.map((letter) => letter.subject)).not.toContain('Your email address is about to change');
  });
});

describe('confirmEmailChange', () => {
  it('makes the new address count, tells both, and ends the sessions but the one that confirms', async () => {
    const person = await h.person();
    const other = await signIn(h, { identifier: person.username });
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    const answer = await confirmEmailChange(h, await confirmToken(email), { token: person.token });
    expect(answer.data.confirmEmailChange.user).toEqual({ id: person.id, email, emailVerified: true });
    expect(await isSignedIn(h, person.token)).toBe(true);
    expect(await isSignedIn(h, other.token)).toBe(false);
    expect((await h.letters(email)).at(-1)?.subject).toBe('Your email address was changed');
    expect((await h.letters(person.email)).at(-1)?.subject).toBe('Your email address was changed');
    await signIn(h, { identifier: email });
    expect((await login(h, { identifier: person.email })).code).toBe('INVALID_CREDENTIALS');
    expect(await actionsOf(h, person.token)).toContain('user.email_changed');
  });

  it('ends every session of the person when somebody else’s session confirms', async () => {
    const [person, stranger] = [await h.person(), await h.person()];
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    await confirmEmailChange(h, await confirmToken(email), { token: stranger.token });
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect(await isSignedIn(h, stranger.token)).toBe(true);
  });

  it('works once, of fifty at once', async () => {
    const person = await h.person();
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    const token = await confirmToken(email);
    const answers = await Promise.all(Array.from({ length: 50 }, () => confirmEmailChange(h, token)));
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
    expect(verdicts(answers)).toEqual(new Set([undefined, 'TOKEN_INVALID']));
  });

  it('says that the address is taken when somebody got it meanwhile', async () => {
    const [person, other] = [await h.person(), await h.person()];
    await requestEmailChange(h, person.token, other.email);
    const answer = await confirmEmailChange(h, await confirmToken(other.email));
    expect([answer.status, answer.code]).toEqual([409, 'USER_ALREADY_EXISTS']);
    expect((await emailOf(person.token)).email).toBe(person.email);
  });

  it('gives an address that two asked for to one of them', async () => {
    const people = [await h.person(), await h.person()] as const;
    const email = newAddress();
    const tokens: string[] = [];
    for (const person of people) {
      await requestEmailChange(h, person.token, email);
      tokens.push(await confirmToken(email));
    }
    const answers = await Promise.all(tokens.map((token) => confirmEmailChange(h, token)));
    expect(answers.map((answer) => answer.code).sort()).toEqual(['USER_ALREADY_EXISTS', undefined]);
  });

  it('expires after thirty minutes, and is replaced by a newer request', async () => {
    const person = await h.person();
    const [first, second] = [newAddress(), newAddress()];
    await requestEmailChange(h, person.token, first);
    const older = await confirmToken(first);
    await requestEmailChange(h, person.token, second);
    expect((await confirmEmailChange(h, older)).code).toBe('TOKEN_INVALID');
    h.clock.advance(30 * MINUTE);
    expect((await confirmEmailChange(h, await confirmToken(second))).code).toBe('TOKEN_EXPIRED');
  });

  it('dies with a change of the password', async () => {
    const person = await h.person();
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    await changePassword(h, person.token);
    expect((await confirmEmailChange(h, await confirmToken(email))).code).toBe('TOKEN_INVALID');
  });

  it('takes the force of reset links that went to the old address', async () => {
    const person = await h.person();
    await requestPasswordReset(h, person.email);
    const reset = await h.tokenFor(person.email, '/reset-password');
    await change(person, newAddress());
    expect((await resetPassword(h, reset)).code).toBe('TOKEN_INVALID');
  });

  it('refuses for a suspended person', async () => {
    const person = await h.person();
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    await h.app.db
      .update(users)
      .set({ status: 'SUSPENDED', suspendedAt: h.clock.now() })
      .where(eq(users.id, person.id));
    const answer = await confirmEmailChange(h, await confirmToken(email));
    expect([answer.status, answer.code]).toEqual([403, 'ACCOUNT_SUSPENDED']);
  });

  it('leaves no address in the audit rows, which outlive the person', async () => {
    const person = await h.person();
    const email = newAddress();
    await change(person, email);
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.userId, person.id));
    expect(JSON.stringify(rows)).not.toContain(email);
    expect(JSON.stringify(rows)).not.toContain(person.email);
  });
});

describe('undoEmailChange', () => {
  it('stops a change that is pending, ends all sessions, and sends the way to a new password', async () => {
    const person = await h.person();
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    expect((await undoEmailChange(h, await undoToken(person.email))).data.undoEmailChange).toEqual({ ok: true });
    expect((await confirmEmailChange(h, await confirmToken(email))).code).toBe('TOKEN_INVALID');
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect((await h.letters(person.email)).at(-1)?.subject).toBe('Set a new password');
    expect((await resetPassword(h, await h.tokenFor(person.email, '/reset-password'))).errors).toBeUndefined();
  });

  it('gives the account back after the change was confirmed, for 72 hours', async () => {
    const person = await h.person();
    const email = newAddress();
    await change(person, email);
    const undo = await undoToken(person.email);
    h.clock.advance(72 * HOUR - SECOND);
    expect((await undoEmailChange(h, undo)).errors).toBeUndefined();
    const { token } = await signIn(h, { identifier: person.email });
    expect(await emailOf(token)).toEqual({ email: person.email, emailVerified: true });
    expect(await actionsOf(h, token)).toContain('user.email_change_undone');
    expect((await undoEmailChange(h, undo)).code).toBe('TOKEN_INVALID');
  });

  it('expires after 72 hours', async () => {
    const person = await h.person();
    await change(person, newAddress());
    h.clock.advance(72 * HOUR);
    const answer = await undoEmailChange(h, await undoToken(person.email));
    expect([answer.status, answer.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('works once, of fifty at once', async () => {
    const person = await h.person();
    await change(person, newAddress());
    const undo = await undoToken(person.email);
    const answers = await Promise.all(Array.from({ length: 50 }, () => undoEmailChange(h, undo)));
    expect(answers.filter((answer) => answer.errors === undefined)).toHaveLength(1);
  });

  it('outlives whatever a thief does with the account: new password, reset by the new mailbox, a second change', async () => {
    const person = await h.person();
    const [theirs, second] = [newAddress(), newAddress()];
    await change(person, theirs);
    const undo = await undoToken(person.email);
    await requestPasswordReset(h, theirs);
    await resetPassword(h, await h.tokenFor(theirs, '/reset-password'), PASSWORD);
    let thief = await signIn(h, { identifier: theirs });
    await changePassword(h, thief.token, { newPassword: NEW_PASSWORD });
    await requestEmailChange(h, thief.token, second, NEW_PASSWORD);
    await confirmEmailChange(h, await confirmToken(second));
    thief = await signIn(h, { identifier: second, password: NEW_PASSWORD });
    expect((await undoEmailChange(h, undo)).errors).toBeUndefined();
    expect(await isSignedIn(h, thief.token)).toBe(false);
    // The link that the thief's first mailbox got with the second change has lost its force.
    expect((await undoEmailChange(h, await undoToken(theirs))).code).toBe('TOKEN_INVALID');
    await requestPasswordReset(h, theirs);
    await resetPassword(h, await h.tokenFor(person.email, '/reset-password'), 'eleven herons wade at first light');
    const { token } = await signIn(h, { identifier: person.email, password: 'eleven herons wade at first light' });
    expect((await emailOf(token)).email).toBe(person.email);
  });

  it('cannot be blocked by who registers the old address, or moves to it', async () => {
    const [person, accomplice] = [await h.person(), await h.person()];
    await change(person, newAddress());
    const answer = await registerWith(person.email.toUpperCase());
    expect([answer.status, answer.code]).toEqual([409, 'USER_ALREADY_EXISTS']);
    await requestEmailChange(h, accomplice.token, person.email);
    expect((await confirmEmailChange(h, await confirmToken(person.email))).code).toBe('USER_ALREADY_EXISTS');
    expect((await undoEmailChange(h, await undoToken(person.email))).errors).toBeUndefined();
    await signIn(h, { identifier: person.email });
  });

  it('frees the old address when its time is over', async () => {
    const person = await h.person();
    await change(person, newAddress());
    h.clock.advance(72 * HOUR);
    expect((await registerWith(person.email)).errors).toBeUndefined();
  });

  it('refuses whatever is not its token', async () => {
    const person = await h.person();
    const email = newAddress();
    await requestEmailChange(h, person.token, email);
    for (const token of ['', 'x', await confirmToken(email), person.token]) {
      expect((await undoEmailChange(h, token)).code).toBe('TOKEN_INVALID');
    }
  });
});
