import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/core/errors.js';
import { loginFailures } from '../../src/modules/auth/auth.table.js';
import { createHarness, type Harness } from '../support/harness.js';
import {
  freshIp,
  isSignedIn,
  login,
  MINUTE,
  NEW_PASSWORD,
  requestPasswordReset,
  resetPassword,
  SECOND,
  signIn,
  useUpGuesses,
  verdicts,
  WRONG,
} from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

describe('guessing', () => {
  it('gives five guesses, then one after a delay that doubles, and never says that it waits', async () => {
    const person = await h.person();
    await useUpGuesses(h, person.username);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND + 100);
    // The sixth is looked at again, and wrong; now two seconds.
    expect((await login(h, { identifier: person.username, password: WRONG })).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND + 100);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(1 * SECOND);
    await signIn(h, { identifier: person.username });
    // And the count starts over.
    await useUpGuesses(h, person.username);
    h.clock.advance(1 * SECOND + 100);
    await signIn(h, { identifier: person.username });
  });

  it('counts an account under all its names, and never waits longer than fifteen minutes', async () => {
    const person = await h.person();
    const key = `account:${person.id}`;
    for (const identifier of [person.username, person.email, person.username.toUpperCase(), person.email, 'x']) {
      await login(h, { identifier, password: WRONG });
    }
    const count = async () => (await h.app.db.select().from(loginFailures).where(eq(loginFailures.key, key)))[0];
    expect((await count())?.failures).toBe(4);
    await h.app.db.update(loginFailures).set({ failures: 50 }).where(eq(loginFailures.key, key));
    await login(h, { identifier: person.username, password: WRONG });
    const row = await count();
    expect(row?.failures).toBe(51);
    expect(Number(row?.blockedUntil) - Number(row?.lastAt)).toBe(15 * MINUTE);
  });

  it('stops for good at a hundred in a row, until a reset by mail', async () => {
    const person = await h.person();
    const key = `account:${person.id}`;
    await login(h, { identifier: person.username, password: WRONG });
    await h.app.db.update(loginFailures).set({ failures: 99 }).where(eq(loginFailures.key, key));
    await login(h, { identifier: person.username, password: WRONG });
    h.clock.advance(365 * 24 * 60 * MINUTE);
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
    await requestPasswordReset(h, person.email);
    await resetPassword(h, await h.tokenFor(person.email, '/reset-password'));
    await signIn(h, { identifier: person.username, password: NEW_PASSWORD });
  });

  it('treats a name that nobody has like one that somebody has', async () => {
    const identifier = 'nobody-but-guessed-at';
    await useUpGuesses(h, identifier);
    const before = await h.app.db.$count(loginFailures, sql`failures = 5`);
    await login(h, { identifier: identifier.toUpperCase(), password: WRONG });
    expect(await h.app.db.$count(loginFailures, sql`failures = 5`)).toBe(before);
  });

  it('looks at five of 500 wrong passwords at once, from as many addresses', async () => {
    const person = await h.person();
    const verify = vi.spyOn(h.app.passwords, 'verify');
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => login(h, { identifier: person.username, password: WRONG })),
    );
    const lookedAt = verify.mock.calls.filter(([, stored]) => typeof stored === 'string');
    verify.mockRestore();
    expect(lookedAt.length).toBeLessThanOrEqual(5);
    expect(verdicts(answers)).toEqual(new Set(['INVALID_CREDENTIALS']));
    const [row] = await h.app.db
      .select()
      .from(loginFailures)
      .where(eq(loginFailures.key, `account:${person.id}`));
    expect(row?.failures).toBe(5);
  });

  it('is not what it counts when the machine was too busy to look: the guess is given back', async () => {
    const person = await h.person();
    const busy = vi.spyOn(h.app.passwords, 'verify').mockRejectedValue(new AppError('RETRY_LATER'));
    const ip = freshIp();
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const answer = await login(h, { identifier: person.username }, { ip });
      expect([answer.status, answer.code]).toEqual([503, 'RETRY_LATER']);
    }
    busy.mockRestore();
    await signIn(h, { identifier: person.username }, { ip });
    // Nor does it open what wrong passwords had closed.
    await useUpGuesses(h, person.username);
    h.clock.advance(1 * SECOND);
    await login(h, { identifier: person.username, password: WRONG });
    const busyAgain = vi.spyOn(h.app.passwords, 'verify').mockRejectedValue(new AppError('RETRY_LATER'));
    await login(h, { identifier: person.username });
    busyAgain.mockRestore();
    expect((await login(h, { identifier: person.username })).code).toBe('INVALID_CREDENTIALS');
  });

  it('lets thirty guesses a minute through from one network, whomever they are at', async () => {
    const ip = freshIp();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => login(h, { identifier: `spread${index}`, password: WRONG }, { ip })),
    );
    const limited = answers.filter((answer) => answer.code === 'RATE_LIMITED');
    expect(limited).toHaveLength(10);
    expect(limited[0]).toMatchObject({ status: 429 });
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
    h.clock.advance(1 * MINUTE);
    expect((await login(h, { identifier: 'spread', password: WRONG }, { ip })).code).toBe('INVALID_CREDENTIALS');
  });

  it('counts an IPv6 network of 64 bits as one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 31 }, (_, index) =>
        login(h, { identifier: `six${index}` }, { ip: `2001:db8:9:9::${index + 1}` }),
      ),
    );
    expect(answers.filter((answer) => answer.code === 'RATE_LIMITED')).toHaveLength(1);
  });

  it('leaves the owner’s known device and live sessions alone', async () => {
    const person = await h.person();
    const home = { ip: freshIp(), headers: { 'user-agent': 'Lynx' } };
    const { token } = await signIn(h, { identifier: person.username }, home);
    await useUpGuesses(h, person.username);
    await signIn(h, { identifier: person.username }, home);
    expect(await isSignedIn(h, token)).toBe(true);
  });

  it('is not undone by an answer that was right but somebody else’s', async () => {
    const [victim, attacker] = [await h.person(), await h.person()];
    await useUpGuesses(h, victim.username);
    await signIn(h, { identifier: attacker.username });
    expect((await login(h, { identifier: victim.username })).code).toBe('INVALID_CREDENTIALS');
  });
});
