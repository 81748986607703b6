// Read-only, here and at Stripe: it says what differs and mends nothing. Events that were lost are mended by the job
// that fetches them; what is left on this list wants somebody to look.
import { and, asc, eq, inArray, ne } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { badInput } from '../../core/errors.js';
import type { Stripe } from '../../core/payments.js';
import { recordAudit } from '../audit/audit.service.js';
import {
  billingCustomers,
  billingOrders,
  type PaymentRow,
  paymentReversals,
  payments,
  stripeEvents,
  subscriptions,
} from './payments.table.js';
import { currencyOf, idOf, requirePayments } from './stripe-reads.service.js';

export type DifferenceKind =
  | 'PAYMENT_MISSING'
  | 'PAYMENT_DIFFERS'
  | 'REVERSAL_MISSING'
  | 'REVERSAL_DIFFERS'
  | 'SUBSCRIPTION_MISSING'
  | 'SUBSCRIPTION_DIFFERS'
  | 'SEVERAL_SUBSCRIPTIONS';

export interface Difference {
  kind: DifferenceKind;
  userId: string | null;
  stripeId: string;
  /** What stands here, and what Stripe says; null where there is nothing. */
  here: string | null;
  atStripe: string | null;
}

export interface Reconciliation {
  /** Nothing differs, no event is given up, and everything was looked at. */
  ok: boolean;
  checkedAt: Date;
  from: Date;
  to: Date;
  payments: number;
  reversals: number;
  subscriptions: number;
  /** Events that wait to be applied, and those that were given up. */
  pendingEvents: number;
  deadEvents: number;
  differences: Difference[];
  /** There was more than can be looked at: ask for a shorter time. */
  truncated: boolean;
}

const DAY_MS = 86_400_000;
const MOST_DAYS = 31;
const MOST = 2_000;
/** What has just happened may still be on its way. */
const SETTLED_AFTER_MS = 300_000;

/**
 * Compares with Stripe what was sold from `from` until before `to`, and every subscription that lasts.
 *
 * @throws BILLING_NOT_CONFIGURED; BAD_USER_INPUT when `to` is not after `from`, or more than 31 days; UPSTREAM_FAILED
 */
export async function billingReconciliation(
  app: App,
  options: { from?: Date | null | undefined; to?: Date | null | undefined; actor: Actor },
): Promise<Reconciliation> {
  requirePayments(app);
  const to = options.to ?? app.now();
  const from = options.from ?? new Date(to.getTime() - DAY_MS);
  if (from >= to) throw badInput({ to: 'must be after from' });
  if (to.getTime() - from.getTime() > MOST_DAYS * DAY_MS)
    throw badInput({ to: `must be at most ${MOST_DAYS} days after from` });
  if (from.getTime() < 0) throw badInput({ from: 'must not lie before 1970' });
  await recordAudit(app, { actor: options.actor, action: 'billing.reconciled', after: { from, to } });
  return reconcileBilling(app, { from, to });
}

export async function reconcileBilling(app: App, { from, to }: { from: Date; to: Date }): Promise<Reconciliation> {
  const checkedAt = app.now();
  const until = Math.min(to.getTime(), checkedAt.getTime() - SETTLED_AFTER_MS);
  const created = { gte: Math.floor(from.getTime() / 1_000), lt: Math.floor(until / 1_000) };
  const read = await readStripe(app, created);
  const differences = [
    ...(await comparePayments(app, read)),
    ...(await compareReversals(app, read)),
    ...(await compareSubscriptions(app, read)),
  ];
  const [pendingEvents, deadEvents] = await Promise.all([countEvents(app, 'PENDING'), countEvents(app, 'DEAD')]);
  const truncated = Object.values(read).some((list) => list.length >= MOST);
  return {
    ok: differences.length === 0 && deadEvents === 0 && !truncated,
    checkedAt,
    from,
    to,
    payments: read.sessions.length + read.invoices.length,
    reversals: read.refunds.length + read.disputes.length,
    subscriptions: read.subscriptions.length,
    pendingEvents,
    deadEvents,
    differences,
    truncated,
  };
}

