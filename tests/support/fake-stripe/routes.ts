import { attach, detach, listPaymentMethods, paymentMethodOf, updatePaymentMethod } from './cards.ts';
import { createPrice, createProduct, updatePrice, updateProduct } from './catalog.ts';
import { cancelPaymentIntent, createPaymentIntent } from './charges.ts';
import { createSession, expireSession, lineItems } from './checkout.ts';
import { createCustomer, deleteCustomer, updateCustomer } from './customers.ts';
import { voidInvoice } from './invoices.ts';
import type { Params } from './params.ts';
import { cardError, invalidRequest } from './refusals.ts';
import { createRefund } from './reversals.ts';
import { cancelSetupIntent, confirmSetupIntent, createSetupIntent } from './setup-intents.ts';
import { idOf, listOf, type Shapes, type Store } from './store.ts';
import { collect, confirmPayment, createSubscription, endSubscription, updateSubscription } from './subscriptions.ts';

interface Call {
  store: Store;
  params: Params;
  /** The id in the address. */
  id: string;

  /** Where pages for people live. */
  pageBase: string;
}

type Run = (call: Call) => unknown;

interface Route {
  method: string;
  pattern: RegExp;
  takes: Set<string>;
  run: Run;
}

const PAGING = 'limit starting_after ending_before created';

/** `takes` names the top-level parameters; any other is refused, as Stripe does. */
function route(method: string, path: string, takes: string, run: Run): Route {
  const pattern = new RegExp(`^/v1/${path.replaceAll(':id', '([^/]+)')}$`);
  return { method, pattern, takes: new Set(['expand', ...takes.split(' ')]), run };
}

/** Read and list, which all kinds have alike; `by` are the filters that name another object. */
function reads<K extends keyof Shapes>(kind: K, path: string, by: string[] = []): Route[] {
  return [
    route('GET', `${path}/:id`, '', ({ store, id }) => readable(store, kind, id)),
    route('GET', path, [PAGING, ...by].join(' '), ({ store, params }) =>
      store.list(kind, params, (object) => by.every((name) => matches(object, name, params))),
    ),
  ];
}

/** A customer that was deleted is still answered for, as the stub that is left of it. */
function readable<K extends keyof Shapes>(store: Store, kind: K, id: string): unknown {
  return store.find(kind, id) ?? store.get(kind, id);
}

function matches(object: object, name: string, params: Params): boolean {
  const wanted = params.optional(name);
  if (wanted === undefined) return true;
  const value: unknown = Object.entries(object).find(([key]) => key === name)?.[1];
  return String(typeof value === 'object' && value !== null ? idOf(value as { id: string }) : value) === wanted;
}

const METHOD_PARAMS =
  'payment_method_types payment_method_options automatic_payment_methods payment_method_configuration';

