// Invariants: each event becomes one delivery for every receiver there is when it is spread; a delivery ends SENT or
// FAILED; no two senders have one at the same time. Sending is at least once: a sender killed after the receiver said
// yes and before `markSent` sends again, under the same id.
import { and, asc, eq, inArray, isNull, lte, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import type { BusName } from '../../core/event-bus.js';
import {
  type DeliveryAttempt,
  type OutboxEventRow,
  outboxEvents,
  type WebhookDeliveryRow,
  webhookDeliveries,
  webhookEndpoints,
} from '../events/events.table.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Between one attempt and the next; ten attempts over about 75 hours (Standard Webhooks, "Retry schedule"). */
const PAUSES = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR)] as const;
/** Longer than an attempt can take (five seconds, see core/outbound), so that a living sender never loses its own. */
export const LEASE = 30 * SECOND;
const LONGEST_WAIT = 24 * HOUR;
const LOGGED_ATTEMPTS = 20;
/** PostgreSQL takes 65,535 parameters a statement. */
const ROWS_AT_ONCE = 1_000;

/** Somebody with a queue of their own, so that one who is slow or dead keeps nobody waiting. */
export type Receiver = { target: 'WEBHOOK'; endpointId: string } | { target: BusName; endpointId: null };

/** A delivery that this process has to itself for half a minute, and what it is about. */
export interface Claimed {
  delivery: WebhookDeliveryRow;
  event: OutboxEventRow;
}

/**
 * Makes the deliveries of up to `max` events, the oldest first; answers how many events that were. Several instances
 * share them out.
 */
export async function spreadEvents(app: App, { max }: { max: number }): Promise<number> {
  return transact(app, async (app) => {
    const events = await app.db
      .select({ id: outboxEvents.id, kind: outboxEvents.kind })
      .from(outboxEvents)
      .where(isNull(outboxEvents.spreadAt))
      .orderBy(asc(outboxEvents.occurredAt))
      .limit(max)
      .for('update', { skipLocked: true });
    if (events.length === 0) return 0;
    // Key share: an endpoint that is being deleted is waited for, or waits.
    const endpoints = await app.db
      .select({ id: webhookEndpoints.id, kinds: webhookEndpoints.kinds })
      .from(webhookEndpoints)
      .where(isNull(webhookEndpoints.disabledAt))
      .for('key share');
    const receivers = [...app.eventBuses.keys()].map((target) => ({ target, endpointId: null }));
    const rows = events.flatMap(({ id: eventId, kind }) => [
      ...receivers.map((receiver) => toRow(app, { eventId, ...receiver })),
      ...endpoints
        .filter(({ kinds }) => kinds.length === 0 || kinds.includes(kind))
        .map(({ id: endpointId }) => toRow(app, { eventId, target: 'WEBHOOK', endpointId })),
    ]);
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE)
      await app.db
        .insert(webhookDeliveries)
        .values(rows.slice(start, start + ROWS_AT_ONCE))
        .onConflictDoNothing();
    const ids = events.map(({ id }) => id);
    await app.db.update(outboxEvents).set({ spreadAt: app.now() }).where(inArray(outboxEvents.id, ids));
    return events.length;
  });
}

function toRow(app: App, of: Pick<WebhookDeliveryRow, 'eventId' | 'target' | 'endpointId'>) {
  const now = app.now();
  return { id: newId(), ...of, nextAttemptAt: now, createdAt: now };
}

/** One look for work, cheap enough for every second: indexes that hold nothing but what waits. */
const LOOK = `
  select exists (select from outbox_events where spread_at is null) as "isUnspread",
         array(select e.id::text from webhook_endpoints e
                where e.disabled_at is null
                  and exists (select from webhook_deliveries d
                               where d.endpoint_id = e.id and d.status = 'QUEUED' and d.next_attempt_at <= $1::timestamptz)
              ) as "endpointIds",
         array(select target from unnest($2::text[]) target
                where exists (select from webhook_deliveries d
                               where d.target = target and d.endpoint_id is null and d.status = 'QUEUED'
                                 and d.next_attempt_at <= $1::timestamptz)
              ) as "busNames"`;

interface Look {
  isUnspread: boolean;
  endpointIds: string[];
  busNames: BusName[];
}

