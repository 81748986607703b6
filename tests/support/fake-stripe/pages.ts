import { GOOD_CARD } from './cards.ts';
import { completeSession, lineItems } from './checkout.ts';
import { Refusal } from './refusals.ts';
import type { Store } from './store.ts';

export interface Page {
  status: number;
  html?: string;
  location?: string;
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const frame = (title: string, body: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<style>body{font:16px/1.5 system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}
.note{color:#666}.wrong{color:#b00020}table{width:100%}td:last-child{text-align:right}</style>
<p class="note">Not Stripe: a stand-in that moves no money.</p><h1>${escapeHtml(title)}</h1>${body}</html>`;

const money = (amount: number, currency: string) =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).format(
    amount /
      10 ** (new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2),
  );

/** The page that a Checkout URL leads to: what is bought, a card, a button. */
export function checkoutPage(store: Store, id: string, problem = ''): Page {
  const session = store.find('checkout.session', id);
  if (!session) return { status: 404, html: frame('No such page', '') };
  if (session.status !== 'open') return { status: 200, html: frame(`This page is ${session.status}`, '') };
  const rows = lineItems(store, session)
    .map(
      (line) =>
        `<tr><td>${escapeHtml(line.description)} × ${line.quantity}<td>${money(line.amount_total, line.currency)}`,
    )
    .join('');
  const cancel = session.cancel_url === null ? '' : `<p><a href="${escapeHtml(session.cancel_url)}">Back</a>`;
  return {
    status: problem === '' ? 200 : 402,
    html: frame(
      'Checkout',
      `<table>${rows}</table><p class="wrong" role="alert">${escapeHtml(problem)}</p>
<form method="post"><p><label>Card number<br><input name="card" value="${GOOD_CARD}" inputmode="numeric" size="24"></label></p>
<button>Pay</button></form><p class="note">4242… pays, 4000 0000 0000 0002 is declined.</p>${cancel}`,
    ),
  };
}

/** The button was pressed. */
export function payOnPage(store: Store, id: string, card: string): Page {
  try {
    const session = completeSession(store, id, { card: card || GOOD_CARD });
    const success = session.success_url?.replaceAll('{CHECKOUT_SESSION_ID}', session.id);
    return success ? { status: 303, location: success } : { status: 200, html: frame('Paid', '') };
  } catch (error) {
    if (error instanceof Refusal) return checkoutPage(store, id, error.message);
    throw error;
  }
}

export function portalPage(store: Store, id: string): Page {
  const session = store.find('billing_portal.session', id);
  if (!session) return { status: 404, html: frame('No such page', '') };
  const rows = store
    .all('subscription')
    .filter((subscription) => subscription.customer === session.customer)
    .map((subscription) => `<li>${escapeHtml(subscription.id)}: ${escapeHtml(subscription.status)}`)
    .join('');
  const back = session.return_url === null ? '' : `<p><a href="${escapeHtml(session.return_url)}">Back</a>`;
  return { status: 200, html: frame('Billing', `<ul>${rows}</ul>${back}`) };
}
