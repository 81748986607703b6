import { expect } from 'vitest';
import { newId } from '../../src/core/columns.js';
import type { App } from '../../src/core/context.js';
import { completeSession } from './fake-stripe/checkout.ts';
import { type FakeStripe, startFakeStripe } from './fake-stripe/server.ts';
import { enterCard } from './fake-stripe/setup-intents.ts';
import { type ConfigChanges, createHarness, type Harness, type Person, uniqueName } from './harness.js';

export interface BillingHarness extends Harness {
  fake: FakeStripe;
  /** Waits until everything that happened at Stripe has been delivered. */
  settled(): Promise<void>;
}

/** A whole Credence that sells through a Stripe of its own; webhooks come in by the door. */
export async function createBillingHarness(
  options: { config?: ConfigChanges; overrides?: Partial<App> } = {},
): Promise<BillingHarness> {
  const fake = await startFakeStripe();
  const { secretKey, webhookSecrets, url } = fake;
  const billing = { secretKey, webhookSecrets: [...webhookSecrets], apiBase: url };
  const harness = await createHarness({ ...options, config: { billing, ...options.config } });
  fake.webhooks.transport = async (payload, headers) => {
    const answer = await harness.fastify.inject({ method: 'POST', url: '/stripe/webhook', headers, payload });
    return answer.statusCode;
  };
  return {
    ...harness,
    fake,
    settled: () => fake.webhooks.settled(),
    async close() {
      await fake.webhooks.settled();
      await harness.close();
      await fake.close();
    },
  };
}

const CREATE = `mutation($input: CreateProductInput!) { createProduct(input: $input) {
  product { id code prices { id currency amountMinor interval } } } }`;

export interface Sold {
  productId: string;
  code: string;
  priceId: string;
}

/** A product with one price, and for a subscription the plan that it brings. */
export async function sell(
  h: Harness,
  wanted: {
    kind?: 'CREDIT_PACK' | 'SUBSCRIPTION' | 'OTHER';
    amountMinor?: number;
    currency?: string;
    interval?: 'ONCE' | 'MONTH' | 'YEAR';
    credits?: number;
    monthlyCredits?: number;
  } = {},
): Promise<Sold & { planCode: string | undefined }> {
  const { kind = 'CREDIT_PACK', amountMinor = 1_000, currency = 'EUR' } = wanted;
  const interval = wanted.interval ?? (kind === 'SUBSCRIPTION' ? 'MONTH' : 'ONCE');
  const { token } = await h.admin(['catalog:manage']);
  const code = uniqueName('product');
  const input = {
    code,
    name: `Product ${code}`,
    kind,
    creditsGranted: wanted.credits ?? (kind === 'CREDIT_PACK' ? 100 : 0),
    prices: [{ currency, amountMinor, interval }],
  };
  const { data, errors } = await h.graphql(CREATE, { token, variables: { input } });
  expect(errors).toBeUndefined();
  const { product } = data.createProduct;
  if (kind !== 'SUBSCRIPTION')
    return { productId: product.id, code, priceId: product.prices[0].id, planCode: undefined };
  const planCode = uniqueName('plan');
  const plan = { code: planCode, name: 'Plan', monthlyCredits: wanted.monthlyCredits ?? 500, productId: product.id };
  const made = await h.graphql(`mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { code } } }`, {
    token,
    variables: { input: plan },
  });
  expect(made.errors).toBeUndefined();
  return { productId: product.id, code, priceId: product.prices[0].id, planCode };
}

export const START_CHECKOUT = `mutation($input: StartCheckoutInput!) {
  startCheckout(input: $input) { id url expiresAt replayed } }`;

export const START_SUBSCRIPTION = `mutation($input: StartSubscriptionInput!) {
  startSubscription(input: $input) { clientSecret replayed subscription {
    id status cancelAtPeriodEnd currentPeriodEnd product { code } price { id } nextPrice { id } } } }`;

/** One address a person: purchases from one network are limited. */
export function addressOf({ id }: { id: string }): string {
  const [a, b, c] = Buffer.from(id.replaceAll('-', ''), 'hex').subarray(13);
  return `10.${a}.${b}.${c}`;
}

/** The id of the session behind a page's address. */
export const sessionOf = (url: string) => url.split('/').at(-1) ?? '';

/** Buys a credit pack on Stripe's page, to the end. */
export async function buy(h: BillingHarness, person: Person, priceId: string): Promise<string> {
  const input = { priceId, idempotencyKey: newId() };
  const { data, errors } = await h.graphql(START_CHECKOUT, {
    token: person.token,
    variables: { input },
    ip: addressOf(person),
  });
  expect(errors).toBeUndefined();
  const session = sessionOf(data.startCheckout.url);
  completeSession(h.fake.store, session);
  await h.settled();
  return session;
}

/** Saves a card for the person, as Stripe's form does. */
export async function saveCard(h: BillingHarness, person: Person, card = '4242424242424242'): Promise<string> {
  const { data, errors } = await h.graphql(`mutation { createMySetupIntent { id clientSecret } }`, {
    token: person.token,
    ip: addressOf(person),
  });
  expect(errors).toBeUndefined();
  const intent = enterCard(h.fake.store, data.createMySetupIntent.id, card);
  await h.settled();
  return String(intent.payment_method);
}

/** Subscribes with a saved card. */
export async function subscribe(h: BillingHarness, person: Person, priceId: string, card?: string) {
  const paymentMethodId = await saveCard(h, person, card);
  const input = { priceId, paymentMethodId, idempotencyKey: newId() };
  const answer = await h.graphql(START_SUBSCRIPTION, {
    token: person.token,
    variables: { input },
    ip: addressOf(person),
  });
  await h.settled();
  return answer;
}

const STANDING = `{ me { plan { code } creditAccount { balance available
  transactions(first: 20) { nodes { kind amount description } } }
  subscription { id status cancelAtPeriodEnd price { id } nextPrice { id } product { code } } } }`;

/** How the person stands: plan, credits, history, subscription. */
export async function standing(h: Harness, person: Person) {
  const { data, errors } = await h.graphql(STANDING, { token: person.token });
  expect(errors).toBeUndefined();
  const { plan, creditAccount, subscription } = data.me;
  const { nodes } = creditAccount.transactions;
  return {
    plan: plan.code as string,
    balance: creditAccount.balance as number,
    movements: nodes.map(({ kind, amount }: { kind: string; amount: number }) => `${kind} ${amount}`) as string[],
    subscription,
  };
}
