import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness, PASSWORD } from '../support/harness.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
  h.clock.set(new Date('2026-03-01T20:30:00Z'));
});
afterAll(() => h.close());

const REGISTER = 'mutation($input: RegisterInput!) { register(input: $input) { accessToken } }';
const UPDATE = 'mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { user { id } } }';
const CHANGE = 'mutation($input: ChangePasswordInput!) { changePassword(input: $input) { endedSessions } }';

it('a person is written to in the language they signed up with', async () => {
  const input = { username: 'quentin', email: 'quentin@example.com', password: PASSWORD, locale: 'fr-BE' };
  expect((await h.graphql(REGISTER, { variables: { input } })).errors).toBeUndefined();
  const [letter] = await h.letters('quentin@example.com');
  expect(letter?.text).toContain('Bonjour quentin,');
  expect(letter?.html).toContain('<html lang="fr">');
});

it('a person is written to in the language, and by the clock, that they chose', async () => {
  const { token, email } = await h.person();
  await h.graphql(UPDATE, { token, variables: { input: { locale: 'zh-CN', timeZone: 'Asia/Shanghai' } } });
  const newPassword = 'paper lanterns over 9 quiet rivers';
  const input = { currentPassword: PASSWORD, newPassword };
  expect((await h.graphql(CHANGE, { token, variables: { input } })).errors).toBeUndefined();
  const letter = (await h.letters(email)).at(-1);
  expect(letter?.subject).toBe('您的密码已更改');
  // 20:30 in London is the next morning in Shanghai.
  expect(letter?.text.replace(/\s/g, '')).toContain('2026年3月2日GMT+804:30');
});
