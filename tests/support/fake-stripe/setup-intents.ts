import type { Stripe } from 'stripe';
import { attach, createPaymentMethod, paymentMethodOf } from './cards.ts';
import type { Params } from './params.ts';
import { cardError, invalidRequest, Refusal } from './refusals.ts';
import { idOf, type Store } from './store.ts';

export function createSetupIntent(store: Store, params: Params): Stripe.SetupIntent {
  const customer = params.optional('customer');
  const id = store.newId('seti');
  const intent: Stripe.SetupIntent = {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: `${id}_secret_${store.newId('s')}`,
    created: store.now(),
    customer: customer === undefined ? null : store.customer(customer).id,
    description: params.optional('description') ?? null,
    excluded_payment_method_types: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    mandate: null,
    metadata: params.metadata(),
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ['card'],
    single_use_mandate: null,
    status: 'requires_payment_method',
    usage: params.oneOf('usage', ['off_session', 'on_session']) ?? 'off_session',
  };
  store.keep(intent);
  store.emit('setup_intent.created', intent);
  return intent;
}

/** What Stripe's script does in the browser with the client secret and the card that somebody typed. */
export function enterCard(store: Store, id: string, number: string): Stripe.SetupIntent {
  const intent = store.get('setup_intent', id);
  return settle(store, intent, createPaymentMethod(store, number));
}

export function confirmSetupIntent(store: Store, id: string, params: Params): Stripe.SetupIntent {
  const intent = store.get('setup_intent', id);
  return settle(store, intent, paymentMethodOf(store, params.text('payment_method')));
}

function settle(store: Store, intent: Stripe.SetupIntent, method: Stripe.PaymentMethod): Stripe.SetupIntent {
  if (intent.status === 'succeeded' || intent.status === 'canceled')
    throw invalidRequest(`This SetupIntent has a status of ${intent.status}.`, {
      code: 'setup_intent_unexpected_state',
    });
  const customer = idOf(intent.customer);
  try {
    if (customer !== undefined) attach(store, method, customer);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 402) throw error;
    const last_setup_error = error.body as unknown as Stripe.SetupIntent.LastSetupError;
    store.change(undefined, intent, { last_setup_error, status: 'requires_payment_method' });
    store.emit('setup_intent.setup_failed', intent);
    throw cardError(String(error.body.code), String(error.body.decline_code ?? ''), { setup_intent: intent });
  }
  store.change(undefined, intent, { payment_method: method.id, status: 'succeeded' });
  store.emit('setup_intent.succeeded', intent);
  return intent;
}

export function cancelSetupIntent(store: Store, id: string): Stripe.SetupIntent {
  const intent = store.get('setup_intent', id);
  if (intent.status === 'succeeded')
    throw invalidRequest('You cannot cancel this SetupIntent.', { code: 'setup_intent_unexpected_state' });
  store.change(undefined, intent, { status: 'canceled' });
  store.emit('setup_intent.canceled', intent);
  return intent;
}
