import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeTotpSecret, stepOfTotpCode } from '../../src/core/totp.js';
import { backupCodes, totpFactors } from '../../src/modules/auth/auth.table.js';
import { freshIp, NEW_PASSWORD } from '../auth/operations.js';
import { type Answer, type Call, createHarness, type Harness, PASSWORD } from '../support/harness.js';
import { totpCode, wrongCode } from './codes.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
});
afterAll(() => h.close());
// A new time step for every test, or the codes of the one before would be used up.
beforeEach(() => h.clock.advance(90_000));

const KINDS = ['user', 'staff', 'admin'] as const;
type Kind = (typeof KINDS)[number];

const LOGIN = {
  user: 'mutation($input: LoginInput!) { result: login(input: $input) { __typename ... on AuthPayload { accessToken } ... on SecondFactorRequired { challenge methods expiresAt } } }',
  staff:
    'mutation($input: StaffLoginInput!) { result: staffLogin(input: $input) { __typename ... on StaffAuthPayload { accessToken } ... on SecondFactorRequired { challenge methods expiresAt } } }',
  admin:
    'mutation($input: AdminLoginInput!) { result: adminLogin(input: $input) { __typename ... on AdminAuthPayload { accessToken } ... on SecondFactorRequired { challenge methods expiresAt } } }',
} as const;

interface Account {
  kind: Kind;
  id: string;
  username: string;
  email: string;
  token: string;
  refreshToken: string;
}

async function account(kind: Kind): Promise<Account> {
  if (kind === 'user') return { kind, ...(await h.person()) };
  return { kind, ...(await (kind === 'staff' ? h.staff(1) : h.admin(['users:read']))) };
}

const signIn = (of: Account, password = PASSWORD): Promise<Answer> =>
  h.graphql(LOGIN[of.kind], { variables: { input: { identifier: of.username, password } }, ip: freshIp() });

async function challengeOf(of: Account): Promise<string> {
  const { data } = await signIn(of);
  expect(data.result.__typename).toBe('SecondFactorRequired');
  return data.result.challenge;
}

const COMPLETE = `mutation($input: CompleteSecondFactorInput!) { completeSecondFactor(input: $input) { __typename
  ... on AuthPayload { accessToken refreshToken user { id } }
  ... on StaffAuthPayload { accessToken refreshToken staff { id } }
  ... on AdminAuthPayload { accessToken refreshToken admin { id } } } }`;

const complete = (challenge: string, code: string, call: Call = {}): Promise<Answer> =>
  h.graphql(COMPLETE, { ip: freshIp(), ...call, variables: { input: { challenge, code } } });

const START = 'mutation { startTotpEnrollment { secret uri } }';
const CONFIRM = 'mutation($code: String!) { confirmTotpEnrollment(code: $code) { backupCodes } }';
const DISABLE = 'mutation($code: String!) { disableTotp(code: $code) { ok } }';
const REGENERATE = 'mutation($code: String!) { regenerateBackupCodes(code: $code) { backupCodes } }';

const withCode = (query: string, of: { token: string }, code: string) =>
  h.graphql(query, { token: of.token, variables: { code }, ip: freshIp() });

/** With a second factor, a minute and a half ago. */
async function enrolled(kind: Kind = 'user') {
  const of = await account(kind);
  const { secret } = (await h.graphql(START, { token: of.token })).data.startTotpEnrollment;
  const confirmed = await withCode(CONFIRM, of, totpCode(secret, h.clock.now()));
  expect(confirmed.errors).toBeUndefined();
  h.clock.advance(90_000);
  const codes: string[] = confirmed.data.confirmTotpEnrollment.backupCodes;
  const first = codes[0] ?? '';
  return { ...of, secret, codes, first, now: () => totpCode(secret, h.clock.now()) };
}

const codesOf = (answers: Answer[]) => answers.map(({ code }) => code ?? 'ok').sort();

/** One of twenty got in. On a machine that is busy a few may be told to come again, which is no session either. */
function expectOneSession(answers: Answer[]): void {
  const codes = codesOf(answers);
  expect(codes.filter((code) => code === 'ok')).toHaveLength(1);
  for (const code of codes) expect(['ok', 'INVALID_CREDENTIALS', 'DATABASE_UNAVAILABLE']).toContain(code);
}

