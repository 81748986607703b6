import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CredenceError, TokenAnswer } from '../../src/client/client.js';
import type { Person } from '../support/harness.js';
import { type ClientWorld, createClientWorld } from './support.js';

let world: ClientWorld;
let person: Person;
beforeAll(async () => {
  world = await createClientWorld({ scopes: ['tokens:validate'] });
});
afterAll(() => world.close());
beforeEach(async () => {
  person = await world.h.person();
  world.proxy.plan();
  world.proxy.seen();
});
afterEach(() => vi.useRealTimers());

const LOGOUT = `mutation { logout { ok } }`;
const logOut = () => world.h.graphql(LOGOUT, { token: person.token });
const asked = () => world.proxy.seen().length;
const says = (answer: TokenAnswer) => (answer.valid ? 'VALID' : answer.code);

/** The client's clocks stand still, and go on by what the test says. Timers and the server's clock are the real ones. */
function holdClocks(): { advance(milliseconds: number): void } {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() });
  return { advance: (milliseconds) => vi.advanceTimersByTime(milliseconds) };
}

describe('what validateToken says', () => {
  it('of a person', async () => {
    const { id, username, email } = person;
    expect(await world.client().validateToken(person.token)).toEqual({
      valid: true,
      asOf: expect.any(Date),
      viewer: {
        kind: 'USER',
        id,
        username,
        sessionId: expect.any(String),
        expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
        scopes: null,
        impersonatedBy: null,
        readOnly: false,
        profile: { email, emailVerified: true, planCode: 'free' },
      },
    });
  });

  it('of operators, with their level, and of an admin who acts in a person’s name', async () => {
    const client = world.client();
    const staff = await world.h.staff(2);
    const admin = await world.h.admin(['users:impersonate']);
    const impersonate = `mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }`;
    const input = { userId: person.id, reason: 'a ticket', readOnly: true };
    const { data } = await world.h.graphql(impersonate, { token: admin.token, variables: { input } });
    const viewers = await Promise.all(
      [staff.token, admin.token, data.impersonateUser.accessToken].map(async (token) => {
        const answer = await client.validateToken(token);
        return answer.valid && answer.viewer;
      }),
    );
    expect(viewers).toMatchObject([
      { kind: 'STAFF', id: staff.id, level: 2 },
      { kind: 'ADMIN', id: admin.id },
      { kind: 'USER', id: person.id, impersonatedBy: admin.id, readOnly: true },
    ]);
  });

  it('of junk, without asking anybody', async () => {
    const client = world.client();
    for (const junk of [
      '',
      'x',
      'a.b',
      'a.b.c.d',
      'a b.c.d',
      `${'a'.repeat(4_100)}.b.c`,
      '\0',
      '🙂.🙂.🙂',
      '__proto__',
    ])
      expect(says(await client.validateToken(junk)), junk).toBe('MALFORMED');
    expect(asked()).toBe(0);
  });

  it('of an API key, for the scopes and the address that it is asked for', async () => {
    const client = world.client();
    const create = `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }`;
    const input = { name: 'k', scopes: ['chat:write'], ipAllowList: ['10.0.0.0/8'] };
    const { data } = await world.h.graphql(create, { token: person.token, variables: { input } });
    const ask = async (options: object) => says(await client.validateToken(data.createApiKey.key, options));
    expect(await ask({ scopes: ['chat:write'], ip: '10.1.2.3' })).toBe('VALID');
    // Each of them is another question, whatever is remembered.
    expect(await ask({ scopes: ['chat:write'], ip: '11.1.2.3' })).toBe('IP_NOT_ALLOWED');
    expect(await ask({ scopes: ['chat:read'], ip: '10.1.2.3' })).toBe('INSUFFICIENT_SCOPE');
    expect(await ask({})).toBe('IP_NOT_ALLOWED');
    expect(asked()).toBe(4);
    expect(await ask({ scopes: ['chat:write'], ip: '10.1.2.3' })).toBe('VALID');
    expect(asked()).toBe(0);
  });
});