interface Read {
  sessions: Stripe.Checkout.Session[];
  invoices: Stripe.Invoice[];
  refunds: Stripe.Refund[];
  disputes: Stripe.Dispute[];
  subscriptions: Stripe.Subscription[];
}

async function readStripe(app: App, created: { gte: number; lt: number }): Promise<Read> {
  const { call } = requirePayments(app);
  const all = { limit: MOST };
  const page = { created, limit: 100 };
  const [sessions, invoices, refunds, disputes, lasting] = await Promise.all([
    call((stripe) => stripe.checkout.sessions.list({ ...page, status: 'complete' }).autoPagingToArray(all)),
    call((stripe) => stripe.invoices.list({ ...page, status: 'paid' }).autoPagingToArray(all)),
    call((stripe) => stripe.refunds.list(page).autoPagingToArray(all)),
    call((stripe) => stripe.disputes.list(page).autoPagingToArray(all)),
    call((stripe) => stripe.subscriptions.list({ limit: 100 }).autoPagingToArray(all)),
  ]);
  return { sessions, invoices, refunds, disputes, subscriptions: lasting };
}

function countEvents(app: App, status: 'PENDING' | 'DEAD'): Promise<number> {
  return app.db.$count(stripeEvents, eq(stripeEvents.status, status));
}

/** What is sold by other programs of the same account is none of our business. */
async function ownersOf(app: App, customers: readonly (string | undefined)[]): Promise<Map<string, string>> {
  const ids = [...new Set(customers.filter((id) => id !== undefined))];
  if (ids.length === 0) return new Map();
  const rows = await app.db
    .select({ userId: billingCustomers.userId, id: billingCustomers.stripeCustomerId })
    .from(billingCustomers)
    .where(inArray(billingCustomers.stripeCustomerId, ids));
  return new Map(rows.map(({ id, userId }) => [id ?? '', userId]));
}

interface Expected {
  stripeId: string;
  userId: string;
  /** In one line, so that it can be compared and shown. */
  state: string;
}

const paymentState = (status: PaymentRow['status'], amountMinor: number, currency: string) =>
  `${status} ${amountMinor} ${currencyOf(currency)}`;

async function comparePayments(app: App, { sessions, invoices }: Read): Promise<Difference[]> {
  const bought = sessions.filter(({ mode, payment_status }) => mode === 'payment' && payment_status !== 'unpaid');
  const billed = invoices.filter(({ parent }) => parent?.subscription_details?.subscription);
  const owners = await ownersOf(
    app,
    [...bought, ...billed].map(({ customer }) => idOf(customer)),
  );
  const orders = await ownOrders(
    app,
    bought.map(({ id }) => id),
  );
  const expected: Expected[] = [
    ...bought
      .filter(({ id }) => orders.has(id))
      .map(({ id, amount_total, currency }) => ({
        stripeId: id,
        userId: orders.get(id) ?? '',
        state: paymentState('SUCCEEDED', amount_total ?? 0, currency ?? ''),
      })),
    ...billed
      .filter(({ customer }) => owners.has(idOf(customer) ?? ''))
      .map(({ id, customer, amount_paid, currency }) => ({
        stripeId: id,
        userId: owners.get(idOf(customer) ?? '') ?? '',
        state: paymentState('SUCCEEDED', amount_paid, currency),
      })),
  ];
  const rows = await inChunks(expected, (ids) => app.db.select().from(payments).where(inArray(payments.stripeId, ids)));
  const here = new Map(rows.map((row) => [row.stripeId, paymentState(row.status, row.amountMinor, row.currency)]));
  return compare(expected, here, 'PAYMENT');
}

async function ownOrders(app: App, sessions: readonly string[]): Promise<Map<string, string>> {
  const rows = await inChunks(
    sessions.map((stripeId) => ({ stripeId })),
    (ids) =>
      app.db
        .select({ stripeId: billingOrders.stripeId, userId: billingOrders.userId })
        .from(billingOrders)
        .where(and(inArray(billingOrders.stripeId, ids), eq(billingOrders.kind, 'CHECKOUT'))),
  );
  return new Map(rows.map(({ stripeId, userId }) => [stripeId ?? '', userId]));
}

