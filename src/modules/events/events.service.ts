// Invariants: an event is in the outbox if and only if the transaction of what happened was committed and somebody was
// there to be told; it costs one statement, and nothing is written while there is no receiver of its kind.
import { type SQL, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { isInTransaction } from '../../core/database.js';
import { type EventKind, outboxEvents, webhookEndpoints } from './events.table.js';

export interface EventToEmit {
  kind: EventKind;
  /** Whom it is about. */
  userId: string;
  /** Beside the user's id: ids, states and numbers. Never a name, an address or a free text. */
  data?: Record<string, unknown>;
}

/** Tells other systems what happened, as part of the caller's transaction: they hear of it if and only if it commits. */
export async function emitEvent(app: App, event: EventToEmit): Promise<void> {
  await emitEvents(app, [event]);
}

/** The same for many, in one statement. */
export async function emitEvents(app: App, events: readonly EventToEmit[]): Promise<void> {
  if (!isInTransaction(app)) throw new Error('An event is emitted in the transaction of what happened');
  if (events.length > 0) await app.db.execute(eventStatement(app, events));
}

/**
 * What `emitEvents` executes, for a path that cannot spare a round trip and has another statement to send it with
 * (`runTogether`).
 *
 * An endpoint that is off counts as a receiver: what it misses can be sent to it later (`redeliverWebhook`).
 */
export function eventStatement(app: App, events: readonly EventToEmit[]): SQL {
  const rows = events.map(({ kind, userId, data }) => ({
    id: newId(),
    kind,
    user_id: userId,
    data: { userId, ...data },
    occurred_at: app.now(),
  }));
  return sql`
    insert into ${outboxEvents} ("id", "kind", "user_id", "data", "occurred_at")
    select told.id, told.kind, told.user_id, told.data, told.occurred_at
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        as told (id uuid, kind text, user_id uuid, data jsonb, occurred_at timestamptz)
     where ${hasBus(app)}::boolean
        or exists (select from ${webhookEndpoints} e where e.kinds = '{}' or told.kind = any (e.kinds))`;
}

/** Whether a topic or a queue is set, which take every kind. */
export function hasBus(app: Pick<App, 'config'>): boolean {
  const { topicArn, queueUrl } = app.config.events;
  return topicArn !== undefined || queueUrl !== undefined;
}
