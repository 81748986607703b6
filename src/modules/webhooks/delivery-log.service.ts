import { and, desc, eq, gte, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import type { BusName } from '../../core/event-bus.js';
import { found, requireId } from '../../core/input.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import {
  type OutboxEventRow,
  outboxEvents,
  type WebhookDeliveryRow,
  type WebhookEndpointRow,
  webhookDeliveries,
  webhookEndpoints,
} from '../events/events.table.js';
import { LEASE } from './deliveries.service.js';

export interface DeliveryWithEvent {
  delivery: WebhookDeliveryRow;
  event: OutboxEventRow;
}

/** All that is given must fit. */
export interface DeliveryFilter {
  endpointId?: string | null | undefined;
  target?: WebhookDeliveryRow['target'] | null | undefined;
  status?: WebhookDeliveryRow['status'] | null | undefined;
  eventId?: string | null | undefined;
}

const optional = <T>(value: T | null | undefined, condition: (value: T) => SQL) =>
  value == null ? undefined : condition(value);

/** What was sent, or is to be, newest first. @throws BAD_USER_INPUT */
export async function listWebhookDeliveries(
  app: App,
  asked: PageArguments & { filter: DeliveryFilter },
): Promise<Connection<DeliveryWithEvent>> {
  const { endpointId, target, status, eventId } = asked.filter;
  const page = readPage(asked, ['time', 'id']);
  const where = and(
    optional(endpointId, (id) => eq(webhookDeliveries.endpointId, requireId(id, 'filter.endpointId'))),
    optional(target, (name) => eq(webhookDeliveries.target, name)),
    optional(status, (name) => eq(webhookDeliveries.status, name)),
    optional(eventId, (id) => eq(webhookDeliveries.eventId, requireId(id, 'filter.eventId'))),
  );
  const columns = { time: webhookDeliveries.createdAt, id: webhookDeliveries.id };
  const rows = await app.db
    .select({ delivery: webhookDeliveries, event: outboxEvents })
    .from(webhookDeliveries)
    .innerJoin(outboxEvents, eq(outboxEvents.id, webhookDeliveries.eventId))
    .where(and(where, olderThan(columns, page.after)))
    .orderBy(desc(columns.time), desc(columns.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: ({ delivery }) => [delivery.createdAt, delivery.id],
    count: () => app.db.$count(webhookDeliveries, where),
  });
}

interface Redelivery {
  deliveryId?: string | null | undefined;
  endpointId?: string | null | undefined;
  target?: BusName | null | undefined;
  since?: Date | null | undefined;
  actor: Actor;
}

/** A statement may take five seconds. */
const MOST_AT_ONCE = 10_000;

/**
 * Sends again: one delivery, whatever became of it, or all that one receiver did not get since a moment (what failed, and
 * what happened while an endpoint was off), up to 10,000 at a time. Receivers know them by their ids. Answers how many.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND; CONFLICT for a delivery that is being sent, or whose endpoint is off
 */
export async function redeliverWebhook(app: App, options: Redelivery): Promise<number> {
  const { deliveryId, endpointId, target, since, actor } = options;
  const named = [deliveryId, endpointId, target].filter((name) => name != null);
  if (named.length !== 1) throw badInput({ input: 'must hold one of deliveryId, endpointId and target' });
  if ((deliveryId == null) !== (since != null))
    throw badInput({ since: 'goes with endpointId and target, and must stand there' });
  return transact(app, async (app) => {
    const queued = deliveryId
      ? await requeueOne(app, requireId(deliveryId, 'deliveryId'))
      : await requeueSince(app, { endpointId, target, since: since ?? app.now() });
    const after = { deliveryId, endpointId, target, since: since?.toISOString(), queued };
    await recordAudit(app, { actor, action: 'webhook_delivery.redelivered', after });
    return queued;
  });
}

const again = (app: App) => ({ status: 'QUEUED', attempts: 0, nextAttemptAt: app.now(), sentAt: null }) as const;

async function requeueOne(app: App, id: string): Promise<number> {
  const [row] = await app.db.select().from(webhookDeliveries).where(eq(webhookDeliveries.id, id)).for('update');
  const delivery = found(row);
  if (delivery.endpointId) requireOn(await getEndpoint(app, delivery.endpointId));
  // Somebody has it, or will within the lease: a second sender beside that one would double it.
  const soon = new Date(app.now().getTime() + LEASE);
  if (delivery.status === 'QUEUED' && delivery.nextAttemptAt <= soon)
    throw new AppError('CONFLICT', { message: 'This delivery is being sent.' });
  await app.db.update(webhookDeliveries).set(again(app)).where(eq(webhookDeliveries.id, id));
  return 1;
}

async function getEndpoint(app: App, id: string): Promise<WebhookEndpointRow> {
  return found((await app.db.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, id)))[0]);
}

function requireOn({ disabledAt }: WebhookEndpointRow): void {
  if (disabledAt) throw new AppError('CONFLICT', { message: 'This endpoint is off: turn it on first.' });
}

interface Missed {
  endpointId?: string | null | undefined;
  target?: BusName | null | undefined;
  since: Date;
}