describe('the codes themselves', () => {
  it('are those of RFC 6238, one step around now, and of six digits only', () => {
    const secret = makeTotpSecret();
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    const now = new Date('2026-03-01T12:00:10Z');
    const step = Math.floor(now.getTime() / 30_000);
    for (const steps of [-1, 0, 1])
      expect(stepOfTotpCode(secret, { code: totpCode(secret, now, steps), now })).toBe(step + steps);
    for (const steps of [-2, 2]) {
      const code = totpCode(secret, now, steps);
      if (![-1, 0, 1].some((near) => totpCode(secret, now, near) === code))
        expect(stepOfTotpCode(secret, { code, now })).toBeUndefined();
    }
    for (const code of ['', '12345', '1234567', 'abcdef', '１２３４５６', '-12345'])
      expect(stepOfTotpCode(secret, { code, now })).toBeUndefined();
  });

  it('give the test vector of the RFC', () => {
    const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
    expect(stepOfTotpCode(secret, { code: '287082', now: new Date(59_000) })).toBe(1);
    expect(stepOfTotpCode(secret, { code: '081804', now: new Date(1111111109_000) })).toBe(37037036);
  });
});

describe.each(KINDS)('the second factor of: %s', (kind) => {
  it('is asked for once it was confirmed, and a code opens the session', async () => {
    const of = await account(kind);
    const started = (await h.graphql(START, { token: of.token })).data.startTotpEnrollment;
    expect(started.uri).toMatch(new RegExp(`^otpauth://totp/.*${of.username}\\?.*secret=${started.secret}`));
    // Not confirmed, so not active.
    expect((await signIn(of)).data.result.accessToken).toBeTruthy();
    const now = totpCode(started.secret, h.clock.now());
    const { backupCodes: codes } = (await withCode(CONFIRM, of, now)).data.confirmTotpEnrollment;
    expect(new Set(codes).size).toBe(10);
    for (const code of codes)
      expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);

    const asked = (await signIn(of)).data.result;
    expect(asked.methods).toEqual(['TOTP', 'BACKUP_CODE']);
    expect(new Date(asked.expiresAt).getTime()).toBe(h.clock.now().getTime() + 300_000);
    // The code that confirmed counts no second time.
    expect((await complete(asked.challenge, now)).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(30_000);
    const { data } = await complete(asked.challenge, totpCode(started.secret, h.clock.now()));
    const result = data.completeSecondFactor;
    expect((result.user ?? result.staff ?? result.admin).id).toBe(of.id);
    const session = await h.graphql('{ currentSession { method current } }', { token: result.accessToken });
    expect(session.data.currentSession).toEqual({ method: 'PASSWORD', current: true });
    // One challenge, one session.
    expect((await complete(asked.challenge, codes[0])).code).toBe('TOKEN_INVALID');
  });

  it('lets a backup code in once, however it is typed', async () => {
    const of = await enrolled(kind);
    const typed = ` ${of.first.toLowerCase().replaceAll('-', ' ')} `;
    expect((await complete(await challengeOf(of), typed)).errors).toBeUndefined();
    expect((await complete(await challengeOf(of), of.first)).code).toBe('INVALID_CREDENTIALS');
    expect((await complete(await challengeOf(of), of.codes[1] ?? '')).errors).toBeUndefined();
  });

  it('is switched off with a code, and signing in is as before', async () => {
    const of = await enrolled(kind);
    expect((await withCode(DISABLE, of, wrongCode(of.secret, h.clock.now()))).code).toBe('INVALID_CREDENTIALS');
    expect((await withCode(DISABLE, of, of.now())).data.disableTotp.ok).toBe(true);
    expect((await signIn(of)).data.result.accessToken).toBeTruthy();
    const left = await h.app.db.select().from(backupCodes);
    expect(left.filter((row) => [row.userId, row.adminId, row.staffId].includes(of.id))).toEqual([]);
  });
});

