import type { Stripe } from 'stripe';
import { blankSession } from './blanks.ts';
import { attach, createPaymentMethod, GOOD_CARD } from './cards.ts';
import { createPrice, sellable } from './catalog.ts';
import { charge, openPaymentIntent } from './charges.ts';
import { createCustomer } from './customers.ts';
import { Params } from './params.ts';
import { cardError, invalidRequest } from './refusals.ts';
import { createSetupIntent, enterCard } from './setup-intents.ts';
import { idOf, listOf, type Store, type StoredPrice } from './store.ts';
import { startSubscription } from './subscriptions.ts';

/** What a session will make once it is paid; Stripe keeps it to itself. */
interface Order {
  lines: { price: StoredPrice; quantity: number }[];
  paymentData: Params | undefined;
  subscriptionData: Params | undefined;
}

const orders = new WeakMap<Stripe.Checkout.Session, Order>();

export function createSession(store: Store, params: Params, pageBase: string): Stripe.Checkout.Session {
  const mode = params.oneOf('mode', ['payment', 'subscription', 'setup'] as const);
  if (mode === undefined)
    throw invalidRequest('Missing required param: mode.', { code: 'parameter_missing', param: 'mode' });
  const lines = params.objects('line_items').map((item) => ({
    price: item.has('price_data')
      ? createPrice(store, item.object('price_data') ?? params)
      : sellable(store, item.text('price'), item.pathOf('price')),
    quantity: item.whole('quantity') ?? 1,
  }));
  if (lines.length === 0 && mode !== 'setup')
    throw invalidRequest('Missing required param: line_items.', { code: 'parameter_missing', param: 'line_items' });
  const recurring = lines.some(({ price }) => price.recurring !== null);
  if (mode === 'payment' && recurring)
    throw invalidRequest(
      'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
      { param: 'mode' },
    );
  if (mode === 'subscription' && !recurring)
    throw invalidRequest('You must provide at least one recurring price in `subscription` mode when using prices.', {
      param: 'mode',
    });
  const customer = params.optional('customer');
  if (customer !== undefined && params.has('customer_email'))
    throw invalidRequest('You may only specify one of these parameters: customer, customer_email.', {
      param: 'customer',
    });
  const expires = params.whole('expires_at') ?? store.now() + 86_400;
  if (expires < store.now() + 1_800 || expires > store.now() + 86_400)
    throw invalidRequest(
      'The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.',
      { param: 'expires_at' },
    );
  const id = store.newId('cs_test');
  const total = lines.reduce((sum, { price, quantity }) => sum + (price.unit_amount ?? 0) * quantity, 0);
  const session: Stripe.Checkout.Session = {
    ...blankSession(),
    id,
    amount_subtotal: mode === 'setup' ? null : total,
    amount_total: mode === 'setup' ? null : total,
    cancel_url: params.optional('cancel_url') ?? null,
    client_reference_id: params.optional('client_reference_id') ?? null,
    created: store.now(),
    currency: lines[0]?.price.currency ?? null,
    customer: customer === undefined ? null : store.customer(customer).id,
    customer_email: params.optional('customer_email') ?? null,
    expires_at: expires,
    metadata: params.metadata(),
    mode,
    payment_status: mode === 'setup' || total === 0 ? 'no_payment_required' : 'unpaid',
    success_url: params.text('success_url'),
    url: `${pageBase}/c/pay/${id}`,
  };
  store.keep(session);
  store.includable.set(id, { line_items: () => listOf(lineItems(store, session)) });
  orders.set(session, {
    lines,
    paymentData: params.object('payment_intent_data'),
    subscriptionData: params.object('subscription_data'),
  });
  return session;
}

export function lineItems(store: Store, session: Stripe.Checkout.Session) {
  return orderOf(session).lines.map(({ price, quantity }, index) => ({
    id: `li_${index}${session.id.slice(8)}`,
    object: 'item',
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: (price.unit_amount ?? 0) * quantity,
    amount_tax: 0,
    amount_total: (price.unit_amount ?? 0) * quantity,
    currency: price.currency,
    description: store.get('product', String(price.product)).name,
    metadata: {},
    price,
    quantity,
  }));
}

function orderOf(session: Stripe.Checkout.Session): Order {
  const order = orders.get(session);
  if (!order) throw new Error(`No order for ${session.id}`);
  return order;
}

export interface Completion {
  /** A number of Stripe's test cards. */
  card?: string;
  /** Paid by a means that takes days: complete, and not yet paid. */
  delayed?: boolean;
}

