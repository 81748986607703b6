import type { Stripe } from 'stripe';
import type { Params } from './params.ts';
import type { Store } from './store.ts';

export function createCustomer(store: Store, params: Params): Stripe.Customer {
  const customer: Stripe.Customer = {
    id: store.newId('cus'),
    object: 'customer',
    balance: 0,
    created: store.now(),
    currency: null,
    default_source: null,
    delinquent: false,
    description: params.optional('description') ?? null,
    email: params.optional('email') ?? null,
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: params.metadata(),
    name: params.optional('name') ?? null,
    phone: params.optional('phone') ?? null,
    preferred_locales: params.texts('preferred_locales'),
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
  store.keep(customer);
  store.emit('customer.created', customer);
  return customer;
}

export function updateCustomer(store: Store, id: string, params: Params): Stripe.Customer {
  const customer = store.customer(id, 'id');
  const settings = params.object('invoice_settings');
  const method = settings?.optional('default_payment_method');
  if (method !== undefined) store.get('payment_method', method, 'invoice_settings[default_payment_method]');
  return store.change('customer.updated', customer, {
    ...(params.has('email') && { email: params.optional('email') ?? null }),
    ...(params.has('name') && { name: params.optional('name') ?? null }),
    ...(params.has('description') && { description: params.optional('description') ?? null }),
    ...(params.has('preferred_locales') && { preferred_locales: params.texts('preferred_locales') }),
    metadata: params.metadata(customer.metadata),
    ...(settings?.has('default_payment_method') && {
      invoice_settings: { ...customer.invoice_settings, default_payment_method: method ?? null },
    }),
  });
}

/** What stays of a customer is its id, for ever: https://docs.stripe.com/api/customers/delete */
export function deleteCustomer(store: Store, id: string, cancelSubscription: (id: string) => void) {
  const customer = store.customer(id, 'id');
  for (const subscription of store.all('subscription'))
    if (subscription.customer === id && subscription.ended_at === null) cancelSubscription(subscription.id);
  const stub = { id, object: 'customer' as const, deleted: true as const };
  store.keep(stub);
  store.emit('customer.deleted', customer);
  return stub;
}
