// Invariants: an endpoint goes off by itself when it says that it is gone, or when it has taken nothing for three days
// and ten attempts; its admins hear of it by mail, and it stands in the audit log, with the commit that turns it off.
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { type App, SYSTEM_ACTOR } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { listAdminsWith } from '../admin/admins.service.js';
import { recordAudit } from '../audit/audit.service.js';
import { type WebhookEndpointRow, webhookEndpoints } from '../events/events.table.js';
import { OPERATORS_READ } from '../mail/addressee.js';
import { queueLetter } from '../mail/outbox.service.js';

const DAY = 86_400_000;
/** A little less than the schedule of one delivery: an endpoint with little to do goes off with its tenth attempt. */
const PATIENCE_MS = 3 * DAY;
const PATIENCE_ATTEMPTS = 10;

/** It took something: what failed before counts no more. */
export async function noteSuccess(app: App, endpoint: WebhookEndpointRow): Promise<void> {
  // As it was when the attempt began; a failure meanwhile is wiped out by the next success.
  if (endpoint.failuresInARow === 0) return;
  await app.db
    .update(webhookEndpoints)
    .set({ failuresInARow: 0, failingSince: null })
    .where(and(eq(webhookEndpoints.id, endpoint.id), gt(webhookEndpoints.failuresInARow, 0)));
}

/** It did not take something. Turns the endpoint off when it is gone, or after a run of failures. */
export async function noteFailure(app: App, options: { endpoint: WebhookEndpointRow; isGone: boolean }): Promise<void> {
  const { endpoint, isGone } = options;
  const now = app.now();
  const [row] = await app.db
    .update(webhookEndpoints)
    .set({
      failuresInARow: sql`${webhookEndpoints.failuresInARow} + 1`,
      failingSince: sql`coalesce(${webhookEndpoints.failingSince}, ${sql.param(now, webhookEndpoints.failingSince)})`,
    })
    .where(eq(webhookEndpoints.id, endpoint.id))
    .returning();
  if (!row?.failingSince || row.disabledAt) return;
  const isHopeless =
    row.failuresInARow >= PATIENCE_ATTEMPTS && row.failingSince.getTime() <= now.getTime() - PATIENCE_MS;
  if (isGone || isHopeless) await turnOff(app, { endpoint: row, reason: isGone ? 'GONE' : 'FAILURES' });
}

async function turnOff(
  app: App,
  options: { endpoint: WebhookEndpointRow; reason: 'GONE' | 'FAILURES' },
): Promise<void> {
  const { endpoint, reason } = options;
  const { id, failuresInARow } = endpoint;
  await transact(app, async (app) => {
    const now = app.now();
    const [off] = await app.db
      .update(webhookEndpoints)
      .set({ disabledAt: now, disabledReason: reason, updatedAt: now })
      .where(and(eq(webhookEndpoints.id, id), isNull(webhookEndpoints.disabledAt)))
      .returning();
    // Another sender was quicker.
    if (!off) return;
    const target = { kind: 'webhook_endpoint', id };
    const after = { reason, failuresInARow };
    await recordAudit(app, { actor: SYSTEM_ACTOR, action: 'webhook_endpoint.disabled', target, after });
    for (const { username, email: to } of await listAdminsWith(app, 'webhooks:manage')) {
      const data = { username, host: new URL(off.url).host, when: now };
      await queueLetter(app, { ...OPERATORS_READ, to, kind: 'WEBHOOK_DISABLED', data });
    }
  });
  app.log.error({ endpointId: id, reason }, 'a webhook endpoint was turned off');
}
