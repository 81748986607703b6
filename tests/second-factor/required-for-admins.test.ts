import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.js';
import { totpCode } from './codes.js';

let h: Harness;
beforeAll(async () => {
  h = await createHarness({ config: { secondFactor: { requiredForAdmins: true } } });
  h.clock.freeze();
});
afterAll(() => h.close());

const USERS = '{ users { totalCount } }';
const VALIDATE = 'query($token: String!) { validateToken(token: $token) { valid code } }';

it('lets an admin without a second factor do nothing but enrol one, and then everything', async () => {
  const admin = await h.admin(['users:read', 'users:write']);
  const call = { token: admin.token };
  const { key: serviceKey } = await h.service(['tokens:validate']);
  for (const query of [USERS, '{ adminMe { id } }']) {
    const refused = await h.graphql(query, call);
    expect(refused.code).toBe('FORBIDDEN');
    expect(refused.errors?.[0]).toMatchObject({
      message: 'Enrol a second factor first.',
      extensions: { reason: 'SECOND_FACTOR_NOT_ENROLLED' },
    });
  }
  const before = await h.graphql(VALIDATE, { serviceKey, variables: { token: admin.token } });
  expect(before.data.validateToken).toEqual({ valid: false, code: 'INSUFFICIENT_SCOPE' });
  expect((await h.graphql('{ currentSession { id } }', call)).errors).toBeUndefined();

  const { secret } = (await h.graphql('mutation { startTotpEnrollment { secret } }', call)).data.startTotpEnrollment;
  const code = totpCode(secret, h.clock.now());
  const confirm = `mutation { confirmTotpEnrollment(code: "${code}") { backupCodes } }`;
  expect((await h.graphql(USERS, call)).code).toBe('FORBIDDEN');
  expect((await h.graphql(confirm, call)).errors).toBeUndefined();
  expect((await h.graphql(USERS, call)).errors).toBeUndefined();
  const after = await h.graphql(VALIDATE, { serviceKey, variables: { token: admin.token } });
  expect(after.data.validateToken.valid).toBe(true);
});

it('asks nothing of staff and people', async () => {
  const staff = await h.staff(1);
  expect((await h.graphql(USERS, { token: staff.token })).errors).toBeUndefined();
  expect((await h.graphql('{ me { id } }', { token: (await h.person()).token })).errors).toBeUndefined();
});
