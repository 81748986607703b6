import { createLogger } from '../../src/core/logger.js';
import { createPayments } from '../../src/core/payments.js';
import { type FakeStripe, startFakeStripe } from './fake-stripe/server.ts';
import type { Transport } from './fake-stripe/webhooks.ts';
import { createHarness, type Harness, uniqueName } from './harness.js';

export interface Shop {
  h: Harness;
  stripe: FakeStripe;
  /** Sells on behalf of people: service keys do not age with the clock. */
  service: { key: string };
  /** Our ids of prices. */
  prices: { pack: string; basic: string; pro: string; yearly: string };
  /** Brings one signed body to our door. */
  send: Transport;
  /** Both clocks together. */
  advance(milliseconds: number): void;
  close(): Promise<void>;
}

/** Of one request to Stripe in tests: a fault costs moments, and a loaded machine is no fault. */
const TIMEOUT_MS = 5_000;

/** A whole Credence that sells through a Stripe of its own: a pack of 500 credits, and plans at 10 and 30 dollars. */
export async function openShop(options: { timeoutMs?: number } = {}): Promise<Shop> {
  const stripe = await startFakeStripe();
  const billing = { secretKey: stripe.secretKey, webhookSecrets: [...stripe.webhookSecrets], apiBase: stripe.url };
  let h: Harness | undefined;
  const payments = createPayments(billing, {
    log: createLogger({ level: 'silent', pretty: false }),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    requireOutside: () => h?.app.database.requireOutside(),
  });
  h = await createHarness({ config: { billing }, overrides: { payments } });
  const { fastify, clock } = h;
  const send: Transport = async (payload, headers) =>
    (await fastify.inject({ method: 'POST', url: '/stripe/webhook', headers, payload })).statusCode;
  stripe.webhooks.transport = send;
  const prices = await stockShelves(h);
  return {
    h,
    stripe,
    send,
    prices,
    service: await h.service(['billing:read', 'billing:write', 'credits:read', 'credits:use']),
    advance(milliseconds) {
      clock.advance(milliseconds);
      stripe.advance(milliseconds);
    },
    async close() {
      await h.close();
      await stripe.close();
    },
  };
}

async function stockShelves(h: Harness): Promise<Shop['prices']> {
  const { token } = await h.admin(['catalog:manage']);
  async function product(name: string, kind: string, creditsGranted: number, offers: [string, number][]) {
    const code = uniqueName(name).toLowerCase();
    const input = {
      code,
      name,
      kind,
      creditsGranted,
      prices: offers.map(([interval, amountMinor]) => ({ currency: 'USD', interval, amountMinor })),
    };
    const { data, errors } = await h.graphql(
      `mutation($input: CreateProductInput!) { createProduct(input: $input) { product { id prices { id interval } } } }`,
      { variables: { input }, token },
    );
    if (errors) throw new Error(JSON.stringify(errors));
    return data.createProduct.product as { id: string; prices: { id: string; interval: string }[] };
  }
  async function plan(name: string, productId: string, monthlyCredits: number) {
    const input = { code: uniqueName(name).toLowerCase(), name, monthlyCredits, productId };
    const { errors } = await h.graphql(
      `mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { code } } }`,
      { variables: { input }, token },
    );
    if (errors) throw new Error(JSON.stringify(errors));
  }
  const priceAt = (sold: Awaited<ReturnType<typeof product>>, interval: string) =>
    sold.prices.find((price) => price.interval === interval)?.id ?? '';
  const pack = await product('pack', 'CREDIT_PACK', 500, [['ONCE', 1_000]]);
  const basic = await product('basic', 'SUBSCRIPTION', 0, [['MONTH', 1_000]]);
  const pro = await product('pro', 'SUBSCRIPTION', 0, [
    ['MONTH', 3_000],
    ['YEAR', 30_000],
  ]);
  await plan('basic', basic.id, 100);
  await plan('pro', pro.id, 300);
  return {
    pack: priceAt(pack, 'ONCE'),
    basic: priceAt(basic, 'MONTH'),
    pro: priceAt(pro, 'MONTH'),
    yearly: priceAt(pro, 'YEAR'),
  };
}
