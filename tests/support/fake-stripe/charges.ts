import type { Stripe } from 'stripe';
import { type Decline, paymentMethodOf } from './cards.ts';
import { requireCurrency } from './catalog.ts';
import type { Params } from './params.ts';
import { cardError, invalidRequest } from './refusals.ts';
import { idOf, type Store } from './store.ts';

interface Payment {
  amount: number;
  currency: string;
  customer: string | null;
  paymentMethod: string | null;
  metadata?: Record<string, string>;
  description?: string | null;
  setupFutureUsage?: Stripe.PaymentIntent.SetupFutureUsage | null;
}

export function openPaymentIntent(store: Store, payment: Payment): Stripe.PaymentIntent {
  const id = store.newId('pi');
  const intent: Stripe.PaymentIntent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: payment.amount,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: `${id}_secret_${store.newId('s')}`,
    confirmation_method: 'automatic',
    created: store.now(),
    currency: payment.currency,
    customer: payment.customer,
    customer_account: null,
    description: payment.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: payment.metadata ?? {},
    next_action: null,
    on_behalf_of: null,
    payment_method: payment.paymentMethod,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: payment.setupFutureUsage ?? null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: payment.paymentMethod === null ? 'requires_payment_method' : 'requires_confirmation',
    transfer_group: null,
  };
  store.keep(intent);
  store.emit('payment_intent.created', intent);
  return intent;
}

/** Charges it now. The answer is undefined, or why the card did not pay. */
export function charge(store: Store, intent: Stripe.PaymentIntent, methodId: string): Decline | undefined {
  const method = store.get('payment_method', methodId, 'payment_method');
  const decline = store.wallet.get(method.id)?.decline;
  store.change(undefined, intent, { payment_method: method.id });
  if (decline?.code === 'authentication_required') {
    store.change(undefined, intent, { status: 'requires_action', next_action: { type: 'use_stripe_sdk' } });
    store.emit('payment_intent.requires_action', intent);
    return decline;
  }
  const receipt = keepCharge(store, intent, { method, decline });
  if (decline) {
    const error = cardError(decline.code, decline.declineCode, { charge: receipt.id, payment_method: method }).body;
    store.change(undefined, intent, {
      status: 'requires_payment_method',
      payment_method: null,
      latest_charge: receipt.id,
      last_payment_error: error as unknown as Stripe.PaymentIntent.LastPaymentError,
    });
    store.emit('charge.failed', receipt);
    store.emit('payment_intent.payment_failed', intent);
    return decline;
  }
  store.change(undefined, intent, {
    status: 'succeeded',
    amount_received: intent.amount,
    latest_charge: receipt.id,
    last_payment_error: null,
    next_action: null,
  });
  store.emit('charge.succeeded', receipt);
  store.emit('payment_intent.succeeded', intent);
  return undefined;
}

function keepCharge(
  store: Store,
  intent: Stripe.PaymentIntent,
  { method, decline }: { method: Stripe.PaymentMethod; decline: Decline | undefined },
): Stripe.Charge {
  const paid = decline === undefined;
  const receipt: Stripe.Charge = {
    id: store.newId('ch'),
    object: 'charge',
    amount: intent.amount,
    amount_captured: paid ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: paid ? store.newId('txn') : null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'FAKE STRIPE',
    captured: paid,
    created: store.now(),
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: decline?.code ?? null,
    failure_message: paid ? null : 'Your card was declined.',
    fraud_details: {},
    livemode: false,
    metadata: intent.metadata,
    on_behalf_of: null,
    outcome: null,
    paid,
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: null,
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: paid ? 'succeeded' : 'failed',
    transfer_data: null,
    transfer_group: null,
  };
  return store.keep(receipt);
}

export function createPaymentIntent(store: Store, params: Params): Stripe.PaymentIntent {
  const amount = params.whole('amount');
  if (amount === undefined || amount < 1)
    throw invalidRequest('Missing required param: amount.', { code: 'parameter_missing', param: 'amount' });
  const customer = params.optional('customer');
  const method = params.optional('payment_method');
  const intent = openPaymentIntent(store, {
    amount,
    currency: requireCurrency(params.text('currency')),
    customer: customer === undefined ? null : store.customer(customer).id,
    paymentMethod: method === undefined ? null : paymentMethodOf(store, method).id,
    metadata: params.metadata(),
    description: params.optional('description') ?? null,
    setupFutureUsage: params.oneOf('setup_future_usage', ['off_session', 'on_session'] as const) ?? null,
  });
  return params.flag('confirm') ? confirm(store, intent) : intent;
}

export function confirmPaymentIntent(store: Store, id: string, params: Params): Stripe.PaymentIntent {
  const intent = store.get('payment_intent', id);
  const method = params.optional('payment_method');
  if (method !== undefined) store.change(undefined, intent, { payment_method: paymentMethodOf(store, method).id });
  return confirm(store, intent);
}

function confirm(store: Store, intent: Stripe.PaymentIntent): Stripe.PaymentIntent {
  if (intent.status === 'succeeded' || intent.status === 'canceled')
    throw invalidRequest(`This PaymentIntent could not be confirmed because it has a status of ${intent.status}.`, {
      code: 'payment_intent_unexpected_state',
    });
  const method = idOf(intent.payment_method);
  if (method === undefined)
    throw invalidRequest('You cannot confirm this PaymentIntent because it is missing a payment method.', {
      code: 'payment_intent_unexpected_state',
    });
  const decline = charge(store, intent, method);
  if (decline && intent.status !== 'requires_action')
    throw cardError(decline.code, decline.declineCode, { payment_intent: intent, charge: intent.latest_charge });
  return intent;
}

export function cancelPaymentIntent(store: Store, id: string): Stripe.PaymentIntent {
  const intent = store.get('payment_intent', id);
  if (intent.status === 'succeeded' || intent.status === 'canceled')
    throw invalidRequest(`You cannot cancel this PaymentIntent because it has a status of ${intent.status}.`, {
      code: 'payment_intent_unexpected_state',
    });
  store.change(undefined, intent, { status: 'canceled', canceled_at: store.now() });
  store.emit('payment_intent.canceled', intent);
  return intent;
}