describe('requests', () => {
  it('a hundred who ask for one token at the same moment share one', async () => {
    const client = world.client();
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.validateToken(person.token)));
    expect(new Set(answers.map(says))).toEqual(new Set(['VALID']));
    expect(asked()).toBe(1);
  });

  it('whoever asks while one is under way waits for it', async () => {
    const client = world.client();
    const held = world.proxy.hold();
    const first = client.validateToken(person.token);
    await held.arrived(1);
    const second = client.validateToken(person.token);
    held.go();
    expect([says(await first), says(await second)]).toEqual(['VALID', 'VALID']);
    expect(asked()).toBe(1);
  });

  it('forty-five tokens of one moment go in three, each with its own answer', async () => {
    const client = world.client();
    const people = await Promise.all(Array.from({ length: 3 }, () => world.h.person()));
    const bad = people[0]?.token.replace(/\.[^.]{8}/, '.AAAAAAAA') ?? '';
    const tokens = Array.from({ length: 45 }, (_, n) => people[n % 3]?.token ?? '');
    const distinct = tokens.map((token, n) => (n < 3 ? token : `${bad}${'x'.repeat(n)}`));
    const answers = await Promise.all(distinct.map((token) => client.validateToken(token)));
    expect(answers.slice(0, 3).map((answer) => answer.valid && answer.viewer.id)).toEqual(people.map(({ id }) => id));
    expect(new Set(answers.slice(3).map(says))).toEqual(new Set(['MALFORMED']));
    expect(asked()).toBe(3);
  });

  it('one who gives up disturbs nobody else who waits for the same', async () => {
    const client = world.client();
    const controller = new AbortController();
    const held = world.proxy.hold();
    const refusals = [
      client.validateToken(person.token, { signal: controller.signal }),
      client.validateToken(person.token, { timeoutMs: 1 }),
    ].map((call) => call.then(says, (error: CredenceError) => error.code));
    const other = client.validateToken(person.token);
    await held.arrived(1);
    controller.abort();
    expect(await Promise.all(refusals)).toEqual(['ABORTED', 'TIMEOUT']);
    held.go();
    expect(says(await other)).toBe('VALID');
    expect(asked()).toBe(1);
  });

  it('are tried again over a bad network, and fail for all who wait when it stays bad', async () => {
    const client = world.client({ retries: 1 });
    world.proxy.plan('lose');
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    world.proxy.plan('refuse', 'refuse');
    const calls = [1, 2].map(() => client.validateToken(person.token, { fresh: true }));
    const codes = await Promise.all(calls.map((call) => call.then(says, (error: CredenceError) => error.code)));
    expect(codes).toEqual(['NETWORK', 'NETWORK']);
    expect(says(await client.validateToken(person.token, { fresh: true }))).toBe('VALID');
  });
});

