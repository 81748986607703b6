import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { historyOf } from '../auth/operations.js';
import { type BillingHarness, createBillingHarness, saveCard, sell, subscribe } from '../support/billing.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let h: BillingHarness;
beforeAll(async () => {
  h = await createBillingHarness();
});
afterAll(() => h.close());

it('what was done about money stands in the person’s history, and who did it', async () => {
  const { priceId } = await sell(h, { kind: 'SUBSCRIPTION' });
  const person = await h.person();
  const call = { token: person.token };
  const card = await saveCard(h, person);
  await subscribe(h, person, priceId);
  await h.graphql('mutation { cancelMySubscription { subscription { id } } }', call);
  await h.graphql('mutation { resumeMySubscription { subscription { id } } }', call);
  await h.graphql('mutation { createBillingPortalSession { url } }', call);
  const { key: serviceKey } = await h.service(['billing:write']);
  const cancel = 'mutation($id: ID!) { cancelSubscription(userId: $id, immediately: true) { subscription { id } } }';
  await h.graphql(cancel, { serviceKey, variables: { id: person.id } });
  await h.graphql('mutation($id: ID!) { removePaymentMethod(paymentMethodId: $id) { ok } }', {
    ...call,
    variables: { id: card },
  });
  const admin = await h.admin(['billing:read']);
  const look = 'query($id: ID) { payments(userId: $id) { totalCount } }';
  expect((await h.graphql(look, { token: admin.token, variables: { id: person.id } })).errors).toBeUndefined();

  const history = (await historyOf(h, person.token)).reverse();
  const acts = history.filter(({ action }) => /^(billing|payments)\./.test(action));
  expect(acts.map(({ action, actorKind }) => `${actorKind} ${action}`)).toEqual([
    'USER billing.setup_started',
    'USER billing.setup_started',
    'USER billing.ordered',
    'USER billing.subscription_cancelled',
    'USER billing.subscription_resumed',
    'USER billing.portal_opened',
    'SERVICE billing.subscription_cancelled',
    'USER billing.payment_method_removed',
    'ADMIN payments.viewed',
  ]);
});

it('a refused act leaves none', async () => {
  const person = await h.person();
  await h.graphql('mutation { cancelMySubscription { subscription { id } } }', { token: person.token });
  const actions = (await historyOf(h, person.token)).map(({ action }) => action);
  expect(actions.filter((action) => action.startsWith('billing.'))).toEqual([]);
});
