// Invariants: what leaves is the same, byte for byte, at every attempt, and bears the event's id; no transaction is open
// while a receiver is waited for; log lines carry ids and codes, never what a receiver answered.
import { createHmac } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { BusError, type BusMessage, type BusName } from '../../core/event-bus.js';
import { OutboundError } from '../../core/outbound.js';
import {
  type DeliveryAttempt,
  type OutboxEventRow,
  type WebhookEndpointRow,
  webhookEndpoints,
} from '../events/events.table.js';
import { type Claimed, claimDeliveries, markFailed, markSent, type Receiver } from './deliveries.service.js';
import { noteFailure, noteSuccess } from './endpoint-health.service.js';
import { openSecret, secretBytes } from './webhook-secrets.js';

const BUS_BATCH = 10;

/** How a round went: nothing was due, or something was, and it was taken or not. */
export type Round = 'idle' | 'sent' | 'failed';

/** Takes what is due for one receiver (one delivery, or up to ten for a bus) and sends it. */
export async function sendRound(app: App, receiver: Receiver): Promise<Round> {
  if (receiver.target !== 'WEBHOOK') return sendToBus(app, receiver.target);
  const [endpoint] = await app.db.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, receiver.endpointId));
  if (!endpoint || endpoint.disabledAt) return 'idle';
  const [claimed] = await claimDeliveries(app, receiver, { max: 1 });
  return claimed ? postTo(app, { endpoint, claimed }) : 'idle';
}

/** What every receiver gets (Standard Webhooks, "Payload structure"). Its id is in the body for those without headers. */
export function payloadOf({ id, kind, occurredAt, data }: OutboxEventRow): string {
  return JSON.stringify({ id, type: kind, timestamp: occurredAt.toISOString(), data });
}

async function postTo(app: App, options: { endpoint: WebhookEndpointRow; claimed: Claimed }): Promise<Round> {
  const { endpoint, claimed } = options;
  const { delivery, event } = claimed;
  const body = payloadOf(event);
  const startedAt = app.now();
  const since = performance.now();
  const attemptOf = (statusCode: number | null, error: string | null): DeliveryAttempt => ({
    at: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - since),
    statusCode,
    error,
  });
  try {
    const headers = signedHeaders(app, { endpoint, id: event.id, body });
    const { statusCode, retryAfterSeconds } = await app.outbound.post(endpoint.url, { headers, body });
    if (statusCode >= 200 && statusCode < 300) {
      await markSent(app, delivery, attemptOf(statusCode, null));
      await noteSuccess(app, endpoint);
      return report(app, claimed, 'sent');
    }
    // 410: the receiver says that it is no more (RFC 9110, 15.5.11).
    const isGone = statusCode === 410;
    const attempt = attemptOf(statusCode, null);
    const outcome = await markFailed(app, { delivery, attempt, retryAfterSeconds, isFinal: isGone });
    await noteFailure(app, { endpoint, isGone });
    return report(app, claimed, outcome, { statusCode });
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    const outcome = await markFailed(app, { delivery, attempt: attemptOf(null, error.code) });
    await noteFailure(app, { endpoint, isGone: false });
    return report(app, claimed, outcome, { code: error.code });
  }
}

/**
 * Standard Webhooks: HMAC-SHA-256 over id, time and body. Two signatures while a secret takes over from another.
 * The time is that of the attempt, so that receivers can refuse what was recorded and played again.
 */
function signedHeaders(app: App, options: { endpoint: WebhookEndpointRow; id: string; body: string }) {
  const { endpoint, id, body } = options;
  const { sealedSecret, sealedPreviousSecret, previousSecretEndsAt } = endpoint;
  const now = app.now();
  const isOverlapping = previousSecretEndsAt !== null && previousSecretEndsAt > now;
  const sealed = [sealedSecret, ...(isOverlapping && sealedPreviousSecret ? [sealedPreviousSecret] : [])];
  const timestamp = String(Math.floor(now.getTime() / 1_000));
  const signatures = sealed.map((secret) => {
    const key = secretBytes(openSecret(app, { endpointId: endpoint.id, sealed: secret }));
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

async function sendToBus(app: App, name: BusName): Promise<Round> {
  const bus = app.eventBuses.get(name);
  const claimed = bus ? await claimDeliveries(app, { target: name, endpointId: null }, { max: BUS_BATCH }) : [];
  if (!bus || claimed.length === 0) return 'idle';
  const startedAt = app.now();
  const since = performance.now();
  const outcomes = await bus.send(claimed.map(({ event }) => toMessage(event))).catch((error: unknown) => {
    if (!(error instanceof BusError)) throw error;
    return claimed.map(() => error.code);
  });
  const durationMs = Math.round(performance.now() - since);
  const rounds: Round[] = [];
  for (const [index, one] of claimed.entries()) {
    const error = outcomes[index] ?? null;
    const attempt = { at: startedAt.toISOString(), durationMs, statusCode: null, error };
    if (error === null) {
      await markSent(app, one.delivery, attempt);
      rounds.push(report(app, one, 'sent'));
    } else {
      rounds.push(report(app, one, await markFailed(app, { delivery: one.delivery, attempt }), { code: error }));
    }
  }
  return rounds.includes('failed') ? 'failed' : 'sent';
}

function toMessage(event: OutboxEventRow): BusMessage {
  return { id: event.id, kind: event.kind, group: event.userId ?? event.kind, body: payloadOf(event) };
}

function report(app: App, { delivery, event }: Claimed, outcome: 'sent' | 'retry' | 'failed', why: object = {}): Round {
  const { id: deliveryId, target, endpointId, attempts: attempt } = delivery;
  const about = { deliveryId, eventId: event.id, kind: event.kind, target, endpointId, attempt, ...why };
  app.metrics.eventDeliveries.add(outcome === 'failed' ? 'dead' : outcome === 'retry' ? 'failed' : 'sent');
  if (outcome === 'failed') app.log.error(about, 'a delivery was given up');
  else if (outcome === 'retry') app.log.warn(about, 'an event could not be delivered and will be tried again');
  else app.log.debug(about, 'an event was delivered');
  return outcome === 'sent' ? 'sent' : 'failed';
}
