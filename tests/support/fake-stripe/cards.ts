import type { Stripe } from 'stripe';
import type { Params } from './params.ts';
import { cardError, invalidRequest, noSuch } from './refusals.ts';
import type { Store } from './store.ts';

/** Why a charge fails: Stripe's `code` and `decline_code`. `authentication_required` asks for the person instead. */
export interface Decline {
  code: string;
  declineCode: string | null;
}

interface TestCard {
  token: string;
  brand: string;
  decline?: Decline;
  /** Can be saved; only charging fails. */
  attaches?: boolean;
}

const declined = (declineCode: string): Decline => ({ code: 'card_declined', declineCode });

/** The public test cards: https://docs.stripe.com/testing */
const CARDS: Record<string, TestCard> = {
  '4242424242424242': { token: 'pm_card_visa', brand: 'visa' },
  '5555555555554444': { token: 'pm_card_mastercard', brand: 'mastercard' },
  '4000000000000002': { token: 'pm_card_chargeDeclined', brand: 'visa', decline: declined('generic_decline') },
  '4000000000009995': {
    token: 'pm_card_chargeDeclinedInsufficientFunds',
    brand: 'visa',
    decline: declined('insufficient_funds'),
  },
  '4000000000009979': { token: 'pm_card_chargeDeclinedStolenCard', brand: 'visa', decline: declined('stolen_card') },
  '4000000000000069': {
    token: 'pm_card_chargeDeclinedExpiredCard',
    brand: 'visa',
    decline: { code: 'expired_card', declineCode: null },
  },
  '4000000000000119': {
    token: 'pm_card_chargeDeclinedProcessingError',
    brand: 'visa',
    decline: { code: 'processing_error', declineCode: null },
  },
  '4000000000000341': {
    token: 'pm_card_chargeCustomerFail',
    brand: 'visa',
    decline: declined('generic_decline'),
    attaches: true,
  },
  '4000002500003155': {
    token: 'pm_card_authenticationRequired',
    brand: 'visa',
    decline: { code: 'authentication_required', declineCode: 'authentication_required' },
    attaches: true,
  },
};

export const GOOD_CARD = '4242424242424242';

export function createPaymentMethod(store: Store, number: string, email: string | null = null): Stripe.PaymentMethod {
  const card = CARDS[number.replaceAll(' ', '')];
  if (!card) throw cardError('incorrect_number', null, { param: 'number' });
  const method: Stripe.PaymentMethod = {
    id: store.newId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: {
      address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
      email,
      name: null,
      phone: null,
      tax_id: null,
    },
    card: {
      brand: card.brand,
      checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
      country: 'US',
      display_brand: card.brand,
      exp_month: 12,
      exp_year: 2034,
      fingerprint: `fake${number.slice(-4)}`,
      funding: 'credit',
      generated_from: null,
      last4: number.slice(-4),
      networks: { available: [card.brand], preferred: null },
      regulated_status: 'unregulated',
      three_d_secure_usage: { supported: true },
      wallet: null,
    },
    created: store.now(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'card',
  };
  store.wallet.set(method.id, { decline: card.decline, attaches: card.attaches ?? card.decline === undefined });
  return store.keep(method);
}

/** `pm_card_visa` and its like stand for a new payment method each time they are used. */
export function paymentMethodOf(store: Store, id: string, param = 'payment_method'): Stripe.PaymentMethod {
  const byToken = Object.entries(CARDS).find(([, card]) => card.token === id);
  if (byToken) return createPaymentMethod(store, byToken[0]);
  return store.get('payment_method', id, param);
}

export function attach(store: Store, method: Stripe.PaymentMethod, customerId: string): Stripe.PaymentMethod {
  const customer = store.customer(customerId);
  if (method.customer !== null && method.customer !== customerId)
    throw invalidRequest('The payment method you provided has already been attached to a customer.', {
      code: 'payment_method_unexpected_state',
    });
  const { decline, attaches } = store.wallet.get(method.id) ?? {};
  if (decline && !attaches) throw cardError(decline.code, decline.declineCode);
  if (method.customer === null) {
    store.change(undefined, method, { customer: customer.id });
    store.emit('payment_method.attached', method);
  }
  return method;
}

/** Detached for good: https://docs.stripe.com/api/payment_methods/detach */
export function detach(store: Store, id: string): Stripe.PaymentMethod {
  const method = store.get('payment_method', id);
  if (method.customer === null)
    throw invalidRequest('The payment method you provided is not attached to a customer so detachment is impossible.');
  const customer = store.find('customer', String(method.customer));
  store.change(undefined, method, { customer: null });
  store.emit('payment_method.detached', method, { customer: customer?.id });
  if (customer && !customer.deleted && customer.invoice_settings.default_payment_method === id)
    store.change('customer.updated', customer, {
      invoice_settings: { ...customer.invoice_settings, default_payment_method: null },
    });
  return method;
}

export function listPaymentMethods(store: Store, params: Params, customerId: string) {
  store.customer(customerId);
  const type = params.optional('type');
  return store.list(
    'payment_method',
    params,
    (method) => method.customer === customerId && (type === undefined || method.type === type),
  );
}

export function updatePaymentMethod(store: Store, id: string, params: Params): Stripe.PaymentMethod {
  const method = store.find('payment_method', id);
  if (!method) throw noSuch('payment_method', id);
  return store.change('payment_method.updated', method, { metadata: params.metadata(method.metadata ?? {}) });
}
