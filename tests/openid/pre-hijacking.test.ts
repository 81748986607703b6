// The five ways to hijack an account before its owner makes it (A. Sudhodanan and A. Paverd, "Pre-hijacked accounts",
// USENIX Security 2022). Each plays the attacker's part as far as the API lets them, then the owner's, and looks
// whether the attacker holds anything.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestEmailChange } from '../auth/operations.js';
import { createHarness, type Harness, type Person, uniqueName } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.js';
import { linkAt, signInAt, startGoogleLink, subject } from './operations.js';

let h: Harness;
let provider: ScriptedProvider;
beforeAll(async () => {
  provider = await startScriptedProvider();
  const returnUrls = ['https://app.example.com/google-sign-in'];
  h = await createHarness({ config: { google: { ...CLIENT, issuer: provider.issuer, returnUrls } } });
});
afterAll(async () => {
  await h.close();
  await provider.close();
});

const login = (person: Person) =>
  h.graphql('mutation($input: LoginInput!) { login(input: $input) { __typename } }', {
    variables: { input: { identifier: person.email, password: person.password } },
  });

/** Everything the attacker had is tried once more, and nothing of it opens the account. */
async function expectNothingHeld(attacker: Person): Promise<void> {
  expect((await login(attacker)).code).toBe('INVALID_CREDENTIALS');
  expect((await h.graphql('{ currentSession { id } }', attacker)).code).toBe('UNAUTHENTICATED');
  const refreshed = await h.graphql(
    `mutation { refreshToken(refreshToken: "${attacker.refreshToken}") { accessToken } }`,
  );
  expect(refreshed.data?.refreshToken ?? null).toBeNull();
  expect(refreshed.code).toBeDefined();
}

/** The owner of the mailbox signs in at the provider: the account is theirs, and nobody else is in it. */
async function arriveAsOwner(email: string): Promise<{ id: string; token: string }> {
  const { data, errors } = await signInAt(h, provider, subject({ email }));
  expect(errors).toBeUndefined();
  const { accessToken, user } = data.completeGoogleSignIn;
  expect(user).toMatchObject({ email, emailVerified: true });
  const { data: seen } = await h.graphql(
    '{ me { hasPassword hasTotp hasRecoveryPhrase apiKeys { nodes { revokedAt } } linkedAccounts { nodes { email } } sessions { nodes { current } } } }',
    { token: accessToken },
  );
  expect(seen.me.sessions.nodes).toEqual([{ current: true }]);
  expect(seen.me.linkedAccounts.nodes).toEqual([{ email }]);
  expect(seen.me).toMatchObject({ hasPassword: false, hasTotp: false, hasRecoveryPhrase: false });
  expect(seen.me.apiKeys.nodes.filter(({ revokedAt }: { revokedAt: unknown }) => revokedAt === null)).toEqual([]);
  return { id: user.id, token: accessToken };
}