async function requeueSince(app: App, { endpointId, target, since }: Missed): Promise<number> {
  const endpoint = endpointId == null ? undefined : await getEndpoint(app, requireId(endpointId, 'endpointId'));
  if (endpoint) requireOn(endpoint);
  const isTheirs = endpoint
    ? eq(webhookDeliveries.endpointId, endpoint.id)
    : and(
        isNull(webhookDeliveries.endpointId),
        optional(target, (name) => eq(webhookDeliveries.target, name)),
      );
  const failed = app.db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(and(isTheirs, eq(webhookDeliveries.status, 'FAILED'), gte(webhookDeliveries.createdAt, since)))
    .limit(MOST_AT_ONCE)
    .for('update', { skipLocked: true });
  const requeued = await app.db
    .update(webhookDeliveries)
    .set(again(app))
    .where(sql`${webhookDeliveries.id} = any(array(${failed}))`)
    .returning({ id: webhookDeliveries.id });
  if (!endpoint) return requeued.length;
  return requeued.length + (await queueMissed(app, { endpoint, since, max: MOST_AT_ONCE - requeued.length }));
}

/** What was spread while the endpoint was off, or before it wanted the kind. */
async function queueMissed(
  app: App,
  options: { endpoint: WebhookEndpointRow; since: Date; max: number },
): Promise<number> {
  const { endpoint, since, max } = options;
  if (max <= 0) return 0;
  const wanted =
    endpoint.kinds.length === 0 ? undefined : or(...endpoint.kinds.map((kind) => eq(outboxEvents.kind, kind)));
  const delivered = sql`exists (select from ${webhookDeliveries} d where d.event_id = ${outboxEvents.id} and d.endpoint_id = ${endpoint.id})`;
  const missed = await app.db
    .select({ id: outboxEvents.id })
    .from(outboxEvents)
    .where(
      and(
        gte(outboxEvents.occurredAt, since),
        sql`${outboxEvents.spreadAt} is not null`,
        wanted,
        sql`not ${delivered}`,
      ),
    )
    .orderBy(outboxEvents.occurredAt)
    .limit(max);
  const now = app.now();
  const ids = JSON.stringify(missed.map(({ id }) => id));
  await app.db.execute(sql`
    insert into ${webhookDeliveries} ("id", "event_id", "target", "endpoint_id", "next_attempt_at", "created_at")
    select gen_random_uuid(), missed.id::uuid, 'WEBHOOK', ${endpoint.id}::uuid, ${now.toISOString()}::timestamptz, ${now.toISOString()}::timestamptz
      from jsonb_array_elements_text(${ids}::text::jsonb) as missed (id)
        on conflict do nothing`);
  return missed.length;
}

export interface EventsState {
  /** Deliveries that wait for their first or next attempt, and events that were not spread yet. */
  queued: number;
  /** Given up, and not forgotten yet. */
  failed: number;
  /** Of what waits for a first attempt. */
  oldestSeconds: number;
  /** Endpoints that went off by themselves. */
  disabledEndpoints: number;
}

/** How the events stand. Every count has an index of its own, which holds nothing else, but for the few endpoints. */
export async function readEventsState(app: App): Promise<EventsState> {
  const [unspread, queued, failed, oldestSeconds, disabledEndpoints] = await Promise.all([
    app.db.$count(outboxEvents, isNull(outboxEvents.spreadAt)),
    app.db.$count(webhookDeliveries, eq(webhookDeliveries.status, 'QUEUED')),
    app.db.$count(webhookDeliveries, eq(webhookDeliveries.status, 'FAILED')),
    oldestEventSeconds(app),
    app.db.$count(webhookEndpoints, inArray(webhookEndpoints.disabledReason, ['GONE', 'FAILURES'])),
  ]);
  return { queued: unspread + queued, failed, oldestSeconds, disabledEndpoints };
}

/**
 * Seconds since the oldest event happened that nobody has tried to deliver; 0 when there is none. What is tried again
 * does not count: that is its receiver's trouble, and what waits for an endpoint that is off is meant to wait.
 */
export async function oldestEventSeconds(app: App): Promise<number> {
  const [row] = await app.sql.query<{ oldest: Date | null }>(
    `select least(
       (select min(occurred_at) from outbox_events where spread_at is null),
       (select min(d.next_attempt_at) from webhook_deliveries d
         where d.status = 'QUEUED' and d.attempts = 0
           and not exists (select from webhook_endpoints e where e.id = d.endpoint_id and e.disabled_at is not null))
     ) as oldest`,
    [],
  );
  return row?.oldest ? Math.max(0, (app.now().getTime() - row.oldest.getTime()) / 1_000) : 0;
}

const DELETE_AT_ONCE = 5_000;

/** Forgets events past EVENT_RETENTION_DAYS with their deliveries. Answers how many. For a job. */
export async function deleteOldEvents(app: App): Promise<number> {
  const before = new Date(app.now().getTime() - app.config.events.retentionDays * 86_400_000);
  for (let deleted = 0; ; ) {
    const old = app.db
      .select({ id: outboxEvents.id })
      .from(outboxEvents)
      .where(lt(outboxEvents.occurredAt, before))
      .limit(DELETE_AT_ONCE);
    const gone = await app.db
      .delete(outboxEvents)
      .where(sql`${outboxEvents.id} = any(array(${old}))`)
      .returning({ id: outboxEvents.id });
    deleted += gone.length;
    if (gone.length < DELETE_AT_ONCE) return deleted;
  }
}