/** Whether events wait to be spread, and for whom something is due. */
export async function lookForWork(app: App): Promise<{ isUnspread: boolean; receivers: Receiver[] }> {
  const [look] = await app.sql.query<Look>(LOOK, [app.now(), [...app.eventBuses.keys()]]);
  if (!look) throw new Error('The outbox of events was not read');
  const { isUnspread, endpointIds, busNames } = look;
  return {
    isUnspread,
    receivers: [
      ...endpointIds.map((endpointId) => ({ target: 'WEBHOOK', endpointId }) as const),
      ...busNames.map((target) => ({ target, endpointId: null })),
    ],
  };
}

/** Takes up to `max` deliveries that are due, the longest waiting first, for half a minute. */
export async function claimDeliveries(app: App, receiver: Receiver, { max }: { max: number }): Promise<Claimed[]> {
  const now = app.now();
  const { target, endpointId } = receiver;
  const isTheirs = endpointId
    ? eq(webhookDeliveries.endpointId, endpointId)
    : and(eq(webhookDeliveries.target, target), isNull(webhookDeliveries.endpointId));
  const due = app.db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(and(isTheirs, eq(webhookDeliveries.status, 'QUEUED'), lte(webhookDeliveries.nextAttemptAt, now)))
    .orderBy(webhookDeliveries.nextAttemptAt)
    .limit(max)
    .for('update', { skipLocked: true });
  const deliveries = await app.db
    .update(webhookDeliveries)
    .set({ attempts: sql`${webhookDeliveries.attempts} + 1`, nextAttemptAt: new Date(now.getTime() + LEASE) })
    // `any(array(…))` runs the query once; `in (…)` may run it again for each row and take more than `max`.
    .where(sql`${webhookDeliveries.id} = any(array(${due}))`)
    .returning();
  if (deliveries.length === 0) return [];
  const ids = deliveries.map(({ eventId }) => eventId);
  const events = await app.db.select().from(outboxEvents).where(inArray(outboxEvents.id, ids));
  const eventOf = new Map(events.map((event) => [event.id, event]));
  return deliveries.flatMap((delivery) => {
    const event = eventOf.get(delivery.eventId);
    return event ? [{ delivery, event }] : [];
  });
}

/** The receiver took it. Also right when the lease ran out meanwhile: sent is sent. */
export async function markSent(app: App, delivery: WebhookDeliveryRow, attempt: DeliveryAttempt): Promise<void> {
  await app.db
    .update(webhookDeliveries)
    .set({ status: 'SENT', sentAt: app.now(), attemptLog: logged(delivery, attempt) })
    .where(and(eq(webhookDeliveries.id, delivery.id), eq(webhookDeliveries.status, 'QUEUED')));
}

interface Failure {
  delivery: WebhookDeliveryRow;
  attempt: DeliveryAttempt;
  /** What the receiver asked for; at most a day. */
  retryAfterSeconds?: number | undefined;
  /** It will never be taken. */
  isFinal?: boolean;
}

/**
 * It was not taken: due again after the pause of the schedule or the one the receiver asked for, whichever is longer;
 * FAILED after the tenth attempt. Does nothing when another sender has taken it since.
 */
export async function markFailed(app: App, failure: Failure): Promise<'retry' | 'failed'> {
  const { delivery, attempt, retryAfterSeconds = 0, isFinal = false } = failure;
  const pause = PAUSES[delivery.attempts - 1];
  const isOver = isFinal || pause === undefined;
  const asked = Math.min(LONGEST_WAIT, retryAfterSeconds * SECOND);
  // Spread out, so that all that failed together does not come back together.
  const wait = Math.max((pause ?? 0) * (0.9 + Math.random() / 5), asked);
  await app.db
    .update(webhookDeliveries)
    .set({
      attemptLog: logged(delivery, attempt),
      ...(isOver ? { status: 'FAILED' } : { nextAttemptAt: new Date(app.now().getTime() + wait) }),
    })
    .where(
      and(
        eq(webhookDeliveries.id, delivery.id),
        eq(webhookDeliveries.status, 'QUEUED'),
        // The number of the attempt is the fence: a sender that woke up late must not undo another's work.
        eq(webhookDeliveries.attempts, delivery.attempts),
      ),
    );
  return isOver ? 'failed' : 'retry';
}

const logged = ({ attemptLog }: WebhookDeliveryRow, attempt: DeliveryAttempt) =>
  [...attemptLog, attempt].slice(-LOGGED_ATTEMPTS);
