import type { Stripe } from 'stripe';
import type { Params } from './params.ts';
import { invalidRequest } from './refusals.ts';
import type { Store, StoredPrice } from './store.ts';

export function createProduct(store: Store, params: Params): Stripe.Product {
  const id = params.optional('id') ?? store.newId('prod');
  if (store.objects.has(id))
    throw invalidRequest('Product already exists.', { code: 'resource_already_exists', param: 'id' });
  const product: Stripe.Product = {
    id,
    object: 'product',
    active: params.flag('active') ?? true,
    created: store.now(),
    default_price: null,
    description: params.optional('description') ?? null,
    images: params.texts('images'),
    livemode: false,
    marketing_features: [],
    metadata: params.metadata(),
    name: params.text('name'),
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: store.now(),
    url: null,
  };
  store.keep(product);
  store.emit('product.created', product);
  return product;
}

export function updateProduct(store: Store, id: string, params: Params): Stripe.Product {
  const product = store.get('product', id);
  return store.change('product.updated', product, {
    ...(params.has('name') && { name: params.text('name') }),
    ...(params.has('description') && { description: params.optional('description') ?? null }),
    ...(params.has('images') && { images: params.texts('images') }),
    ...(params.has('active') && { active: params.flag('active') ?? product.active }),
    metadata: params.metadata(product.metadata),
    updated: store.now(),
  });
}

export function createPrice(store: Store, params: Params): StoredPrice {
  const currency = requireCurrency(params.text('currency'));
  const inline = params.object('product_data');
  const product = inline ? createProduct(store, inline).id : store.get('product', params.text('product'), 'product').id;
  const recurring = params.object('recurring');
  const amount = params.whole('unit_amount');
  if (amount === undefined || amount < 0)
    throw invalidRequest('Missing required param: unit_amount.', { code: 'parameter_missing', param: 'unit_amount' });
  const lookupKey = params.optional('lookup_key') ?? null;
  if (lookupKey !== null && store.all('price').some((price) => price.lookup_key === lookupKey && price.active))
    throw invalidRequest('A price already uses that lookup key.', { param: 'lookup_key' });
  const price: StoredPrice = {
    id: store.newId('price'),
    object: 'price',
    active: params.flag('active') ?? true,
    billing_scheme: 'per_unit',
    created: store.now(),
    currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: lookupKey,
    metadata: params.metadata(),
    nickname: params.optional('nickname') ?? null,
    product,
    recurring: recurring ? recurrence(recurring) : null,
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: recurring ? 'recurring' : 'one_time',
    unit_amount: amount,
    unit_amount_decimal: String(amount),
  };
  store.keep(price);
  store.emit('price.created', price);
  return price;
}

function recurrence(params: Params): Stripe.Price.Recurring {
  const interval = params.oneOf('interval', ['day', 'week', 'month', 'year']);
  if (interval === undefined)
    throw invalidRequest('Missing required param: recurring[interval].', {
      code: 'parameter_missing',
      param: 'recurring[interval]',
    });
  return {
    interval,
    interval_count: params.whole('interval_count') ?? 1,
    meter: null,
    trial_period_days: null,
    usage_type: 'licensed',
  };
}

/** An amount is never edited: https://docs.stripe.com/api/prices/update */
export function updatePrice(store: Store, id: string, params: Params): StoredPrice {
  const price = store.get('price', id);
  return store.change('price.updated', price, {
    ...(params.has('active') && { active: params.flag('active') ?? price.active }),
    ...(params.has('nickname') && { nickname: params.optional('nickname') ?? null }),
    metadata: params.metadata(price.metadata),
  });
}

export function requireCurrency(currency: string): string {
  if (!/^[a-z]{3}$/.test(currency)) throw invalidRequest(`Invalid currency: ${currency}.`, { param: 'currency' });
  return currency;
}

/** A price that may be sold now. */
export function sellable(store: Store, id: string, param: string): StoredPrice {
  const price = store.get('price', id, param);
  if (!price.active) throw invalidRequest(`The price specified is inactive: ${id}.`, { param });
  if (!store.get('product', String(price.product)).active)
    throw invalidRequest(`The product of the price specified is inactive: ${id}.`, { param });
  return price;
}