describe('enrolling', () => {
  it('replaces a secret that was not confirmed, and refuses to replace one that was', async () => {
    const of = await account('user');
    const first = (await h.graphql(START, { token: of.token })).data.startTotpEnrollment.secret;
    const second = (await h.graphql(START, { token: of.token })).data.startTotpEnrollment.secret;
    expect(second).not.toBe(first);
    expect((await withCode(CONFIRM, of, wrongCode(second, h.clock.now()))).code).toBe('INVALID_CREDENTIALS');
    expect((await withCode(CONFIRM, of, totpCode(second, h.clock.now()))).errors).toBeUndefined();
    expect((await h.graphql(START, { token: of.token })).code).toBe('CONFLICT');
    const { data } = await h.graphql('{ me { securityHistory(first: 10) { nodes { action } } } }', { token: of.token });
    const started = data.me.securityHistory.nodes.filter(
      ({ action }: { action: string }) => action === 'user.second_factor_started',
    );
    // What was refused is nothing that happened.
    expect(started).toHaveLength(2);
    expect((await withCode(CONFIRM, of, totpCode(second, h.clock.now()))).code).toBe('CONFLICT');
  });

  it('cannot be confirmed before it was started', async () => {
    expect((await withCode(CONFIRM, await account('user'), '123456')).code).toBe('CONFLICT');
  });

  it('ends the other sessions, is audited and mailed, and shows in hasTotp', async () => {
    const of = await account('user');
    const other = (await signIn(of)).data.result.accessToken;
    const { secret } = (await h.graphql(START, { token: of.token })).data.startTotpEnrollment;
    await withCode(CONFIRM, of, totpCode(secret, h.clock.now()));
    expect((await h.graphql('{ me { id } }', { token: other })).code).toBe('UNAUTHENTICATED');
    const { data } = await h.graphql('{ me { hasTotp securityHistory(first: 5) { nodes { action } } } }', {
      token: of.token,
    });
    expect(data.me.hasTotp).toBe(true);
    expect(data.me.securityHistory.nodes[0].action).toBe('user.second_factor_enabled');
    const subjects = (await h.letters(of.email)).map(({ subject }) => subject);
    expect(subjects).toContain('Two-step sign-in is on');
  });

  it('needs a session that is fresh', async () => {
    const of = await account('user');
    h.clock.advance(11 * 60_000);
    // The access token's time is over, too: a new one of the same session.
    const { data } = await h.graphql('mutation($t: String!) { refreshToken(refreshToken: $t) { accessToken } }', {
      variables: { t: of.refreshToken },
    });
    expect((await h.graphql(START, { token: data.refreshToken.accessToken })).code).toBe('REAUTHENTICATION_REQUIRED');
  });

  it('keeps neither the secret nor a backup code in the database', async () => {
    const of = await enrolled();
    const rows = JSON.stringify([await h.app.db.select().from(totpFactors), await h.app.db.select().from(backupCodes)]);
    for (const text of [of.secret, ...of.codes, ...of.codes.map((code) => code.replaceAll('-', ''))])
      expect(rows).not.toContain(text);
  });
});

describe('backup codes', () => {
  it('are replaced with a code, and the earlier ones lose their force', async () => {
    const of = await enrolled();
    expect((await withCode(REGENERATE, of, 'nothing like a code')).code).toBe('INVALID_CREDENTIALS');
    const { backupCodes: fresh } = (await withCode(REGENERATE, of, of.first)).data.regenerateBackupCodes;
    expect(fresh).toHaveLength(10);
    expect((await complete(await challengeOf(of), of.codes[1] ?? '')).code).toBe('INVALID_CREDENTIALS');
    expect((await complete(await challengeOf(of), fresh[1])).errors).toBeUndefined();
  });

  it('of one account are worth nothing to another', async () => {
    const [one, other] = [await enrolled(), await enrolled()];
    expect((await complete(await challengeOf(one), other.first)).code).toBe('INVALID_CREDENTIALS');
  });

  it('are not offered when none is left', async () => {
    const of = await enrolled();
    await h.app.db.update(backupCodes).set({ usedAt: h.clock.now() });
    expect((await signIn(of)).data.result.methods).toEqual(['TOTP']);
  });
});