const ROUTES: Route[] = [
  route('POST', 'customers', 'email name description metadata phone preferred_locales', ({ store, params }) =>
    createCustomer(store, params),
  ),
  route(
    'POST',
    'customers/:id',
    'email name description metadata phone preferred_locales invoice_settings',
    ({ store, params, id }) => updateCustomer(store, id, params),
  ),
  route('DELETE', 'customers/:id', '', ({ store, id }) =>
    deleteCustomer(store, id, (subscription) => endSubscription(store, store.get('subscription', subscription))),
  ),
  route('GET', 'customers/:id/payment_methods', `${PAGING} type`, ({ store, params, id }) =>
    listPaymentMethods(store, params, id),
  ),
  ...reads('customer', 'customers', ['email']),

  route('POST', 'products', 'id name description images active metadata', ({ store, params }) =>
    createProduct(store, params),
  ),
  route('POST', 'products/:id', 'name description images active metadata', ({ store, params, id }) =>
    updateProduct(store, id, params),
  ),
  ...reads('product', 'products', ['active']),
  route(
    'POST',
    'prices',
    'currency product product_data unit_amount recurring active nickname lookup_key metadata',
    ({ store, params }) => createPrice(store, params),
  ),
  route('POST', 'prices/:id', 'active nickname metadata', ({ store, params, id }) => updatePrice(store, id, params)),
  ...reads('price', 'prices', ['active', 'product', 'type', 'currency']),

  route('POST', 'payment_methods/:id/attach', 'customer', ({ store, params, id }) =>
    attach(store, paymentMethodOf(store, id), params.text('customer')),
  ),
  route('POST', 'payment_methods/:id/detach', '', ({ store, id }) => detach(store, id)),
  route('POST', 'payment_methods/:id', 'metadata', ({ store, params, id }) => updatePaymentMethod(store, id, params)),
  route('GET', 'payment_methods', `${PAGING} type customer`, ({ store, params }) =>
    listPaymentMethods(store, params, params.text('customer')),
  ),
  route('GET', 'payment_methods/:id', '', ({ store, id }) => store.get('payment_method', id)),

  route('POST', 'setup_intents', `customer usage description metadata ${METHOD_PARAMS}`, ({ store, params }) =>
    createSetupIntent(store, params),
  ),
  route('POST', 'setup_intents/:id/confirm', 'payment_method', ({ store, params, id }) =>
    confirmSetupIntent(store, id, params),
  ),
  route('POST', 'setup_intents/:id/cancel', '', ({ store, id }) => cancelSetupIntent(store, id)),
  ...reads('setup_intent', 'setup_intents', ['customer']),

  route(
    'POST',
    'payment_intents',
    `amount currency customer payment_method confirm off_session description metadata setup_future_usage ${METHOD_PARAMS}`,
    ({ store, params }) => createPaymentIntent(store, params),
  ),
  route('POST', 'payment_intents/:id/confirm', 'payment_method off_session', ({ store, params, id }) =>
    confirmPayment(store, id, params),
  ),
  route('POST', 'payment_intents/:id/cancel', 'cancellation_reason', ({ store, id }) => cancelPaymentIntent(store, id)),
  ...reads('payment_intent', 'payment_intents', ['customer']),
  ...reads('charge', 'charges', ['customer', 'payment_intent']),

  route('POST', 'refunds', 'charge payment_intent amount reason metadata', ({ store, params }) =>
    createRefund(store, params),
  ),
  ...reads('refund', 'refunds', ['charge', 'payment_intent']),
  ...reads('dispute', 'disputes', ['charge', 'payment_intent']),

  route(
    'POST',
    'checkout/sessions',
    `mode customer customer_email customer_creation customer_update client_reference_id line_items success_url cancel_url expires_at metadata payment_intent_data subscription_data setup_intent_data allow_promotion_codes billing_address_collection locale submit_type invoice_creation saved_payment_method_options currency ${METHOD_PARAMS}`,
    ({ store, params, pageBase }) => createSession(store, params, pageBase),
  ),
  route('POST', 'checkout/sessions/:id/expire', '', ({ store, id }) => expireSession(store, id)),
  route('GET', 'checkout/sessions/:id/line_items', PAGING, ({ store, id }) =>
    listOf(lineItems(store, store.get('checkout.session', id))),
  ),
  ...reads('checkout.session', 'checkout/sessions', ['customer', 'payment_intent', 'subscription', 'status']),

  route(
    'POST',
    'subscriptions',
    'customer items default_payment_method payment_behavior trial_period_days metadata cancel_at_period_end payment_settings off_session proration_behavior collection_method description',
    ({ store, params }) => createSubscription(store, params),
  ),
  route(
    'POST',
    'subscriptions/:id',
    'items default_payment_method payment_behavior metadata cancel_at_period_end payment_settings off_session proration_behavior proration_date billing_cycle_anchor description',
    ({ store, params, id }) => updateSubscription(store, id, params),
  ),
  route('DELETE', 'subscriptions/:id', 'invoice_now prorate cancellation_details', ({ store, id }) =>
    endSubscription(store, store.get('subscription', id)),
  ),
  route('GET', 'subscriptions/:id', '', ({ store, id }) => store.get('subscription', id)),
  route('GET', 'subscriptions', `${PAGING} customer status price`, ({ store, params }) =>
    listSubscriptions(store, params),
  ),

  route('POST', 'invoices/:id/pay', 'payment_method off_session', ({ store, params, id }) =>
    payInvoice(store, params, id),
  ),
  route('POST', 'invoices/:id/void', '', ({ store, id }) => voidInvoice(store, store.get('invoice', id))),
  route('GET', 'invoices/:id/lines', PAGING, ({ store, id }) => store.get('invoice', id).lines),
  route('GET', 'invoices', `${PAGING} customer subscription status collection_method`, ({ store, params }) => {
    const subscription = params.optional('subscription');
    return store.list(
      'invoice',
      params,
      (invoice) =>
        (subscription === undefined || idOf(invoice.parent?.subscription_details?.subscription) === subscription) &&
        ['customer', 'status', 'collection_method'].every((name) => matches(invoice, name, params)),
    );
  }),
  route('GET', 'invoices/:id', '', ({ store, id }) => store.get('invoice', id)),
  route('GET', 'invoice_payments', `${PAGING} invoice payment status`, ({ store, params }) => {
    const intent = params.object('payment')?.optional('payment_intent');
    return store.list(
      'invoice_payment',
      params,
      (row) =>
        (intent === undefined || row.payment.payment_intent === intent) &&
        matches(row, 'invoice', params) &&
        matches(row, 'status', params),
    );
  }),
  route('GET', 'invoice_payments/:id', '', ({ store, id }) => store.get('invoice_payment', id)),

  route(
    'POST',
    'billing_portal/sessions',
    'customer return_url configuration locale flow_data',
    ({ store, params, pageBase }) => openPortal(store, params, pageBase),
  ),
  route('GET', 'events', `${PAGING} type types`, ({ store, params }) => {
    const types = params.texts('types');
    if (types.length > 20) throw invalidRequest('At most 20 types may be named.', { param: 'types' });
    return store.list(
      'event',
      params,
      (event) => (types.length === 0 || types.includes(event.type)) && matches(event, 'type', params),
    );
  }),
  route('GET', 'events/:id', '', ({ store, id }) => store.get('event', id)),
];

