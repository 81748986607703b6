import type { CallOptions } from './attempts.js';
import type { Calls, Keyed } from './calls.js';

export interface Price {
  id: string;
  /** In the minor unit of the currency: 1999 is 19.99 euros, or 1999 yen. */
  amountMinor: number;
  /** ISO 4217. */
  currency: string;
  interval: 'MONTH' | 'ONCE' | 'YEAR';
}

export interface BillingSubscription {
  id: string;
  status: 'ACTIVE' | 'CANCELED' | 'INCOMPLETE' | 'INCOMPLETE_EXPIRED' | 'PAST_DUE' | 'PAUSED' | 'TRIALING' | 'UNPAID';
  /** Whether it ends with the period instead of being renewed. */
  cancelAtPeriodEnd: boolean;
  createdAt: string;
  currentPeriodStart: string | null;
  currentPeriodEnd: string | null;
  endedAt: string | null;
  price: Price | null;
  /** What takes over when the period ends. */
  nextPrice: Price | null;
  product: { id: string; code: string; name: string } | null;
}

export interface PaymentMethod {
  id: string;
  /** In Stripe's words: card, sepa_debit … */
  type: string;
  isDefault: boolean;
  card: { brand: string; last4: string; expiryMonth: number; expiryYear: number } | null;
}

export interface CheckoutSession {
  id: string;
  /** Null once it was paid or has expired. */
  url: string | null;
  expiresAt: string | null;
  replayed: boolean;
}

export interface SubscriptionStart {
  subscription: BillingSubscription;
  /** For Stripe's own form, while the first payment wants something of the person. */
  clientSecret: string | null;
  replayed: boolean;
}

export interface CreateCheckoutSessionInput extends Keyed {
  userId: string;
  priceId: string;
  /** 1 to 100, of a subscription 1; 1 when left out. */
  quantity?: number | undefined;
  successUrl?: string | undefined;
  cancelUrl?: string | undefined;
}

export interface CreateSubscriptionInput extends Keyed {
  userId: string;
  priceId: string;
  /** A saved payment method, charged at once; without it Stripe's form makes the first payment. */
  paymentMethodId?: string | undefined;
}

export interface ChangeSubscriptionInput extends Keyed {
  userId: string;
  priceId: string;
  when: 'NOW' | 'PERIOD_END';
}

export interface BillingCalls {
  /** What a person is subscribed to, or was last. Scope `billing:read`. */
  subscription(userId: string, options?: CallOptions): Promise<BillingSubscription | null>;
  /** What a person has saved at Stripe. Scope `billing:read`. */
  paymentMethods(userId: string, options?: CallOptions): Promise<PaymentMethod[]>;
  /** A page at Stripe for a person to pay on. Scope `billing:write`. */
  createCheckoutSession(input: CreateCheckoutSessionInput, options?: CallOptions): Promise<CheckoutSession>;
  /** Lets Stripe's form save a payment method. Has no key, so it is tried once. Scope `billing:write`. */
  createSetupIntent(userId: string, options?: CallOptions): Promise<{ id: string; clientSecret: string }>;
  /** Scope `billing:write`. */
  createSubscription(input: CreateSubscriptionInput, options?: CallOptions): Promise<SubscriptionStart>;
  /** Scope `billing:write`. */
  changeSubscription(
    input: ChangeSubscriptionInput,
    options?: CallOptions,
  ): Promise<{ subscription: BillingSubscription }>;
  /** With the period that is paid for, or `immediately`. Twice is once. Scope `billing:write`. */
  cancelSubscription(
    which: { userId: string; immediately?: boolean | undefined },
    options?: CallOptions,
  ): Promise<{ subscription: BillingSubscription }>;
}

const OF_USER = { parameters: '($userId: ID!)', arguments: '(userId: $userId)' };
const PRICE = '{ id amountMinor currency interval }';
const SUBSCRIPTION = `{ id status cancelAtPeriodEnd createdAt currentPeriodStart currentPeriodEnd endedAt
  price ${PRICE} nextPrice ${PRICE} product { id code name } }`;
const CHANGED = `{ subscription ${SUBSCRIPTION} }`;

const FIND_SUBSCRIPTION = { name: 'subscription', ...OF_USER, selection: SUBSCRIPTION };
const PAYMENT_METHODS = {
  name: 'paymentMethods',
  ...OF_USER,
  selection: '{ id type isDefault card { brand last4 expiryMonth expiryYear } }',
};
const CREATE_CHECKOUT_SESSION = {
  name: 'createCheckoutSession',
  input: 'CreateCheckoutSessionInput',
  selection: '{ id url expiresAt replayed }',
};
const CREATE_SETUP_INTENT = { name: 'createSetupIntent', ...OF_USER, selection: '{ id clientSecret }' };
const CREATE_SUBSCRIPTION = {
  name: 'createSubscription',
  input: 'CreateSubscriptionInput',
  selection: `{ subscription ${SUBSCRIPTION} clientSecret replayed }`,
};
const CHANGE_SUBSCRIPTION = { name: 'changeSubscription', input: 'ChangeSubscriptionInput', selection: CHANGED };
const CANCEL_SUBSCRIPTION = {
  name: 'cancelSubscription',
  parameters: '($userId: ID!, $immediately: Boolean! = false)',
  arguments: '(userId: $userId, immediately: $immediately)',
  selection: CHANGED,
};

export function createBillingCalls(calls: Calls): BillingCalls {
  return {
    subscription: (userId, options) => calls.query(FIND_SUBSCRIPTION, { userId }, options),
    paymentMethods: (userId, options) => calls.query(PAYMENT_METHODS, { userId }, options),
    createCheckoutSession: (input, options) => calls.keyed(CREATE_CHECKOUT_SESSION, input, options),
    createSetupIntent: (userId, options) => calls.mutation(CREATE_SETUP_INTENT, { userId }, options),
    createSubscription: (input, options) => calls.keyed(CREATE_SUBSCRIPTION, input, options),
    changeSubscription: (input, options) => calls.keyed(CHANGE_SUBSCRIPTION, input, options),
    cancelSubscription: (which, options) => calls.mutation(CANCEL_SUBSCRIPTION, which, { ...options, isSafe: true }),
  };
}
