import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { addressOf, type BillingHarness, createBillingHarness, saveCard } from '../support/billing.js';
import type { Person } from '../support/harness.js';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
beforeAll(async () => {
  h = await createBillingHarness();
});
afterAll(() => h.close());

const REMOVE = `mutation($id: ID!) { removePaymentMethod(paymentMethodId: $id) { ok } }`;
const PORTAL = `mutation($url: String) { createBillingPortalSession(returnUrl: $url) { url } }`;
const LIST = `{ me { paymentMethods { id type isDefault card { brand last4 expiryMonth expiryYear } } } }`;

const list = async ({ token }: Person) => (await h.graphql(LIST, { token })).data.me.paymentMethods;

describe('createMySetupIntent', () => {
  it('saves a card that is listed then, without its number', async () => {
    const person = await h.person();
    expect(await list(person)).toEqual([]);
    const id = await saveCard(h, person);
    expect(await list(person)).toEqual([
      { id, type: 'card', isDefault: false, card: { brand: 'visa', last4: '4242', expiryMonth: 12, expiryYear: 2034 } },
    ]);
  });

  it('is given five times an hour: RATE_LIMITED', async () => {
    const person = await h.person();
    const call = { token: person.token, ip: addressOf(person) };
    for (let n = 0; n < 5; n += 1) await saveCard(h, person);
    expect((await h.graphql(`mutation { createMySetupIntent { id } }`, call)).code).toBe('RATE_LIMITED');
  });

  it('services ask for people: billing:write', async () => {
    const person = await h.person();
    const { key: serviceKey } = await h.service(['billing:write']);
    const query = `mutation($userId: ID!) { createSetupIntent(userId: $userId) { clientSecret } }`;
    const { data } = await h.graphql(query, { serviceKey, variables: { userId: person.id } });
    expect(data.createSetupIntent.clientSecret).toContain('_secret_');
    expect((await h.graphql(query, { serviceKey, variables: { userId: 'x' } })).code).toBe('BAD_USER_INPUT');
  });
});

describe('removePaymentMethod', () => {
  it('forgets one’s own, once', async () => {
    const person = await h.person();
    const id = await saveCard(h, person);
    const call = { token: person.token, variables: { id } };
    expect((await h.graphql(REMOVE, call)).data.removePaymentMethod).toEqual({ ok: true });
    expect(await list(person)).toEqual([]);
    expect((await h.graphql(REMOVE, call)).code).toBe('NOT_FOUND');
  });

  it('another’s is NOT_FOUND and stays; a malformed one BAD_USER_INPUT', async () => {
    const [ada, eve] = [await h.person(), await h.person()];
    const id = await saveCard(h, ada);
    await saveCard(h, eve);
    expect((await h.graphql(REMOVE, { token: eve.token, variables: { id } })).code).toBe('NOT_FOUND');
    expect(await list(ada)).toHaveLength(1);
    for (const bad of ['', 'cus_1', 'pm_1/../../customers'])
      expect((await h.graphql(REMOVE, { token: eve.token, variables: { id: bad } })).code).toBe('BAD_USER_INPUT');
  });
});

describe('createBillingPortalSession', () => {
  it('leads to Stripe and back to one of our own addresses only', async () => {
    const { token } = await h.person();
    const { data } = await h.graphql(PORTAL, { token });
    expect(data.createBillingPortalSession.url).toContain('/p/session/');
    const variables = { url: 'https://evil.example/' };
    expect((await h.graphql(PORTAL, { token, variables })).code).toBe('BAD_USER_INPUT');
  });
});

describe('User.paymentMethods', () => {
  it('is null with an error beside it when Stripe does not answer, and the rest is there', async () => {
    const person = await h.person();
    await saveCard(h, person);
    h.fake.faults.add({ kind: { status: 500 }, method: 'GET', times: 20 });
    const { data, code } = await h.graphql(`{ me { id paymentMethods { id } } }`, { token: person.token });
    h.fake.faults.clear();
    expect(code).toBe('UPSTREAM_FAILED');
    expect(data.me).toEqual({ id: person.id, paymentMethods: null });
  });
});
