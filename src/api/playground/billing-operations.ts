import type { ReadyOperation } from './operations.js';

/** What is sold, as people see it: for everybody who may buy. */
const PRODUCTS: ReadyOperation = {
  name: 'Products',
  about: 'What is sold, and at which prices.',
  query: `# What is sold. The id of a price is what
# the purchases below ask for.
query Products {
  products(first: 20) {
    nodes {
      code
      name
      kind
      creditsGranted
      prices { id currency amountMinor interval }
    }
  }
}`,
};

export const BUYING: readonly ReadyOperation[] = [
  PRODUCTS,
  {
    name: 'StartCheckout',
    about: 'A page at Stripe to pay on.',
    query: `# A page at Stripe: open its url and pay.
# The credits come when Stripe says so.
mutation StartCheckout($input: StartCheckoutInput!) {
  startCheckout(input: $input) { id url expiresAt replayed }
}`,
    variables: { input: { priceId: '{{priceId}}', quantity: 1, idempotencyKey: '{{newKey}}' } },
  },
  {
    name: 'MyBilling',
    about: 'Plan, subscription and saved cards.',
    query: `# Plan, subscription and saved cards.
query MyBilling {
  me {
    plan { code monthlyCredits }
    creditAccount { balance available }
    subscription {
      status
      currentPeriodEnd
      cancelAtPeriodEnd
      product { name }
      price { amountMinor currency interval }
      nextPrice { amountMinor }
    }
    paymentMethods { id type isDefault card { brand last4 } }
  }
}`,
  },
  {
    name: 'CreateMySetupIntent',
    about: 'Saves a card, with Stripe’s form.',
    query: `# For Stripe's own form in the browser,
# which saves a card with it.
mutation CreateMySetupIntent {
  createMySetupIntent { id clientSecret }
}`,
  },
  {
    name: 'StartSubscription',
    about: 'Subscribes with a saved card.',
    query: `# Subscribes with a saved card. Without a
# card the clientSecret is for Stripe's
# form, which makes the first payment.
mutation StartSubscription($input: StartSubscriptionInput!) {
  startSubscription(input: $input) {
    clientSecret
    subscription { id status currentPeriodEnd }
  }
}`,
    variables: {
      input: { priceId: '{{priceId}}', paymentMethodId: '{{paymentMethodId}}', idempotencyKey: '{{newKey}}' },
    },
  },
  {
    name: 'ChangeMySubscription',
    about: 'To another price, now or with the renewal.',
    query: `# NOW pays or credits the rest of the
# period; PERIOD_END waits for its end.
mutation ChangeMySubscription($input: ChangeMySubscriptionInput!) {
  changeMySubscription(input: $input) {
    subscription { status price { id } nextPrice { id } }
  }
}`,
    variables: { input: { priceId: '{{priceId}}', when: 'NOW', idempotencyKey: '{{newKey}}' } },
  },
  {
    name: 'CancelMySubscription',
    about: 'Ends it with the period.',
    query: `# Ends it with the period that is paid for.
mutation CancelMySubscription {
  cancelMySubscription {
    subscription { status cancelAtPeriodEnd currentPeriodEnd }
  }
}`,
  },
  {
    name: 'ResumeMySubscription',
    about: 'Takes the end back.',
    query: `# As long as the end has not come.
mutation ResumeMySubscription {
  resumeMySubscription {
    subscription { status cancelAtPeriodEnd }
  }
}`,
  },
  {
    name: 'CreateBillingPortalSession',
    about: 'Invoices and cards, at Stripe.',
    query: `# A page at Stripe with invoices, cards
# and the subscription.
mutation CreateBillingPortalSession {
  createBillingPortalSession { url }
}`,
  },
  {
    name: 'RemovePaymentMethod',
    about: 'Forgets a saved card.',
    query: `# Forgets a saved card.
mutation RemovePaymentMethod($id: ID!) {
  removePaymentMethod(paymentMethodId: $id) { ok }
}`,
    variables: { id: '{{paymentMethodId}}' },
  },
];

export const SELLING: readonly ReadyOperation[] = [
  {
    name: 'CreateCheckoutSession',
    about: 'A page for a person to pay on.',
    query: `# A page at Stripe for a person. Send
# them to its url. Scope: billing:write.
mutation CreateCheckoutSession($input: CreateCheckoutSessionInput!) {
  createCheckoutSession(input: $input) { id url expiresAt replayed }
}`,
    variables: { input: { userId: '{{userId}}', priceId: '{{priceId}}', idempotencyKey: '{{newKey}}' } },
  },
  {
    name: 'Subscription',
    about: 'What a person is subscribed to.',
    query: `# What a person is subscribed to, and the
# cards they saved. Scope: billing:read.
query Subscription($userId: ID!) {
  subscription(userId: $userId) {
    status
    currentPeriodEnd
    product { code }
  }
  paymentMethods(userId: $userId) { id card { brand last4 } }
}`,
    variables: { userId: '{{userId}}' },
  },
];

export const BOOKS: readonly ReadyOperation[] = [
  {
    name: 'Payments',
    about: 'Payments, refunds and disputes.',
    query: `# The latest first, with what went back of
# them and the credits still owed for it.
query Payments {
  payments(first: 20) {
    nodes {
      userId
      kind
      status
      amountMinor
      reversedMinor
      currency
      creditsGranted
      paidAt
      reversals { kind stripeStatus amountMinor creditsTaken creditsOwed }
    }
    totalCount
  }
}`,
  },
  {
    name: 'BillingReconciliation',
    about: 'Our books beside Stripe’s.',
    query: `# Compares the last day and every lasting
# subscription with Stripe. Changes nothing.
query BillingReconciliation {
  billingReconciliation {
    ok
    payments
    reversals
    subscriptions
    pendingEvents
    deadEvents
    differences { kind userId stripeId here atStripe }
  }
}`,
  },
];
