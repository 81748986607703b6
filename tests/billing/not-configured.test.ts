import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { checkBilling, JOBS } from '../../src/jobs/schedule.js';
import { createHarness, type Harness } from '../support/harness.js';

// Each of these plays a purchase to its end, on machines that do other things beside.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: Harness;
beforeAll(async () => {
  h = await createHarness();
});
afterAll(() => h.close());

it('without a key every billing field says so, and everything else runs', async () => {
  const { token } = await h.person();
  const admin = await h.admin(['billing:read']);
  const { key: serviceKey } = await h.service(['billing:read', 'billing:write']);
  const id = newId();
  const purchase = `input: { priceId: "${id}", idempotencyKey: "k" }`;
  const owned = `input: { userId: "${id}", priceId: "${id}", idempotencyKey: "k" }`;
  const asked: [object, string][] = [
    [{ token }, `mutation { startCheckout(${purchase}) { id } }`],
    [{ token }, `mutation { startSubscription(${purchase}) { replayed } }`],
    [
      { token },
      `mutation { changeMySubscription(input: { priceId: "${id}", when: NOW, idempotencyKey: "k" }) { __typename } }`,
    ],
    [{ token }, `mutation { cancelMySubscription { __typename } }`],
    [{ token }, `mutation { resumeMySubscription { __typename } }`],
    [{ token }, `mutation { createMySetupIntent { id } }`],
    [{ token }, `mutation { removePaymentMethod(paymentMethodId: "pm_1") { ok } }`],
    [{ token }, `mutation { createBillingPortalSession { url } }`],
    [{ token }, `{ me { id subscription { id } } }`],
    [{ token }, `{ me { id paymentMethods { id } } }`],
    [{ serviceKey }, `mutation { createCheckoutSession(${owned}) { id } }`],
    [{ serviceKey }, `mutation { createSetupIntent(userId: "${id}") { id } }`],
    [{ serviceKey }, `mutation { createSubscription(${owned}) { replayed } }`],
    [
      { serviceKey },
      `mutation { changeSubscription(input: { userId: "${id}", priceId: "${id}", when: NOW, idempotencyKey: "k" }) { __typename } }`,
    ],
    [{ serviceKey }, `mutation { cancelSubscription(userId: "${id}") { __typename } }`],
    [{ serviceKey }, `{ subscription(userId: "${id}") { id } }`],
    [{ serviceKey }, `{ paymentMethods(userId: "${id}") { id } }`],
    [{ token: admin.token }, `{ billingReconciliation { ok } }`],
    [{ token: admin.token }, `{ payments { totalCount } }`],
  ];
  for (const [call, query] of asked) expect((await h.graphql(query, call)).code, query).toBe('BILLING_NOT_CONFIGURED');
  const me = await h.graphql(`{ me { id subscription { id } } }`, { token });
  expect(me.data.me).toMatchObject({ subscription: null });
  const info = await h.graphql(`{ serviceInfo { features { billing } } }`);
  expect(info.data.serviceInfo.features.billing).toBe(false);
});

it('the door answers 503 and reads nothing', async () => {
  const answer = await h.fastify.inject({
    method: 'POST',
    url: '/stripe/webhook',
    headers: { 'content-type': 'application/json', 'stripe-signature': 't=1,v1=00' },
    payload: '{ no JSON',
  });
  expect(answer.statusCode).toBe(503);
  expect(answer.headers['retry-after']).toBe('3600');
});

it('its jobs have nothing to do, and people can leave', async () => {
  for (const { name, run } of JOBS) if (/stripe|closings|billing/.test(name)) await run(h.app);
  await checkBilling(h.app);
  const person = await h.person();
  const { data } = await h.graphql(`mutation { deleteAccount { purgeAt } }`, { token: person.token });
  expect(data.deleteAccount.purgeAt).toEqual(expect.any(String));
});