/** Unless asked for by status, those that ended are left out: https://docs.stripe.com/api/subscriptions/list */
function listSubscriptions(store: Store, params: Params) {
  const status = params.optional('status');
  const price = params.optional('price');
  return store.list('subscription', params, (subscription) => {
    if (status === undefined && subscription.status === 'canceled') return false;
    if (status === 'ended' && subscription.ended_at === null) return false;
    if (status !== undefined && !['all', 'ended', subscription.status].includes(status)) return false;
    return (
      matches(subscription, 'customer', params) &&
      (price === undefined || subscription.items.data.some((item) => item.price.id === price))
    );
  });
}

function payInvoice(store: Store, params: Params, id: string) {
  const invoice = store.get('invoice', id);
  const method = params.optional('payment_method');
  const card = method === undefined ? undefined : paymentMethodOf(store, method).id;
  const subscription = store.get('subscription', idOf(invoice.parent?.subscription_details?.subscription) ?? '');
  if (invoice.status !== 'open') throw invalidRequest(`Invoice is already ${invoice.status}`);
  if (!collect(store, subscription, invoice, card)) throw cardError('card_declined', 'generic_decline');
  return invoice;
}

function openPortal(store: Store, params: Params, pageBase: string) {
  const id = store.newId('bps');
  return store.keep({
    id,
    object: 'billing_portal.session',
    configuration: 'bpc_fake',
    created: store.now(),
    customer: store.customer(params.text('customer')).id,
    customer_account: null,
    flow: null,
    livemode: false,
    locale: params.optional('locale') ?? null,
    on_behalf_of: null,
    return_url: params.optional('return_url') ?? null,
    url: `${pageBase}/p/session/${id}`,
  });
}

/** The answer of the API to one request that has passed the door. Throws `Refusal`. */
export function answer(
  store: Store,
  request: { method: string; path: string; params: Params; pageBase: string },
): unknown {
  const { method, path, params, pageBase } = request;
  for (const { pattern, takes, run, method: wanted } of ROUTES) {
    const match = wanted === method ? pattern.exec(path) : null;
    if (!match) continue;
    const unknown = params.names().find((name) => !takes.has(name));
    if (unknown !== undefined)
      throw invalidRequest(`Received unknown parameter: ${unknown}`, { code: 'parameter_unknown', param: unknown });
    return run({
      store,
      params,
      pageBase,
      id: decodeURIComponent(match[1] ?? ''),
    });
  }
  throw invalidRequest(`Unrecognized request URL (${method}: ${path}).`, { status: 404 });
}
