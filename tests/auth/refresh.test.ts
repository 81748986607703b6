import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessions, users } from '../../src/modules/auth/auth.table.js';
import { type Answer, createHarness, type Harness } from '../support/harness.js';
import { actionsOf, DAY, HOUR, isSignedIn, MINUTE, refresh, SECOND, sessionsOf, signIn } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());

const next = async (token: string): Promise<string> => {
  const answer = await refresh(h, token);
  if (answer.errors) throw new Error(`refreshToken: ${JSON.stringify(answer.errors)}`);
  return answer.data.refreshToken.refreshToken;
};
const codes = (answers: Answer[]) => [...new Set(answers.map((answer) => answer.code))];
const successors = (answers: Answer[]) => [...new Set(answers.map((answer) => answer.data.refreshToken.refreshToken))];

describe('refreshToken', () => {
  it('answers a new pair of tokens, and the person', async () => {
    const person = await h.person();
    const { data } = await refresh(h, person.refreshToken);
    expect(data.refreshToken.user).toEqual({ id: person.id, username: person.username });
    expect(data.refreshToken.refreshToken).toMatch(/^crd_rt_/);
    expect(data.refreshToken.refreshToken).not.toBe(person.refreshToken);
    expect(await isSignedIn(h, data.refreshToken.accessToken)).toBe(true);
    expect(Date.parse(data.refreshToken.accessTokenExpiresAt)).toBe(
      Math.floor(h.clock.now().getTime() / 1000) * 1000 + 10 * MINUTE,
    );
  });

  it('works beside an access token that has expired', async () => {
    const person = await h.person();
    h.clock.advance(11 * MINUTE);
    expect(await isSignedIn(h, person.token)).toBe(false);
    expect((await refresh(h, person.refreshToken, { token: person.token })).errors).toBeUndefined();
  });

  it('serves admins, who have no person behind them', async () => {
    const admin = await h.admin([]);
    const { data } = await refresh(h, admin.refreshToken);
    expect(data.refreshToken.user).toBeNull();
    expect(await isSignedIn(h, data.refreshToken.accessToken)).toBe(true);
  });

  it('yields the current token for the one before it for twenty seconds', async () => {
    const person = await h.person();
    const second = await next(person.refreshToken);
    h.clock.advance(19 * SECOND);
    expect(await next(person.refreshToken)).toBe(second);
    expect(await next(second)).not.toBe(second);
  });

  it.each([100, 20])(
    'gives %i refreshes at once with one token the same successor, and nobody is signed out',
    async (count) => {
      const person = await h.person();
      const answers = await Promise.all(Array.from({ length: count }, () => refresh(h, person.refreshToken)));
      expect(codes(answers)).toEqual([undefined]);
      expect(successors(answers)).toHaveLength(1);
      for (const answer of answers) expect(await isSignedIn(h, answer.data.refreshToken.accessToken)).toBe(true);
      await next(successors(answers)[0] as string);
      expect(await actionsOf(h, person.token)).not.toContain('session.reuse_detected');
    },
  );

  it('ends the session when a token older than that comes back, for the thief and the owner, and mails', async () => {
    const person = await h.person();
    const second = await next(person.refreshToken);
    const third = await next(second);
    const { token } = await signIn(h, { identifier: person.username });
    const stolen = await refresh(h, person.refreshToken, { ip: '203.0.113.9' });
    expect([stolen.status, stolen.code]).toEqual([401, 'TOKEN_INVALID']);
    for (const late of [person.refreshToken, second, third])
      expect((await refresh(h, late)).code).toBe('TOKEN_INVALID');
    expect(await isSignedIn(h, person.token)).toBe(false);
    // The other session has nothing to do with it.
    expect(await isSignedIn(h, token)).toBe(true);
    expect((await actionsOf(h, token)).filter((action) => action === 'session.reuse_detected')).toHaveLength(1);
    const letters = (await h.letters(person.email)).filter((letter) => letter.subject.includes('signed out one'));
    expect(letters).toHaveLength(1);
    expect(letters[0]?.text).toContain('203.0.113.9');
  });

  it('ends the session for the token before the current one, too, once the grace is over', async () => {
    const person = await h.person();
    const second = await next(person.refreshToken);
    h.clock.advance(20 * SECOND);
    expect((await refresh(h, person.refreshToken)).code).toBe('TOKEN_INVALID');
    expect((await refresh(h, second)).code).toBe('TOKEN_INVALID');
  });

  it('writes one audit row and one letter, however often a stolen token comes back at once', async () => {
    const person = await h.person();
    await next(await next(person.refreshToken));
    await Promise.all(Array.from({ length: 10 }, () => refresh(h, person.refreshToken)));
    const { token } = await signIn(h, { identifier: person.username });
    expect((await actionsOf(h, token)).filter((action) => action === 'session.reuse_detected')).toHaveLength(1);
  });

  it('mails an admin whose token was copied', async () => {
    const admin = await h.admin([]);
    await next(await next(admin.refreshToken));
    await refresh(h, admin.refreshToken);
    expect((await h.letters(admin.email)).map((letter) => letter.subject)).toEqual([
      'We signed out one of your sessions',
    ]);
  });

  it('ends after thirty days without use', async () => {
    const person = await h.person();
    h.clock.advance(30 * DAY - SECOND);
    const second = await next(person.refreshToken);
    h.clock.advance(30 * DAY - SECOND);
    const third = await next(second);
    h.clock.advance(30 * DAY);
    const late = await refresh(h, third);
    expect([late.status, late.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('ends after ninety days, however much it is used', async () => {
    const person = await h.person();
    let token = person.refreshToken;
    for (let month = 0; month < 3; month += 1) {
      h.clock.advance(30 * DAY - SECOND);
      token = await next(token);
    }
    const [row] = await h.app.db.select().from(sessions).where(eq(sessions.userId, person.id));
    expect(row?.expiresAt).toEqual(row?.endsAt);
    h.clock.advance(3 * SECOND);
    expect((await refresh(h, token)).code).toBe('TOKEN_EXPIRED');
  });

  it('ends an admin’s session after eight hours, used or not', async () => {
    const admin = await h.admin([]);
    h.clock.advance(4 * HOUR);
    const second = await next(admin.refreshToken);
    h.clock.advance(4 * HOUR);
    expect((await refresh(h, second)).code).toBe('TOKEN_EXPIRED');
  });

  it('moves last use, address and user agent of the session', async () => {
    const person = await h.person();
    h.clock.advance(5 * MINUTE);
    const { data } = await refresh(h, person.refreshToken, { ip: '198.51.100.4', headers: { 'user-agent': 'Arena' } });
    const { nodes } = await sessionsOf(h, data.refreshToken.accessToken);
    expect(nodes[0]).toMatchObject({ ip: '198.51.100.4', userAgent: 'Arena', lastUsedAt: h.clock.now().toISOString() });
  });

  it('refuses after logout, also within the grace', async () => {
    const person = await h.person();
    await next(person.refreshToken);
    await h.graphql('mutation { logout { ok } }', { token: person.token });
    expect((await refresh(h, person.refreshToken)).code).toBe('TOKEN_INVALID');
  });

  it('tells a suspended person so, and does not take them for a thief', async () => {
    const person = await h.person();
    const second = await next(person.refreshToken);
    await h.app.db
      .update(users)
      .set({
        status: 'SUSPENDED',
        suspendedAt: h.clock.now(),
        suspendedUntil: new Date(h.clock.now().getTime() + HOUR),
      })
      .where(eq(users.id, person.id));
    for (const token of [second, person.refreshToken]) {
      const answer = await refresh(h, token);
      expect([answer.status, answer.code]).toEqual([403, 'ACCOUNT_SUSPENDED']);
    }
    // A suspension with an end lifts itself.
    h.clock.advance(HOUR);
    await next(second);
  });

  it('refuses whatever is not a token of ours, the same way', async () => {
    const person = await h.person();
    const token = person.refreshToken;
    const altered = [
      '',
      'x',
      'crd_rt_',
      token.slice(0, -1),
      `${token}=`,
      `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
      `${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`,
      token.replace('crd_rt_', 'crd_key_'),
      token.toUpperCase(),
      ` ${token}`,
      person.token,
      'é'.repeat(82),
    ];
    const answers = await Promise.all(altered.map((text) => refresh(h, text)));
    expect(codes(answers)).toEqual(['TOKEN_INVALID']);
    // And nothing of it was taken for theft.
    await next(token);
  });

  it('asks for the token', async () => {
    const answer = await refresh(h, undefined);
    expect([answer.status, answer.code]).toEqual([400, 'BAD_USER_INPUT']);
    expect(answer.errors?.[0]?.extensions.fields).toEqual({ refreshToken: 'is required' });
  });

  it('may stand once in an operation', async () => {
    const twice =
      'mutation { a: refreshToken(refreshToken: "x") { accessToken } b: refreshToken(refreshToken: "x") { accessToken } }';
    expect((await h.graphql(twice)).code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});
