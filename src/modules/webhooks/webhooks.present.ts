import type { WebhookEndpointRow } from '../events/events.table.js';
import type { DeliveryWithEvent } from './delivery-log.service.js';
import type { WebhookDelivery, WebhookEndpoint } from './webhooks.types.js';

/** The row as the schema shows it: named columns only, no secret among them. */
export function toWebhookEndpoint(row: WebhookEndpointRow): WebhookEndpoint {
  const { id, url, kinds, description, disabledAt, disabledReason, failuresInARow, failingSince } = row;
  return {
    id,
    url,
    kinds,
    description,
    enabled: disabledAt === null,
    disabledAt,
    disabledReason,
    failuresInARow,
    failingSince,
    previousSecretEndsAt: row.previousSecretEndsAt,
    createdAt: row.createdAt,
  };
}

export function toWebhookDelivery({ delivery, event }: DeliveryWithEvent): WebhookDelivery {
  const { id, eventId, target, endpointId, status, attempts, nextAttemptAt, createdAt, sentAt } = delivery;
  return {
    id,
    eventId,
    kind: event.kind,
    target,
    endpointId,
    status,
    data: event.data,
    attempts,
    attemptLog: delivery.attemptLog.map((attempt) => ({ ...attempt, at: new Date(attempt.at) })),
    nextAttemptAt: status === 'QUEUED' ? nextAttemptAt : null,
    createdAt,
    sentAt,
  };
}