describe('a challenge', () => {
  it('is nothing we did not give, and ends after five minutes', async () => {
    const of = await enrolled();
    for (const challenge of ['', 'x', 'crd_mfa_x', of.refreshToken, `crd_mfa_${'a'.repeat(49)}`])
      expect((await complete(challenge, of.now())).code).toBe('TOKEN_INVALID');
    const challenge = await challengeOf(of);
    h.clock.advance(5 * 60_000);
    expect((await complete(challenge, of.now())).code).toBe('TOKEN_EXPIRED');
  });

  it('has five tries, after which the right code comes too late', async () => {
    const of = await enrolled();
    const challenge = await challengeOf(of);
    for (let tries = 0; tries < 5; tries += 1) {
      expect((await complete(challenge, wrongCode(of.secret, h.clock.now()))).code).toBe('INVALID_CREDENTIALS');
      // Past the delays of guessing, which are another limit.
      h.clock.advance(5_000);
    }
    expect((await complete(challenge, of.now())).code).toBe('TOKEN_INVALID');
  });

  it.each(['staff', 'admin'] as const)('comes through the door of operators like the password: %s', async (kind) => {
    const of = await enrolled(kind);
    const challenge = await challengeOf(of);
    const security = await h.admin(['security:manage']);
    const input = { action: 'DENY', scope: 'OPERATOR_SIGN_IN', cidr: '203.0.113.9/32' };
    const ruled = await h.graphql('mutation($input: AddIpRuleInput!) { addIpRule(input: $input) { ipRule { id } } }', {
      token: security.token,
      variables: { input },
    });
    expect(ruled.errors).toBeUndefined();
    try {
      // The right code, which is not used up by it.
      expect((await complete(challenge, of.now(), { ip: '203.0.113.9' })).code).toBe('IP_NOT_ALLOWED');
      expect((await complete(challenge, of.now())).errors).toBeUndefined();
      const person = await enrolled('user');
      expect((await complete(await challengeOf(person), person.now(), { ip: '203.0.113.9' })).errors).toBeUndefined();
    } finally {
      await h.graphql('mutation($id: ID!) { removeIpRule(id: $id) { ipRule { id } } }', {
        token: security.token,
        variables: { id: ruled.data.addIpRule.ipRule.id },
      });
    }
  });

  it('is worth nothing after the password was changed', async () => {
    const of = await enrolled();
    const challenge = await challengeOf(of);
    const input = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    const changed = await h.graphql(
      'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { endedSessions } }',
      { token: of.token, variables: { input }, ip: freshIp() },
    );
    expect(changed.errors).toBeUndefined();
    expect((await complete(challenge, of.now())).code).toBe('TOKEN_INVALID');
  });

  it('does not let in who was suspended after the password was right', async () => {
    const of = await enrolled();
    const challenge = await challengeOf(of);
    const admin = await h.admin(['users:write']);
    const suspended = await h.graphql(
      `mutation { suspendUser(input: { userId: "${of.id}", reason: "fraud" }) { user { status } } }`,
      { token: admin.token },
    );
    expect(suspended.errors).toBeUndefined();
    expect((await complete(challenge, of.now())).code).toBe('ACCOUNT_SUSPENDED');
  });
});

