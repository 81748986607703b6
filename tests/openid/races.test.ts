import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';
import { CLIENT, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.js';
import {
  completeGoogleSignIn,
  linkAt,
  type Redirect,
  signInAt,
  startGoogleSignIn,
  subject,
  unlinkGoogle,
} from './operations.js';

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

const times = <T>(count: number, act: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => act(index)));
const count = async (statement: string, params: unknown[]) =>
  (await h.app.database.sql.query(statement, params)).length;

it('ten callbacks with one state: one gets in, and the provider is asked once', async () => {
  const { authorizationUrl, browserSecret }: Redirect = (await startGoogleSignIn(h)).data.startGoogleSignIn;
  const who = subject();
  const back = provider.comeBack(authorizationUrl, who);
  const asked = provider.asked.token;
  const answers = await times(10, () => completeGoogleSignIn(h, { ...back, browserSecret }));
  expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
  expect(answers.filter(({ code }) => code === 'TOKEN_INVALID')).toHaveLength(9);
  expect(provider.asked.token - asked).toBe(1);
});

it('ten first sign-ins of one person at once make one account', async () => {
  for (const input of [{}, { username: `racer${process.pid}` }]) {
    const who = subject();
    const answers = await times(10, () => signInAt(h, provider, who, { input }));
    const ids = answers.map(({ data, errors }) => {
      expect(errors).toBeUndefined();
      return data.completeGoogleSignIn.user.id;
    });
    expect(new Set(ids).size).toBe(1);
    expect(await count('select from linked_accounts where subject = $1', [who.sub])).toBe(1);
    expect(await count('select from users where email_key = $1', [who.email])).toBe(1);
    expect(await h.letters(who.email)).toHaveLength(1);
  }
});

it('ten people who wish for one name each get one of their own', async () => {
  const username = `wanted${process.pid}`;
  const answers = await times(10, () => signInAt(h, provider, subject(), { input: { username } }));
  const names = answers.map(({ data }) => data.completeGoogleSignIn.user.username);
  expect(new Set(names).size).toBe(10);
  expect(names).toContain(username);
});

it('two identities with one verified address at once end in one account, linked with both', async () => {
  const email = subject().email;
  const answers = await times(2, () => signInAt(h, provider, subject({ email })));
  expect(new Set(answers.map(({ data }) => data.completeGoogleSignIn.user.id)).size).toBe(1);
});

it('one identity linked with two accounts at once belongs to one of them', async () => {
  const people = await times(2, () => h.person());
  const who = subject();
  const answers = await Promise.all(people.map(({ token }) => linkAt(h, provider, token, who)));
  expect(answers.map(({ code }) => code ?? 'LINKED').sort()).toEqual(['CONFLICT', 'LINKED']);
});

it('unlinking both of two identities at once leaves a way in', async () => {
  const { accessToken } = (await signInAt(h, provider, subject())).data.completeGoogleSignIn;
  await linkAt(h, provider, accessToken, subject());
  const seen = await h.graphql('{ me { linkedAccounts { nodes { id } } } }', { token: accessToken });
  const ids: string[] = seen.data.me.linkedAccounts.nodes.map(({ id }: { id: string }) => id);
  const answers = await Promise.all(ids.map((id) => unlinkGoogle(h, accessToken, id)));
  expect(answers.map(({ code }) => code ?? 'UNLINKED').sort()).toEqual(['CONFLICT', 'UNLINKED']);
});
