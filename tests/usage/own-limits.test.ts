import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { plans } from '../../src/modules/catalog/catalog.table.js';
import { createHarness, type Harness } from '../support/harness.js';

let h: Harness;
let serviceKey: string;
let admin: { token: string };

beforeAll(async () => {
  h = await createHarness();
  serviceKey = (await h.service(['usage:read', 'usage:write', 'tokens:validate'])).key;
  admin = await h.admin(['users:write']);
  const plan = { name: 'Plan', createdAt: h.app.now() };
  await h.app.db.insert(plans).values([
    { ...plan, code: 'pro', conversationsPerDay: 7, messagesPerDay: 70 },
    { ...plan, code: 'gone', conversationsPerDay: 1, messagesPerDay: 1, archivedAt: h.app.now() },
  ]);
});
afterAll(() => h.close());

const setLimits = (input: object, call: object = admin) =>
  h.graphql(`mutation($input: SetUserLimitsInput!) { setUserLimits(input: $input) { user { id } } }`, {
    ...call,
    variables: { input },
  });
const setPlan = (input: object, call: object = admin) =>
  h.graphql(`mutation($input: SetUserPlanInput!) { setUserPlan(input: $input) { user { id plan { code } } } }`, {
    ...call,
    variables: { input },
  });
const limitsOf = async (id: string) => {
  const query = `query($id: ID!) { usage(userId: $id) { conversations { limit } messages { limit } } }`;
  const { data } = await h.graphql(query, { serviceKey, variables: { id } });
  return [data.usage.conversations.limit, data.usage.messages.limit];
};
const consume = async (userId: string) => {
  const query = `mutation($userId: ID!) { consumeConversation(input: { userId: $userId }) { allowed limit } }`;
  return (await h.graphql(query, { serviceKey, variables: { userId } })).data.consumeConversation;
};

describe('setUserLimits', () => {
  it('gives a person limits of their own, which count with the next conversation', async () => {
    const { id, token } = await h.person();
    expect((await setLimits({ userId: id, conversationsPerDay: 1, messagesPerDay: 5 })).errors).toBeUndefined();
    expect(await limitsOf(id)).toEqual([1, 5]);
    expect(await consume(id)).toEqual({ allowed: true, limit: 1 });
    expect(await consume(id)).toEqual({ allowed: false, limit: 1 });
    await setLimits({ userId: id, conversationsPerDay: 2 });
    expect(await limitsOf(id)).toEqual([2, 5]);
    expect((await consume(id)).allowed).toBe(true);
    const query = `query($token: String!) { validateToken(token: $token) { limits { conversations { limit used } messages { limit } } } }`;
    const { data } = await h.graphql(query, { serviceKey, variables: { token } });
    expect(data.validateToken.limits).toEqual({ conversations: { limit: 2, used: 2 }, messages: { limit: 5 } });
  });

  it('null gives back what the plan says', async () => {
    const { id } = await h.person();
    await setPlan({ userId: id, planCode: 'pro' });
    await setLimits({ userId: id, conversationsPerDay: 0, messagesPerDay: 0 });
    expect(await limitsOf(id)).toEqual([0, 0]);
    await setLimits({ userId: id, conversationsPerDay: null });
    expect(await limitsOf(id)).toEqual([7, 0]);
  });

  it('500 at once get exactly as many as their own limit', async () => {
    const { id } = await h.person();
    await setLimits({ userId: id, conversationsPerDay: 123 });
    const answers = await Promise.all(Array.from({ length: 500 }, () => consume(id)));
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(123);
  });

  it('refuses what is no limit, and who is nobody', async () => {
    const { id } = await h.person();
    expect((await setLimits({ userId: id, conversationsPerDay: -1 })).code).toBe('BAD_USER_INPUT');
    expect((await setLimits({ userId: newId(), messagesPerDay: 1 })).code).toBe('NOT_FOUND');
    expect((await setLimits({ userId: 'x', messagesPerDay: 1 })).code).toBe('BAD_USER_INPUT');
  });
});

describe('setUserPlan', () => {
  it('puts a person on a plan, and the person sees that it was done', async () => {
    const { id, token } = await h.person();
    const { data } = await setPlan({ userId: id, planCode: 'pro' });
    expect(data.setUserPlan.user).toEqual({ id, plan: { code: 'pro' } });
    expect(await limitsOf(id)).toEqual([7, 70]);
    const history = `{ me { securityHistory(first: 1) { nodes { action actorKind } } } }`;
    const mine = await h.graphql(history, { token });
    expect(mine.data.me.securityHistory.nodes).toEqual([{ action: 'user.plan_changed', actorKind: 'ADMIN' }]);
  });

  it('refuses plans that are not there or no more, and who is nobody', async () => {
    const { id } = await h.person();
    for (const planCode of ['gone', 'nonesuch', '']) {
      expect((await setPlan({ userId: id, planCode })).code, planCode).toBe('BAD_USER_INPUT');
    }
    expect((await setPlan({ userId: newId(), planCode: 'pro' })).code).toBe('NOT_FOUND');
    expect((await setPlan({ userId: 'x', planCode: 'pro' })).code).toBe('BAD_USER_INPUT');
  });
});

it('who lacks users:write is refused', async () => {
  const { id, token } = await h.person();
  const reader = await h.admin(['users:read', 'users:delete']);
  for (const call of [{ token: reader.token }, { token }, { serviceKey }]) {
    expect((await setLimits({ userId: id, messagesPerDay: 1 }, call)).code).toBe('FORBIDDEN');
    expect((await setPlan({ userId: id, planCode: 'pro' }, call)).code).toBe('FORBIDDEN');
  }
});