describe('what is remembered', () => {
  it('serves until it is as old as was promised, and no longer', async () => {
    const clock = holdClocks();
    const client = world.client({ maxStalenessMs: 5_000 });
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    await logOut();
    clock.advance(4_999);
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    expect(asked()).toBe(1);
    clock.advance(1);
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
  });

  it('is as old as the question, not as the answer', async () => {
    const clock = holdClocks();
    const client = world.client({ maxStalenessMs: 5_000, attemptTimeoutMs: 60_000, timeoutMs: 60_000 });
    const held = world.proxy.hold();
    const slow = client.validateToken(person.token);
    await held.arrived(1);
    clock.advance(3_000);
    held.go();
    const { asOf } = await slow;
    expect(Date.now() - asOf.getTime()).toBe(3_000);
    clock.advance(2_000);
    await client.validateToken(person.token);
    expect(asked()).toBe(2);
  });

  it('never outlives the token', async () => {
    const clock = holdClocks();
    const client = world.client({ maxStalenessMs: 3_600_000 });
    const answer = await client.validateToken(person.token);
    clock.advance((answer.valid ? Date.parse(answer.viewer.expiresAt) : 0) - Date.now());
    await client.validateToken(person.token);
    expect(asked()).toBe(2);
  });

  it('of a refusal, serves for a second', async () => {
    const clock = holdClocks();
    const client = world.client({ maxStalenessMs: 60_000 });
    await logOut();
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
    clock.advance(999);
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
    expect(asked()).toBe(1);
    clock.advance(1);
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
    expect(asked()).toBe(1);
  });

  it('is not asked for by who wants to know it now, and the news replaces it', async () => {
    const client = world.client({ maxStalenessMs: 60_000 });
    await client.validateToken(person.token);
    await logOut();
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    expect(says(await client.validateToken(person.token, { fresh: true }))).toBe('REVOKED');
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
  });

  it('is nothing at all where no staleness is allowed', async () => {
    const client = world.client({ maxStalenessMs: 0 });
    for (let count = 0; count < 3; count += 1) await client.validateToken(person.token);
    expect(asked()).toBe(3);
  });

  it('is bounded: the one unused for longest is asked for again', async () => {
    const client = world.client({ maxEntries: 2, maxStalenessMs: 60_000 });
    const [second, third] = [await world.h.person(), await world.h.person()];
    for (const token of [person.token, second.token, person.token, third.token]) await client.validateToken(token);
    expect(asked()).toBe(3);
    await client.validateToken(person.token);
    expect(asked()).toBe(0);
    await client.validateToken(second.token);
    expect(asked()).toBe(1);
  });

  it('is not pushed out by junk', async () => {
    const client = world.client({ maxEntries: 2, maxStalenessMs: 60_000 });
    await client.validateToken(person.token);
    await Promise.all(Array.from({ length: 40 }, (_, n) => client.validateToken(`a.b.${n}`)));
    world.proxy.seen();
    expect(says(await client.validateToken(person.token))).toBe('VALID');
    expect(asked()).toBe(0);
  });
});

describe('forgetting', () => {
  const sessionOf = (answer: TokenAnswer) => (answer.valid ? (answer.viewer.sessionId ?? '') : '');

  it('a session or a person makes the next question a real one', async () => {
    const client = world.client({ maxStalenessMs: 600_000 });
    const sessionId = sessionOf(await client.validateToken(person.token));
    await logOut();
    client.forget({ sessionId });
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
    const other = await world.h.person();
    await client.validateToken(other.token);
    world.proxy.seen();
    client.forget({ userId: other.id });
    expect(says(await client.validateToken(other.token))).toBe('VALID');
    expect(asked()).toBe(1);
  });

  it('counts for an answer that is still on its way', async () => {
    const client = world.client({ maxStalenessMs: 600_000 });
    const held = world.proxy.hold();
    const before = client.validateToken(person.token);
    await held.arrived(1);
    await logOut();
    client.forget({ userId: person.id });
    const after = client.validateToken(person.token);
    await held.arrived(2);
    held.go();
    expect([says(await before), says(await after)]).toEqual(['VALID', 'REVOKED']);
    // Whichever came last: the older one is not what is remembered.
    expect(says(await client.validateToken(person.token))).toBe('REVOKED');
  });

  it('is done for events of Credence that concern somebody, and for no others', async () => {
    const client = world.client({ maxStalenessMs: 600_000 });
    const sessionId = sessionOf(await client.validateToken(person.token));
    const userId = person.id;
    const isForgotten = async (type: string, data: Record<string, unknown>) => {
      world.proxy.seen();
      const concerned = client.handleEvent({ type, data });
      await client.validateToken(person.token);
      expect(asked(), type).toBe(concerned ? 1 : 0);
      return concerned;
    };
    expect(await isForgotten('session.revoked', { userId, sessionId, reason: 'LOGOUT' })).toBe(true);
    for (const kind of ['user.verified', 'user.updated', 'user.suspended', 'user.deleted', 'api_key.revoked'])
      expect(await isForgotten(kind, { userId })).toBe(true);
    for (const kind of ['credits.changed', 'payment.succeeded', 'user.registered', 'something.new'])
      expect(await isForgotten(kind, { userId })).toBe(false);
    expect(client.handleEvent({ type: 'session.revoked', data: {} })).toBe(false);
  });
});
