import { eq } from 'drizzle-orm';
import type { Stripe } from 'stripe';
import { newId } from '../../src/core/columns.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { prices } from '../../src/modules/catalog/catalog.table.js';
import { type BillingHarness, createBillingHarness, sell, sessionOf } from './billing.js';
import { createOwner } from './credits.js';
import { GOOD_CARD } from './fake-stripe/cards.ts';
import { completeSession } from './fake-stripe/checkout.ts';
import { Params } from './fake-stripe/params.ts';
import { createRefund, openDispute } from './fake-stripe/reversals.ts';
import { idOf } from './fake-stripe/store.ts';
import { payInBrowser, updateSubscription } from './fake-stripe/subscriptions.ts';

const DAY = 86_400_000;

/** How somebody stands, as far as money is concerned. */
export interface EndState {
  /** Kind and amount of every ledger row, sorted. */
  movements: string[];
  balance: number;
  plan: string;
  /** The status, and ` ending` when it ends with its period. */
  subscription: string | null;
}

export interface Buyer {
  id: string;
  /** Starts a checkout and answers Stripe's id of it. */
  checkout(priceId: string): Promise<string>;
  /** On Stripe's page, with a good card. */
  buyPack(): Promise<void>;
  subscribe(): Promise<void>;
  /** Without Stripe's page: the app begins it, and Stripe's form in the browser makes the first payment. */
  subscribeInApp(): Promise<void>;
  spend(amount: number): Promise<void>;
  /** What is left of the first payment, or a part of it, goes back. */
  refund(amount?: number): Stripe.Refund;
  dispute(): Stripe.Dispute;
  /** At Stripe, as its portal does: nothing of ours hears of it but by events. */
  changeSubscription(changes: ConstructorParameters<typeof Params>[0]): void;
  /** What the card says from now on when it is charged. */
  decline(declineCode: string | undefined): void;
  subscription(): Stripe.Subscription;
  /** In milliseconds. */
  untilRenewal(): number;
  /** Newest first. */
  invoices(): Stripe.Invoice[];
  charges(): Stripe.Charge[];
  state(): Promise<EndState>;
  /** What stands here otherwise than at Stripe. */
  differences(): Promise<{ kind: string }[]>;
}

export interface Shop {
  h: BillingHarness;
  /** 500 credits for 10 dollars; the plans bring 100 and 300 credits a month for 10 and 30 dollars. */
  prices: { pack: string };
  plans: { basic: string; pro: string };
  /** Stripe's id of the price of the dearer plan. */
  proAtStripe: string;
  buyer(): Promise<Buyer>;
  /** Both clocks together. */
  advance(milliseconds: number): void;
  /** Stripe forgets everybody, so that nobody's subscription renews in somebody else's story. */
  forgetAll(): void;
}

