import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_ACTOR } from '../../src/core/context.js';
import { openSession } from '../../src/modules/auth/sessions.service.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { isSignedIn, refresh } from './operations.js';

let h: Harness;

beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

async function sessionsOf({ id, username }: Person, count: number): Promise<string[]> {
  const account = { kind: 'user', id, username } as const;
  const made = Array.from({ length: count }, () =>
    openSession(h.app, { account, method: 'PASSWORD', actor: SYSTEM_ACTOR }),
  );
  return (await Promise.all(made)).map(({ refreshToken }) => refreshToken);
}

describe('refreshes that arrive together and share a commit', () => {
  it('answer each session with its own next token and its own person', async () => {
    const people = [await h.person(), await h.person()];
    const tokens = (await Promise.all(people.map((person) => sessionsOf(person, 15)))).flat();
    const answers = await Promise.all(tokens.map((token) => refresh(h, token)));
    const next = answers.map((answer) => answer.data.refreshToken.refreshToken);
    expect(new Set([...tokens, ...next]).size).toBe(60);
    answers.forEach((answer, index) => {
      expect(answer.data.refreshToken.user.username).toBe(people[index < 15 ? 0 : 1]?.username);
    });
    // Each is good for exactly its own session: the chain goes on.
    const third = await Promise.all(next.map((token) => refresh(h, token)));
    expect(third.map((answer) => answer.code)).toEqual(Array(30).fill(undefined));
  });

  it('are refused one by one: an ended session, a stolen token and junk harm nobody beside them', async () => {
    const person = await h.person();
    const [ended, stolen, ...good] = (await sessionsOf(person, 12)) as [string, string, ...string[]];
    const first = await refresh(h, ended);
    await h.graphql('mutation { logout { ok } }', { token: first.data.refreshToken.accessToken });
    const current = (await refresh(h, (await refresh(h, stolen)).data.refreshToken.refreshToken)).data.refreshToken;
    const asked = [...good.slice(0, 5), ended, stolen, 'crd_rt_junk', ...good.slice(5)];
    const answers = await Promise.all(asked.map((token) => refresh(h, token)));
    const refused = ['TOKEN_INVALID', 'TOKEN_INVALID', 'TOKEN_INVALID'];
    expect(answers.map((answer) => answer.code)).toEqual([
      ...Array(5).fill(undefined),
      ...refused,
      ...Array(5).fill(undefined),
    ]);
    expect(await isSignedIn(h, current.accessToken)).toBe(false);
    expect(await isSignedIn(h, answers[0]?.data.refreshToken.accessToken)).toBe(true);
  });

  it('keep the address and the browser of each', async () => {
    const person = await h.person();
    const tokens = await sessionsOf(person, 4);
    const answers = await Promise.all(
      tokens.map((token, index) =>
        refresh(h, token, { ip: `192.0.2.${index + 1}`, headers: { 'user-agent': `Browser "${index}", {\\}` } }),
      ),
    );
    for (const [index, answer] of answers.entries()) {
      const session = await h.graphql('{ currentSession { ip userAgent } }', {
        token: answer.data.refreshToken.accessToken,
      });
      expect(session.data.currentSession).toEqual({
        ip: `192.0.2.${index + 1}`,
        userAgent: `Browser "${index}", {\\}`,
      });
    }
  });
});
