// Invariants: an event is stored before anything is done about it, once and for ever (S6); it says only what to look at
// again, so that any number of deliveries in any order end in the same state (S7); it is DONE in the transaction of its
// effect; until then a job tries again, whatever Stripe does.
import { and, asc, eq, lte, min, sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { isDatabaseUnavailable, transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { PaymentsError, type Stripe } from '../../core/payments.js';
import { readCheckout } from './checkout-reads.service.js';
import { readCustomer } from './customer-reads.service.js';
import { readInvoice } from './invoice-reads.service.js';
import { type StripeEventRow, stripeEvents } from './payments.table.js';
import { readPaymentIntent } from './reversal-reads.service.js';
import { type Application, idOf, momentOf, UnfitError } from './stripe-reads.service.js';
import { readSubscription } from './subscription-reads.service.js';

type SubjectKind = NonNullable<StripeEventRow['subjectKind']>;

const READERS: Record<SubjectKind, (app: App, id: string) => Promise<Application>> = {
  CHECKOUT: readCheckout,
  INVOICE: readInvoice,
  SUBSCRIPTION: readSubscription,
  PAYMENT_INTENT: readPaymentIntent,
  CUSTOMER: readCustomer,
};

/** The events that are wanted of Stripe, and what each is about. Whatever else comes is stored and has no effect (S8). */
export const WANTED_EVENTS: Readonly<Record<string, SubjectKind>> = {
  'checkout.session.completed': 'CHECKOUT',
  'checkout.session.async_payment_succeeded': 'CHECKOUT',
  'checkout.session.async_payment_failed': 'CHECKOUT',
  'checkout.session.expired': 'CHECKOUT',
  'customer.subscription.created': 'SUBSCRIPTION',
  'customer.subscription.updated': 'SUBSCRIPTION',
  'customer.subscription.deleted': 'SUBSCRIPTION',
  'customer.subscription.paused': 'SUBSCRIPTION',
  'customer.subscription.resumed': 'SUBSCRIPTION',
  'invoice.finalized': 'INVOICE',
  'invoice.paid': 'INVOICE',
  'invoice.payment_succeeded': 'INVOICE',
  'invoice.payment_failed': 'INVOICE',
  'invoice.payment_action_required': 'INVOICE',
  'invoice.voided': 'INVOICE',
  'invoice.marked_uncollectible': 'INVOICE',
  'charge.refunded': 'PAYMENT_INTENT',
  'charge.refund.updated': 'PAYMENT_INTENT',
  'refund.created': 'PAYMENT_INTENT',
  'refund.updated': 'PAYMENT_INTENT',
  'refund.failed': 'PAYMENT_INTENT',
  'charge.dispute.created': 'PAYMENT_INTENT',
  'charge.dispute.updated': 'PAYMENT_INTENT',
  'charge.dispute.closed': 'PAYMENT_INTENT',
  'charge.dispute.funds_withdrawn': 'PAYMENT_INTENT',
  'charge.dispute.funds_reinstated': 'PAYMENT_INTENT',
  'customer.deleted': 'CUSTOMER',
};

/** Stripe takes twenty types at once. */
const WANTED_TYPES = [Object.keys(WANTED_EVENTS).slice(0, 20), Object.keys(WANTED_EVENTS).slice(20)];

const SECOND = 1_000;
/** So long the delivery itself has time, before the job takes the event up. */
const HEAD_START = 60 * SECOND;
const FIRST_PAUSE = 30 * SECOND;
const LONGEST_PAUSE = 3_600 * SECOND;
/** As long as Stripe itself goes on trying. */
const GIVE_UP_AFTER = 72 * 3_600 * SECOND;

/**
 * Stores an event that was believed, and applies it. Answers after the commit of its effect; what has no effect here,
 * or has had it already, is answered at once.
 *
 * @throws whatever kept it from being applied: it will be tried again, by Stripe and by ourselves
 */
export async function receiveStripeEvent(app: App, event: Stripe.Event): Promise<void> {
  const subject = subjectOf(event);
  const now = app.now();
  await app.db
    .insert(stripeEvents)
    .values({
      id: event.id,
      type: event.type.slice(0, 200),
      subjectKind: subject?.kind ?? null,
      subjectId: subject?.id ?? null,
      status: subject ? 'PENDING' : 'IGNORED',
      nextAttemptAt: new Date(now.getTime() + HEAD_START),
      occurredAt: momentOf(event.created) ?? now,
      receivedAt: now,
    })
    .onConflictDoNothing();
  const [row] = await app.db.select().from(stripeEvents).where(eq(stripeEvents.id, event.id));
  await applyStripeEvent(app, found(row));
}

/** Payloads come in the version of the endpoint, which may be another than ours: nothing but ids is read from them. */
function subjectOf({ type, data }: Stripe.Event): { kind: SubjectKind; id: string } | undefined {
  const kind = Object.hasOwn(WANTED_EVENTS, type) ? WANTED_EVENTS[type] : undefined;
  const object = data.object as { id?: unknown; payment_intent?: string | { id: string } | null };
  const id = kind === 'PAYMENT_INTENT' ? idOf(object.payment_intent) : object.id;
  return kind !== undefined && typeof id === 'string' && /^\w{1,255}$/.test(id) ? { kind, id } : undefined;
}

async function applyStripeEvent(app: App, event: StripeEventRow): Promise<void> {
  const { id, status, subjectKind, subjectId } = event;
  if (status !== 'PENDING' || subjectKind === null || subjectId === null) return;
  try {
    const application = await READERS[subjectKind](app, subjectId);
    await transact(app, async (app) => {
      // The same event twice at once: the second waits here, and finds it done.
      const [row] = await app.db.select().from(stripeEvents).where(eq(stripeEvents.id, id)).for('update');
      if (row?.status !== 'PENDING') return;
      const outcome = await application(app);
      const done =
        outcome === 'APPLIED' ? { status: 'DONE' as const, doneAt: app.now() } : { status: 'IGNORED' as const };
      await app.db
        .update(stripeEvents)
        .set({ ...done, lastError: null })
        .where(eq(stripeEvents.id, id));
    });
  } catch (error) {
    if (!(await noteFailure(app, { event, error }))) throw error;
  }
}

const codeOf = (error: unknown) =>
  error instanceof UnfitError || error instanceof AppError ? error.code : 'INTERNAL_SERVER_ERROR';

/** Answers whether trying again is of no use. */
async function noteFailure(app: App, { event, error }: { event: StripeEventRow; error: unknown }): Promise<boolean> {
  if (isDatabaseUnavailable(error)) return false;
  // What Stripe does not have any more cannot be looked at.
  const isGone = error instanceof PaymentsError && error.providerCode === 'resource_missing';
  const now = app.now().getTime();
  const isOver = error instanceof UnfitError || now - event.receivedAt.getTime() > GIVE_UP_AFTER;
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(event.attempts, 10));
  await app.db
    .update(stripeEvents)
    .set({
      status: isGone ? 'IGNORED' : isOver ? 'DEAD' : 'PENDING',
      attempts: sql`${stripeEvents.attempts} + 1`,
      nextAttemptAt: new Date(now + pause),
      lastError: codeOf(error),
    })
    .where(and(eq(stripeEvents.id, event.id), eq(stripeEvents.status, 'PENDING')));
  const about = { eventId: event.id, kind: event.type, code: codeOf(error) };
  if (isOver) {
    app.metrics.alarms.add('billing');
    app.log.error({ ...about, err: error }, 'AN EVENT OF STRIPE CANNOT BE APPLIED: ask for billingReconciliation');
  } else app.log.warn({ ...about, err: error }, 'an event of Stripe could not be applied and will be tried again');
  return isGone || isOver;
}

const AT_ONCE = 100;

/** Tries the events again that are due, the longest waiting first. For a job; answers how many are done with. */
export async function retryStripeEvents(app: App): Promise<number> {
  if (!app.payments) return 0;
  const due = await app.db
    .select()
    .from(stripeEvents)
    .where(and(eq(stripeEvents.status, 'PENDING'), lte(stripeEvents.nextAttemptAt, app.now())))
    .orderBy(asc(stripeEvents.nextAttemptAt))
    .limit(AT_ONCE);
  let done = 0;
  for (const event of due) {
    try {
      await applyStripeEvent(app, event);
      done += 1;
    } catch {
      // Noted already; the others have their turn.
    }
  }
  return done;
}

/** So long after it happened an event may still be on its way. */
const SETTLED_AFTER_MS = 300_000;
/** Longer than from one look to the next, should one be skipped. */
const LOOK_BACK_MS = 3 * 3_600_000;

/**
 * Asks Stripe for events that never arrived, because the address was wrong or the endpoint was off, and applies them as
 * if they had. For a job; answers how many were missing.
 */
export async function catchUpOnStripeEvents(app: App): Promise<number> {
  if (!app.payments) return 0;
  const now = app.now().getTime();
  const created = { gte: Math.floor((now - LOOK_BACK_MS) / SECOND), lt: Math.floor((now - SETTLED_AFTER_MS) / SECOND) };
  const events: Stripe.Event[] = [];
  for (const types of WANTED_TYPES) {
    const list = await app.payments.call((stripe) =>
      stripe.events.list({ created, types, limit: 100 }).autoPagingToArray({ limit: 10_000 }),
    );
    events.push(...list);
  }
  const known = await findKnown(app, events);
  const missing = events.filter(({ id }) => !known.has(id)).sort((a, b) => a.created - b.created);
  for (const event of missing) await receiveStripeEvent(app, event).catch(() => undefined);
  if (missing.length > 0) app.log.warn({ count: missing.length }, 'events of Stripe had not arrived and were fetched');
  return missing.length;
}

async function findKnown(app: App, events: readonly Stripe.Event[]): Promise<Set<string>> {
  const rows = await app.sql.query<{ id: string }>('select id from stripe_events where id = any($1::text[])', [
    events.map(({ id }) => id),
  ]);
  return new Set(rows.map(({ id }) => id));
}

export interface StripeEventsState {
  pending: number;
  /** Given up. */
  dead: number;
  /** How long the oldest that waits has waited; 0 when none does. */
  oldestSeconds: number;
}

/** How the events of Stripe stand. Both counts have an index of their own, which holds nothing else. */
export async function readStripeEventsState(app: App): Promise<StripeEventsState> {
  const isPending = eq(stripeEvents.status, 'PENDING');
  const [pending, dead, [row]] = await Promise.all([
    app.db.$count(stripeEvents, isPending),
    app.db.$count(stripeEvents, eq(stripeEvents.status, 'DEAD')),
    app.db
      .select({ oldest: min(stripeEvents.receivedAt) })
      .from(stripeEvents)
      .where(isPending),
  ]);
  const waited = row?.oldest ? app.now().getTime() - row.oldest.getTime() : 0;
  return { pending, dead, oldestSeconds: Math.max(0, waited / SECOND) };
}
