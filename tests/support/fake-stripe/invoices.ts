import type { Stripe } from 'stripe';
import { blankInvoice } from './blanks.ts';
import type { Decline } from './cards.ts';
import { charge, openPaymentIntent } from './charges.ts';
import { invalidRequest } from './refusals.ts';
import { idOf, listOf, type Store, type StoredPrice } from './store.ts';

export interface Line {
  amount: number;
  description: string;
  price: StoredPrice;
  quantity: number;
  period: { start: number; end: number };
  subscriptionItem: string;
  proration: boolean;
}

export interface Bill {
  subscription: Stripe.Subscription;
  lines: Line[];
  reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update';
}

function lineItem(
  store: Store,
  invoice: string,
  subscription: Stripe.Subscription,
  line: Line,
): Stripe.InvoiceLineItem {
  return {
    id: store.newId('il'),
    object: 'line_item',
    amount: line.amount,
    currency: line.price.currency,
    description: line.description,
    discount_amounts: [],
    discountable: !line.proration,
    discounts: [],
    invoice,
    livemode: false,
    metadata: subscription.metadata,
    parent: {
      type: 'subscription_item_details',
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: line.proration ? store.newId('ii') : null,
        proration: line.proration,
        proration_details: { credited_items: null },
        subscription: subscription.id,
        subscription_item: line.subscriptionItem,
      },
    },
    period: line.period,
    pretax_credit_amounts: [],
    pricing: {
      type: 'price_details',
      price_details: { price: line.price.id, product: String(line.price.product) },
      unit_amount_decimal: null,
    },
    quantity: line.quantity,
    quantity_decimal: null,
    subscription: subscription.id,
    subtotal: line.amount,
    taxes: [],
  };
}

/** Draft and final at once; Stripe leaves about an hour between the two when a subscription renews. */
export function openInvoice(store: Store, { subscription, lines, reason }: Bill): Stripe.Invoice {
  const id = store.newId('in');
  const customer = store.customer(idOf(subscription.customer) ?? '');
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  const starting = customer.balance;
  const due = Math.max(0, total + starting);
  const now = store.now();
  const invoice: Stripe.Invoice = {
    ...blankInvoice(),
    id,
    amount_due: due,
    amount_remaining: due,
    billing_reason: reason,
    created: now,
    currency: subscription.currency,
    customer: customer.id,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    lines: listOf(
      lines.map((line) => lineItem(store, id, subscription, line)),
      false,
      `/v1/invoices/${id}/lines`,
    ),
    metadata: {},
    parent: {
      type: 'subscription_details',
      quote_details: null,
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
    },
    period_end: now,
    period_start: now,
    starting_balance: starting,
    subtotal: total,
    subtotal_excluding_tax: total,
    total,
    total_excluding_tax: total,
  };
  store.keep(invoice);
  store.includable.set(id, {
    payments: () => listOf(paymentsOf(store, id)),
    confirmation_secret: () => {
      const secret = intentOf(store, id)?.client_secret;
      return secret ? { client_secret: secret, type: 'payment_intent' } : null;
    },
  });
  store.emit('invoice.created', invoice);
  return finalize(store, invoice, customer);
}

function finalize(store: Store, invoice: Stripe.Invoice, customer: Stripe.Customer): Stripe.Invoice {
  store.change(undefined, customer, {
    balance: Math.min(0, customer.balance + invoice.total),
    currency: invoice.currency,
  });
  if (invoice.amount_due > 0) {
    const intent = openPaymentIntent(store, {
      amount: invoice.amount_due,
      currency: invoice.currency,
      customer: customer.id,
      paymentMethod: null,
      description: 'Subscription',
    });
    keepPayment(store, invoice, intent);
  }
  store.change(undefined, invoice, {
    status: 'open',
    number: `FAKE-${invoice.id.slice(3, 9)}`,
    effective_at: store.now(),
    ending_balance: customer.balance,
    hosted_invoice_url: `https://invoice.stripe.example/i/${invoice.id}`,
    status_transitions: { ...invoice.status_transitions, finalized_at: store.now() },
  });
  store.emit('invoice.finalized', invoice);
  return invoice;
}

function keepPayment(store: Store, invoice: Stripe.Invoice, intent: Stripe.PaymentIntent): void {
  const payment: Stripe.InvoicePayment = {
    id: store.newId('inpay'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: intent.amount,
    created: store.now(),
    currency: intent.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: intent.id },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  };
  store.keep(payment);
}

export function paymentsOf(store: Store, invoiceId: string): Stripe.InvoicePayment[] {
  return store.all('invoice_payment').filter((payment) => payment.invoice === invoiceId);
}

function intentOf(store: Store, invoiceId: string): Stripe.PaymentIntent | undefined {
  const id = idOf(paymentsOf(store, invoiceId)[0]?.payment.payment_intent);
  return id === undefined ? undefined : store.find('payment_intent', id);
}

/** The invoice that a payment pays, if it pays one. */
export function invoiceOf(store: Store, intentId: string): Stripe.Invoice | undefined {
  const payment = store.all('invoice_payment').find((row) => row.payment.payment_intent === intentId);
  return payment && store.find('invoice', idOf(payment.invoice) ?? '');
}

/** Charges it now. The answer is undefined, or why the card did not pay; then the invoice stays open. */
export function attemptInvoice(
  store: Store,
  invoice: Stripe.Invoice,
  methodId: string | undefined,
): Decline | undefined {
  if (invoice.status !== 'open')
    throw invalidRequest(`Invoice is already ${invoice.status}`, { code: 'invoice_not_editable' });
  const intent = intentOf(store, invoice.id);
  if (intent && intent.status !== 'succeeded') {
    const decline = methodId === undefined ? { code: 'missing', declineCode: null } : charge(store, intent, methodId);
    store.change(undefined, invoice, { attempted: true, attempt_count: invoice.attempt_count + 1 });
    if (decline) {
      store.change(undefined, invoice, { next_payment_attempt: store.now() + 3 * 86_400 });
      store.emit('invoice.payment_failed', invoice);
      if (decline.code === 'authentication_required') store.emit('invoice.payment_action_required', invoice);
      return decline;
    }
  }
  markPaid(store, invoice);
  return undefined;
}

export function markPaid(store: Store, invoice: Stripe.Invoice): void {
  for (const payment of paymentsOf(store, invoice.id))
    store.change('invoice_payment.paid', payment, {
      status: 'paid',
      amount_paid: payment.amount_requested,
      status_transitions: { canceled_at: null, paid_at: store.now() },
    });
  store.change(undefined, invoice, {
    status: 'paid',
    attempted: true,
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    next_payment_attempt: null,
    status_transitions: { ...invoice.status_transitions, paid_at: store.now() },
  });
  store.emit('invoice.paid', invoice);
  store.emit('invoice.payment_succeeded', invoice);
}

export function voidInvoice(store: Store, invoice: Stripe.Invoice): Stripe.Invoice {
  if (invoice.status !== 'open')
    throw invalidRequest(`You can only pass in open invoices. This invoice isn't open.`, { param: 'invoice' });
  const intent = intentOf(store, invoice.id);
  if (intent) store.change('payment_intent.canceled', intent, { status: 'canceled', canceled_at: store.now() });
  store.change(undefined, invoice, {
    status: 'void',
    next_payment_attempt: null,
    status_transitions: { ...invoice.status_transitions, voided_at: store.now() },
  });
  store.emit('invoice.voided', invoice);
  return invoice;
}
