// Invariants: an event is in the outbox if and only if the transaction of what happened was committed and somebody was
// there to be told; it costs one statement, and nothing is written while there is no receiver of its kind.
import { type SQL, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { isInTransaction } from '../../core/database.js';
import { type EventKind, outboxEvents, webhookEndpoints } from './events.table.js';

/** NOTIFY on this channel says that an event was written (a trigger does); it arrives with the commit. */
export const EVENTS_CHANNEL = 'credence_events';

export interface EventToEmit {
  kind: EventKind;
  /** Whom it is about. */
  userId: string;
  /** Beside the user's id: ids, states and numbers. Never a name, an address or a free text. */
  data?: Record<string, unknown>;
}

/** Tells other systems what happened, as part of the caller's transaction: they hear of it if and only if it commits. */
export async function emitEvent(app: App, event: EventToEmit): Promise<void> {
  if (!isInTransaction(app)) throw new Error('An event is emitted in the transaction of what happened');
  await app.db.execute(eventStatement(app, event));
}

/**
 * What `emitEvent` executes, for a path that cannot spare a round trip and has another statement to send it with: it
 * changes data, so it runs as a CTE that nothing refers to.
 *
 * An endpoint that is off counts as a receiver: what it misses can be sent to it later (`redeliverWebhook`).
 */
export function eventStatement(app: App, { kind, userId, data }: EventToEmit): SQL {
  const content = JSON.stringify({ userId, ...data });
  return sql`
    insert into ${outboxEvents} ("id", "kind", "user_id", "data", "occurred_at")
    select ${newId()}::uuid, ${kind}::text, ${userId}::uuid, ${content}::text::jsonb, ${app.now().toISOString()}::timestamptz
     where ${hasBus(app)}::boolean
        or exists (select from ${webhookEndpoints} e where e.kinds = '{}' or ${kind}::text = any (e.kinds))`;
}

/** Whether a topic or a queue is set, which take every kind. */
export function hasBus(app: Pick<App, 'config'>): boolean {
  const { topicArn, queueUrl } = app.config.events;
  return topicArn !== undefined || queueUrl !== undefined;
}