/** What somebody does on the page. A card that is refused leaves the session open for another, and throws the refusal. */
export function completeSession(store: Store, id: string, { card = GOOD_CARD, delayed = false }: Completion = {}) {
  const session = store.get('checkout.session', id);
  if (session.status !== 'open') throw invalidRequest(`This session is ${session.status}.`);
  const customer = customerOf(store, session);
  const changes = { payment: payOnce, subscription: subscribe, setup: saveCard }[
    session.mode as 'payment' | 'subscription' | 'setup'
  ];
  const made = changes(store, session, { customer, card, delayed });
  store.change(undefined, session, {
    ...made,
    customer,
    status: 'complete',
    url: null,
    customer_details: details(store, customer),
  });
  store.emit('checkout.session.completed', session);
  return session;
}

function customerOf(store: Store, session: Stripe.Checkout.Session): string | null {
  const known = idOf(session.customer);
  if (known !== undefined) return known;
  if (session.mode === 'payment') return null;
  return createCustomer(store, new Params({ ...(session.customer_email && { email: session.customer_email }) })).id;
}

interface Completing {
  customer: string | null;
  card: string;
  delayed: boolean;
}

function payOnce(store: Store, session: Stripe.Checkout.Session, { customer, card, delayed }: Completing) {
  if (session.amount_total === 0) return {};
  const data = orderOf(session).paymentData;
  const method = createPaymentMethod(store, card, session.customer_email);
  const saves = data?.optional('setup_future_usage');
  if (customer !== null && saves !== undefined) attach(store, method, customer);
  const intent = openPaymentIntent(store, {
    amount: session.amount_total ?? 0,
    currency: session.currency ?? 'usd',
    customer,
    paymentMethod: method.id,
    metadata: data?.metadata() ?? {},
    description: data?.optional('description') ?? null,
  });
  if (delayed) {
    store.change('payment_intent.processing', intent, { status: 'processing' });
    return { payment_intent: intent.id, payment_status: 'unpaid' as const };
  }
  const decline = charge(store, intent, method.id);
  if (decline) throw cardError(decline.code, decline.declineCode, { payment_intent: intent });
  return { payment_intent: intent.id, payment_status: 'paid' as const };
}

function subscribe(store: Store, session: Stripe.Checkout.Session, { customer, card }: Completing) {
  const { lines, subscriptionData } = orderOf(session);
  const method = createPaymentMethod(store, card, session.customer_email);
  attach(store, method, customer ?? '');
  const subscription = startSubscription(store, {
    customer: customer ?? '',
    items: lines.map(({ price, quantity }, index) => ({
      price: price.id,
      quantity,
      param: `line_items[${index}][price]`,
    })),
    paymentMethod: method.id,
    behavior: 'error_if_incomplete',
    trialDays: subscriptionData?.whole('trial_period_days'),
    metadata: subscriptionData?.metadata() ?? {},
  });
  return {
    subscription: subscription.id,
    invoice: idOf(subscription.latest_invoice) ?? null,
    payment_status: session.payment_status === 'no_payment_required' ? session.payment_status : ('paid' as const),
  };
}

function saveCard(store: Store, _: Stripe.Checkout.Session, { customer, card }: Completing) {
  const intent = createSetupIntent(store, new Params({ customer: customer ?? '' }));
  enterCard(store, intent.id, card);
  return { setup_intent: intent.id };
}

/** The end of a payment that took days. */
export function settleDelayed(store: Store, id: string, paid: boolean): Stripe.Checkout.Session {
  const session = store.get('checkout.session', id);
  const intent = store.get('payment_intent', idOf(session.payment_intent) ?? '');
  const method = idOf(intent.payment_method) ?? '';
  if (!paid)
    store.wallet.set(method, {
      decline: { code: 'payment_method_provider_decline', declineCode: null },
      attaches: true,
    });
  charge(store, intent, method);
  if (paid) store.change(undefined, session, { payment_status: 'paid' });
  store.emit(paid ? 'checkout.session.async_payment_succeeded' : 'checkout.session.async_payment_failed', session);
  return session;
}

export function expireSession(store: Store, id: string): Stripe.Checkout.Session {
  const session = store.get('checkout.session', id);
  if (session.status !== 'open')
    throw invalidRequest(
      `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of ${session.status}.`,
    );
  store.change(undefined, session, { status: 'expired', url: null });
  store.emit('checkout.session.expired', session);
  return session;
}

function details(store: Store, customerId: string | null): Stripe.Checkout.Session.CustomerDetails | null {
  if (customerId === null) return null;
  const { email, name } = store.customer(customerId);
  return {
    address: null,
    business_name: null,
    email,
    individual_name: null,
    name: name ?? null,
    phone: null,
    tax_exempt: 'none',
    tax_ids: [],
  };
}