describe('guessing', () => {
  it('is held up by itself: blocked like a wrong code, and the password stays usable', async () => {
    const of = await enrolled('staff');
    for (let guesses = 0; guesses < 5; guesses += 1)
      await complete(await challengeOf(of), wrongCode(of.secret, h.clock.now()));
    const challenge = await challengeOf(of);
    expect((await complete(challenge, of.now())).code).toBe('INVALID_CREDENTIALS');
    h.clock.advance(2_000);
    expect((await complete(challenge, of.now())).errors).toBeUndefined();
  });

  it('counts against the network it comes from', async () => {
    const of = await enrolled();
    const ip = '198.51.100.77';
    const seen = new Set<string | undefined>();
    for (let guesses = 0; guesses < 31; guesses += 1)
      seen.add((await complete(await challengeOf(of), '000000', { ip })).code);
    expect(seen).toEqual(new Set(['INVALID_CREDENTIALS', 'RATE_LIMITED']));
  });

  it('is in the history of the person', async () => {
    const of = await enrolled();
    await complete(await challengeOf(of), wrongCode(of.secret, h.clock.now()));
    const { data } = await h.graphql('{ me { securityHistory(first: 3) { nodes { action } } } }', { token: of.token });
    expect(data.me.securityHistory.nodes[0].action).toBe('user.second_factor_failed');
  });

  it('a mutation holds one guess only', async () => {
    const query = `mutation { a: completeSecondFactor(input: { challenge: "x", code: "1" }) { __typename }
      b: completeSecondFactor(input: { challenge: "x", code: "2" }) { __typename } }`;
    expect((await h.graphql(query)).code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});

describe('at the same time', () => {
  it('one code used by twenty opens one session', async () => {
    const of = await enrolled();
    const challenges: string[] = [];
    for (let made = 0; made < 20; made += 1) challenges.push(await challengeOf(of));
    const answers = await Promise.all(challenges.map((challenge) => complete(challenge, of.now())));
    expectOneSession(answers);
  });

  it('one backup code used by twenty opens one session', async () => {
    const of = await enrolled();
    const challenges: string[] = [];
    for (let made = 0; made < 20; made += 1) challenges.push(await challengeOf(of));
    const answers = await Promise.all(challenges.map((challenge) => complete(challenge, of.first)));
    expectOneSession(answers);
  });

  it('one challenge answered by twenty with different backup codes and the right one opens one session', async () => {
    const of = await enrolled();
    const challenge = await challengeOf(of);
    const answers = await Promise.all([...of.codes, ...of.codes].map((code) => complete(challenge, code)));
    expect(codesOf(answers).filter((code) => code === 'ok')).toHaveLength(1);
  });

  it('twenty who confirm one enrolment get one set of backup codes', async () => {
    const of = await account('user');
    const { secret } = (await h.graphql(START, { token: of.token })).data.startTotpEnrollment;
    const code = totpCode(secret, h.clock.now());
    const answers = await Promise.all(Array.from({ length: 20 }, () => withCode(CONFIRM, of, code)));
    expect(codesOf(answers).filter((text) => text === 'ok')).toHaveLength(1);
    expect(new Set(codesOf(answers))).toEqual(new Set(['CONFLICT', 'ok']));
  });
});

describe('no way around it', () => {
  it('a reset by mail signs nobody in, and the next sign-in still asks', async () => {
    const of = await enrolled();
    await h.graphql('mutation($email: EmailAddress!) { requestPasswordReset(email: $email) { ok } }', {
      variables: { email: of.email },
      ip: freshIp(),
    });
    const token = await h.tokenFor(of.email, '/reset-password');
    const reset = await h.graphql(
      'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }',
      {
        variables: { input: { token, newPassword: NEW_PASSWORD } },
      },
    );
    expect(reset.errors).toBeUndefined();
    expect((await signIn(of, NEW_PASSWORD)).data.result.__typename).toBe('SecondFactorRequired');
  });

  it('a recovery phrase signs nobody in, and the next sign-in still asks', async () => {
    const of = await enrolled();
    const created = await h.graphql('mutation { createRecoveryPhrase { phrase } }', { token: of.token });
    const input = {
      identifier: of.username,
      phrase: created.data.createRecoveryPhrase.phrase,
      newPassword: NEW_PASSWORD,
    };
    const recovered = await h.graphql(
      'mutation($input: RecoverAccountInput!) { recoverAccount(input: $input) { ok } }',
      {
        variables: { input },
        ip: freshIp(),
      },
    );
    expect(recovered.errors).toBeUndefined();
    expect((await signIn(of, NEW_PASSWORD)).data.result.__typename).toBe('SecondFactorRequired');
  });

  it('a challenge is no access token and no refresh token', async () => {
    const challenge = await challengeOf(await enrolled());
    expect((await h.graphql('{ me { id } }', { token: challenge })).code).toBe('UNAUTHENTICATED');
    const refreshed = await h.graphql('mutation($t: String!) { refreshToken(refreshToken: $t) { accessToken } }', {
      variables: { t: challenge },
    });
    expect(refreshed.code).toBe('TOKEN_INVALID');
  });
});