/** A Credence that sells, and people who buy: through a service, since service keys do not age with the clock. */
export async function openShop(): Promise<Shop> {
  const h = await createBillingHarness();
  const { app, fake } = h;
  const { key } = await h.service(['billing:read', 'billing:write', 'credits:read', 'credits:use']);
  const pack = await sell(h, { amountMinor: 1_000, currency: 'USD', credits: 500 });
  const basic = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 1_000, currency: 'USD', monthlyCredits: 100 });
  const pro = await sell(h, { kind: 'SUBSCRIPTION', amountMinor: 3_000, currency: 'USD', monthlyCredits: 300 });

  async function ask(query: string, variables: object) {
    const { data, errors } = await h.graphql(query, { serviceKey: key, variables: { ...variables } });
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  function advance(milliseconds: number): void {
    h.clock.advance(milliseconds);
    fake.advance(milliseconds);
  }

  async function differences(userId: string) {
    // What has just happened is not compared yet.
    advance(600_000);
    const { token } = await h.admin(['billing:read']);
    const { data, errors } = await h.graphql(
      `query($from: DateTime) { billingReconciliation(from: $from) { differences { kind userId } } }`,
      { token, variables: { from: new Date(app.now().getTime() - DAY) } },
    );
    if (errors) throw new Error(JSON.stringify(errors));
    return data.billingReconciliation.differences.filter((row: { userId: string }) => row.userId === userId);
  }

  async function state(userId: string): Promise<EndState> {
    const { creditTransactions, creditBalance, subscription } = await ask(
      `query($userId: ID!) { creditBalance(userId: $userId) { balance } subscription(userId: $userId) { status cancelAtPeriodEnd }
        creditTransactions(userId: $userId, first: 50) { nodes { kind amount } } }`,
      { userId },
    );
    const [user] = await app.db.select({ planCode: users.planCode }).from(users).where(eq(users.id, userId));
    return {
      movements: creditTransactions.nodes
        .map(({ kind, amount }: { kind: string; amount: number }) => `${kind} ${amount}`)
        .sort(),
      balance: creditBalance.balance,
      plan: user?.planCode ?? '',
      subscription: subscription && `${subscription.status}${subscription.cancelAtPeriodEnd ? ' ending' : ''}`,
    };
  }

  async function buyer(): Promise<Buyer> {
    const id = await createOwner(app);
    const customer = () => fake.store.all('customer').find(({ metadata }) => metadata.user_id === id)?.id ?? '';
    const mine = <T extends { customer: unknown }>(rows: T[]) =>
      rows.filter((row) => row.customer === customer()).reverse();
    const subscription = () => {
      const [newest] = mine(fake.store.all('subscription'));
      if (!newest) throw new Error('There is no subscription.');
      return newest;
    };
    const charges = () => mine(fake.store.all('charge'));
    async function checkout(priceId: string): Promise<string> {
      const { createCheckoutSession } = await ask(
        `mutation($input: CreateCheckoutSessionInput!) { createCheckoutSession(input: $input) { url } }`,
        { input: { userId: id, priceId, idempotencyKey: newId() } },
      );
      return sessionOf(createCheckoutSession.url);
    }
    return {
      id,
      subscription,
      untilRenewal: () => (subscription().items.data[0]?.current_period_end ?? 0) * 1_000 - fake.now().getTime(),
      checkout,
      charges,
      invoices: () => mine(fake.store.all('invoice')),
      state: () => state(id),
      differences: () => differences(id),
      buyPack: async () => void completeSession(fake.store, await checkout(pack.priceId)),
      subscribe: async () => void completeSession(fake.store, await checkout(basic.priceId)),
      async subscribeInApp() {
        const { createSubscription } = await ask(
          `mutation($input: CreateSubscriptionInput!) { createSubscription(input: $input) { clientSecret } }`,
          { input: { userId: id, priceId: basic.priceId, idempotencyKey: newId() } },
        );
        payInBrowser(fake.store, createSubscription.clientSecret, GOOD_CARD);
      },
      refund: (amount) => {
        const payment_intent = String(charges().at(-1)?.payment_intent);
        const params = new Params({ payment_intent, ...(amount !== undefined && { amount: String(amount) }) });
        return createRefund(fake.store, params);
      },
      dispute: () => openDispute(fake.store, String(charges().at(-1)?.id)),
      changeSubscription: (changes) => void updateSubscription(fake.store, subscription().id, new Params(changes)),
      async spend(amount) {
        await ask(`mutation($input: UseCreditsInput!) { useCredits(input: $input) { account { balance } } }`, {
          input: { userId: id, amount, description: 'chat', idempotencyKey: newId() },
        });
      },
      decline(declineCode) {
        const decline = declineCode === undefined ? undefined : { code: 'card_declined', declineCode };
        fake.store.wallet.set(idOf(subscription().default_payment_method) ?? '', { decline, attaches: true });
      },
    };
  }

  /** A price is made at Stripe with the first sale of it. */
  async function atStripe(priceId: string): Promise<string> {
    await (await buyer()).checkout(priceId);
    const [row] = await app.db.select({ id: prices.stripePriceId }).from(prices).where(eq(prices.id, priceId));
    return row?.id ?? '';
  }

  return {
    h,
    buyer,
    advance,
    prices: { pack: pack.priceId },
    plans: { basic: basic.planCode ?? '', pro: pro.planCode ?? '' },
    proAtStripe: await atStripe(pro.priceId),
    forgetAll() {
      for (const { id, object } of fake.store.objects.values())
        if (object !== 'product' && object !== 'price') fake.store.objects.delete(id);
    },
  };
}
