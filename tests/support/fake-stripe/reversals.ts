import type { Stripe } from 'stripe';
import type { Params } from './params.ts';
import { invalidRequest } from './refusals.ts';
import { idOf, type Store } from './store.ts';

function chargeOf(store: Store, params: Params): Stripe.Charge {
  const chargeId = params.optional('charge');
  if (chargeId !== undefined) return store.get('charge', chargeId, 'charge');
  const intent = store.get('payment_intent', params.text('payment_intent'), 'payment_intent');
  const latest = idOf(intent.latest_charge);
  if (latest === undefined)
    throw invalidRequest('This PaymentIntent does not have a successful charge to refund.', {
      param: 'payment_intent',
    });
  return store.get('charge', latest);
}

/** All that is left of a charge, or a part: https://docs.stripe.com/api/refunds */
export function createRefund(store: Store, params: Params): Stripe.Refund {
  const charge = chargeOf(store, params);
  const left = charge.amount - charge.amount_refunded;
  const amount = params.whole('amount') ?? left;
  if (charge.disputed) throw invalidRequest('This charge has been charged back.', { code: 'charge_disputed' });
  if (left === 0)
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' });
  if (amount < 1 || amount > left)
    throw invalidRequest(`Refund amount is greater than unrefunded amount on charge.`, { param: 'amount' });
  const refund: Stripe.Refund = {
    id: store.newId('re'),
    object: 'refund',
    amount,
    balance_transaction: store.newId('txn'),
    charge: charge.id,
    created: store.now(),
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    metadata: params.metadata(),
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    reason: params.oneOf('reason', ['duplicate', 'fraudulent', 'requested_by_customer']) ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  };
  store.keep(refund);
  store.emit('refund.created', refund);
  const refunded = charge.amount_refunded + amount;
  store.change('charge.refunded', charge, { amount_refunded: refunded, refunded: refunded === charge.amount });
  return refund;
}

/** The bank takes a refund back: https://docs.stripe.com/refunds#failed-refunds */
export function failRefund(store: Store, id: string): Stripe.Refund {
  const refund = store.get('refund', id);
  const charge = store.get('charge', idOf(refund.charge) ?? '');
  store.change('refund.updated', refund, { status: 'failed', failure_reason: 'expired_or_canceled_card' });
  store.emit('refund.failed', refund);
  store.change('charge.updated', charge, { amount_refunded: charge.amount_refunded - refund.amount, refunded: false });
  return refund;
}

/** Somebody asks their bank for the money back. */
export function openDispute(store: Store, chargeId: string, amount?: number): Stripe.Dispute {
  const charge = store.get('charge', chargeId);
  const dispute: Stripe.Dispute = {
    id: store.newId('du'),
    object: 'dispute',
    amount: amount ?? charge.amount,
    balance_transactions: [],
    charge: charge.id,
    created: store.now(),
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: {} as Stripe.Dispute.Evidence,
    evidence_details: {
      due_by: store.now() + 7 * 86_400,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'manual',
    },
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason: 'fraudulent',
    status: 'needs_response',
  };
  store.keep(dispute);
  store.change('charge.updated', charge, { disputed: true });
  store.emit('charge.dispute.created', dispute);
  store.emit('charge.dispute.funds_withdrawn', dispute);
  return dispute;
}

/** The bank's last word: https://docs.stripe.com/disputes/how-disputes-work */
export function closeDispute(store: Store, id: string, status: 'won' | 'lost' | 'warning_closed'): Stripe.Dispute {
  const dispute = store.get('dispute', id);
  if (['won', 'lost', 'warning_closed'].includes(dispute.status))
    throw invalidRequest('This dispute is already closed.', { code: 'dispute_already_closed' });
  store.change('charge.dispute.updated', dispute, { status });
  store.emit('charge.dispute.closed', dispute);
  if (status === 'won') store.emit('charge.dispute.funds_reinstated', dispute);
  return dispute;
}