describe('an attacker who was here first holds nothing', () => {
  it('classic-federated merge: a password set before the owner came by the provider', async () => {
    const attacker = await h.person({ verified: false });
    const owner = await arriveAsOwner(attacker.email);
    // The same row, for whatever services hang on its id; of what opened it, nothing is left.
    expect(owner.id).toBe(attacker.id);
    await expectNothingHeld(attacker);
    const letters = await h.letters(attacker.email);
    expect(letters.at(-1)?.subject).toBe('Your account is now yours alone');
  });

  it('unexpired session: a session kept alive until the owner has come by the provider, or by a new password', async () => {
    const byProvider = await h.person({ verified: false });
    await arriveAsOwner(byProvider.email);
    await expectNothingHeld(byProvider);

    const byReset = await h.person({ verified: false });
    await h.graphql(`mutation { requestPasswordReset(email: "${byReset.email}") { ok } }`);
    const token = await h.tokenFor(byReset.email, '/reset-password');
    const reset = 'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }';
    await h.graphql(reset, { variables: { input: { token, newPassword: 'the owner chose this 4 words' } } });
    await expectNothingHeld(byReset);
  });

  it('trojan identifier: an identity of the attacker’s own cannot be linked before the mailbox is proven', async () => {
    const attacker = await h.person({ verified: false });
    expect((await startGoogleLink(h, attacker.token)).code).toBe('EMAIL_NOT_VERIFIED');
    await arriveAsOwner(attacker.email);
    await expectNothingHeld(attacker);
  });

  it('trojan identifier: one that is there all the same goes when the mailbox is proven, either way', async () => {
    for (const way of ['provider', 'reset'] as const) {
      // An attacker's own account, verified and linked, that an operator was talked into moving to the victim's address.
      const attacker = await h.person();
      const trojan = subject();
      expect((await linkAt(h, provider, attacker.token, trojan)).errors).toBeUndefined();
      const email = `${uniqueName('victim')}@example.com`;
      const admin = await h.admin(['users:write']);
      const move = 'mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { emailVerified } } }';
      const moved = await h.graphql(move, { ...admin, variables: { input: { userId: attacker.id, email } } });
      expect(moved.data.updateUser.user.emailVerified).toBe(false);
      if (way === 'provider') await arriveAsOwner(email);
      else {
        await h.graphql(`mutation { requestPasswordReset(email: "${email}") { ok } }`);
        const token = await h.tokenFor(email, '/reset-password');
        const reset = 'mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }';
        await h.graphql(reset, { variables: { input: { token, newPassword: 'the owner chose this 4 words' } } });
      }
      await expectNothingHeld({ ...attacker, email });
      // The trojan opens an account of the attacker's own by now, and not the victim's.
      const { data } = await signInAt(h, provider, trojan);
      expect(data.completeGoogleSignIn.user.id).not.toBe(attacker.id);
    }
  });

  it('unexpired email change: a link to the attacker’s mailbox that was asked for before', async () => {
    const attacker = await h.person({ verified: false });
    expect((await requestEmailChange(h, attacker.token, 'eve@example.net')).code).toBe('EMAIL_NOT_VERIFIED');

    // One that was begun all the same, as in an account that was verified then and moved since.
    const moved = await h.person();
    const mailbox = `${uniqueName('eve')}@example.net`;
    await requestEmailChange(h, moved.token, mailbox);
    const confirm = await h.tokenFor(mailbox, '/confirm-email-change');
    const undo = await h.tokenFor(moved.email, '/undo-email-change');
    const { sql } = h.app.database;
    await sql.query('update users set email_verified_at = null where id = $1', [moved.id]);
    await arriveAsOwner(moved.email);
    expect((await h.graphql(`mutation { confirmEmailChange(token: "${confirm}") { user { id } } }`)).code).toBe(
      'TOKEN_INVALID',
    );
    expect((await h.graphql(`mutation { undoEmailChange(token: "${undo}") { ok } }`)).code).toBe('TOKEN_INVALID');
    await expectNothingHeld(moved);
  });

  it('non-verifying provider: an address that nobody has verified there opens and reserves nothing', async () => {
    const email = `${uniqueName('victim')}@example.com`;
    const eve = subject({ email, email_verified: false });
    expect((await signInAt(h, provider, eve)).code).toBe('EMAIL_NOT_VERIFIED');
    // The owner signs up with a password, or has done so: the attacker's identity leads nowhere near them.
    const register = 'mutation($input: RegisterInput!) { register(input: $input) { user { id } } }';
    const input = { username: uniqueName('victim'), email, password: 'correct horse battery 9' };
    expect((await h.graphql(register, { variables: { input } })).errors).toBeUndefined();
    expect((await signInAt(h, provider, eve)).code).toBe('EMAIL_NOT_VERIFIED');
    const token = await h.tokenFor(email, '/verify-email');
    await h.graphql(`mutation { verifyEmail(token: "${token}") { user { id } } }`);
    expect((await signInAt(h, provider, eve)).code).toBe('EMAIL_NOT_VERIFIED');
  });
});

describe('a thief who linked an identity of their own', () => {
  it('loses it when the owner takes the address back', async () => {
    const owner = await h.person();
    const thief = subject();
    expect((await linkAt(h, provider, owner.token, thief)).errors).toBeUndefined();
    const mailbox = `${uniqueName('thief')}@example.net`;
    await requestEmailChange(h, owner.token, mailbox);
    const undo = await h.tokenFor(owner.email, '/undo-email-change');
    await h.graphql(
      `mutation { confirmEmailChange(token: "${await h.tokenFor(mailbox, '/confirm-email-change')}") { user { id } } }`,
    );
    expect((await h.graphql(`mutation { undoEmailChange(token: "${undo}") { ok } }`)).errors).toBeUndefined();
    const { data } = await signInAt(h, provider, thief);
    expect(data.completeGoogleSignIn.user.id).not.toBe(owner.id);
  });
});