async function compareReversals(app: App, { refunds, disputes }: Read): Promise<Difference[]> {
  const all = [...refunds, ...disputes].map(({ id, payment_intent, status, amount }) => ({
    id,
    intent: idOf(payment_intent) ?? '',
    state: `${status} ${amount}`,
  }));
  const paid = await inChunks(
    all.map(({ intent }) => ({ stripeId: intent })),
    (ids) => app.db.select().from(payments).where(inArray(payments.paymentIntentId, ids)),
  );
  const owners = new Map(paid.map(({ paymentIntentId, userId }) => [paymentIntentId ?? '', userId]));
  const expected = all
    .filter(({ intent }) => owners.has(intent))
    .map(({ id, intent, state }) => ({ stripeId: id, userId: owners.get(intent) ?? '', state }));
  const rows = await inChunks(expected, (ids) =>
    app.db.select().from(paymentReversals).where(inArray(paymentReversals.stripeId, ids)),
  );
  const here = new Map(rows.map((row) => [row.stripeId, `${row.stripeStatus} ${row.amountMinor}`]));
  return compare(expected, here, 'REVERSAL');
}

async function compareSubscriptions(app: App, read: Read): Promise<Difference[]> {
  const owners = await ownersOf(
    app,
    read.subscriptions.map(({ customer }) => idOf(customer)),
  );
  const expected = read.subscriptions
    .filter(({ customer }) => owners.has(idOf(customer) ?? ''))
    .map(({ id, customer, status, cancel_at_period_end: ending }) => ({
      stripeId: id,
      userId: owners.get(idOf(customer) ?? '') ?? '',
      state: subscriptionState(status, ending),
    }));
  // Those that last here, too: at Stripe they may be over by now, and on no list.
  const lasting = await app.db
    .select()
    .from(subscriptions)
    .where(and(ne(subscriptions.status, 'CANCELED'), ne(subscriptions.status, 'INCOMPLETE_EXPIRED')))
    .orderBy(asc(subscriptions.createdAt))
    .limit(MOST);
  const here = new Map(
    lasting.map((row) => [row.stripeSubscriptionId, subscriptionState(row.status, row.cancelAtPeriodEnd)]),
  );
  const listed = new Set(expected.map(({ stripeId }) => stripeId));
  const over = lasting
    .filter((row) => !listed.has(row.stripeSubscriptionId))
    .map((row) => ({
      kind: 'SUBSCRIPTION_DIFFERS' as const,
      userId: row.userId,
      stripeId: row.stripeSubscriptionId,
      here: subscriptionState(row.status, row.cancelAtPeriodEnd),
      atStripe: null,
    }));
  const several = [...Map.groupBy(expected, ({ userId }) => userId).values()].filter(({ length }) => length > 1);
  return [
    ...compare(expected, here, 'SUBSCRIPTION'),
    ...over,
    ...several.flat().map(({ userId, stripeId, state }) => ({
      kind: 'SEVERAL_SUBSCRIPTIONS' as const,
      userId,
      stripeId,
      here: here.get(stripeId) ?? null,
      atStripe: state,
    })),
  ];
}

const subscriptionState = (status: string, isEnding: boolean) => `${status.toUpperCase()}${isEnding ? ' ending' : ''}`;

function compare(
  expected: readonly Expected[],
  here: ReadonlyMap<string, string>,
  noun: 'PAYMENT' | 'REVERSAL' | 'SUBSCRIPTION',
): Difference[] {
  return expected
    .filter(({ stripeId, state }) => here.get(stripeId) !== state)
    .map(({ stripeId, userId, state }) => ({
      kind: here.has(stripeId) ? (`${noun}_DIFFERS` as const) : (`${noun}_MISSING` as const),
      userId,
      stripeId,
      here: here.get(stripeId) ?? null,
      atStripe: state,
    }));
}

const CHUNK = 500;

async function inChunks<Row>(
  items: readonly { stripeId: string }[],
  find: (ids: string[]) => Promise<Row[]>,
): Promise<Row[]> {
  const ids = [...new Set(items.map(({ stripeId }) => stripeId))];
  const rows: Row[] = [];
  for (let at = 0; at < ids.length; at += CHUNK) rows.push(...(await find(ids.slice(at, at + CHUNK))));
  return rows;
}
