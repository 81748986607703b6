// Invariants: a secret is shown once, to who made it, and signs for nothing else than its endpoint; whatever changes
// where events go stands in the audit log, without the secret; deliveries go with their endpoint.
import { desc, eq, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { OVERLAP_MS } from '../../core/key-overlap.types.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { EVENT_KINDS, type EventKind, type WebhookEndpointRow, webhookEndpoints } from '../events/events.table.js';
import { makeSecret, sealSecret } from './webhook-secrets.js';

/** Each may hold four connections of each instance for five seconds. */
const MOST_ENDPOINTS = 50;
const LONGEST_DESCRIPTION = 200;

export interface EndpointWithSecret {
  endpoint: WebhookEndpointRow;
  /** In plain text, for this one answer. */
  secret: string;
}

function requireUrl(app: App, url: string): string {
  const problem = app.outbound.problemOf(url);
  if (problem !== undefined) throw badInput({ url: problem });
  return new URL(url).href;
}

function requireKinds(kinds: readonly string[]): EventKind[] {
  const known: readonly string[] = EVENT_KINDS;
  if (kinds.some((kind) => !known.includes(kind))) throw badInput({ kinds: `must be among ${EVENT_KINDS.join(', ')}` });
  return EVENT_KINDS.filter((kind) => kinds.includes(kind));
}

function requireDescription(description: string | null): string | null {
  if (description !== null && description.length > LONGEST_DESCRIPTION)
    throw badInput({ description: `must have at most ${LONGEST_DESCRIPTION} characters` });
  return description;
}

const targetOf = (id: string) => ({ kind: 'webhook_endpoint', id });

/** All endpoints, newest first. @throws BAD_USER_INPUT */
export async function listWebhookEndpoints(app: App, asked: PageArguments): Promise<Connection<WebhookEndpointRow>> {
  const page = readPage(asked, ['time', 'id']);
  const rows = await app.db
    .select()
    .from(webhookEndpoints)
    .where(olderThan({ time: webhookEndpoints.createdAt, id: webhookEndpoints.id }, page.after))
    .orderBy(desc(webhookEndpoints.createdAt), desc(webhookEndpoints.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => app.db.$count(webhookEndpoints),
  });
}

/**
 * A new endpoint with its secret. It is told of all that happens from the answer on.
 *
 * @throws BAD_USER_INPUT; LIMIT_REACHED at fifty
 */
export async function createWebhookEndpoint(
  app: App,
  options: { url: string; kinds: readonly string[]; description?: string | null | undefined; actor: Actor },
): Promise<EndpointWithSecret> {
  const { actor } = options;
  const id = newId();
  const url = requireUrl(app, options.url);
  const kinds = requireKinds(options.kinds);
  const description = requireDescription(options.description ?? null);
  const secret = makeSecret();
  return transact(app, async (app) => {
    // Counted one after the other, or two at once would both find room for the last.
    await app.db.execute(sql`select pg_advisory_xact_lock(hashtext('webhook-endpoints'))`);
    if ((await app.db.$count(webhookEndpoints)) >= MOST_ENDPOINTS)
      throw new AppError('LIMIT_REACHED', { message: `There can be at most ${MOST_ENDPOINTS} endpoints.` });
    const now = app.now();
    const sealedSecret = sealSecret(app, { endpointId: id, secret });
    const row = { id, url, kinds, description, sealedSecret, createdBy: actor.id, createdAt: now, updatedAt: now };
    const [endpoint] = await app.db.insert(webhookEndpoints).values(row).returning();
    const after = { url, kinds };
    await recordAudit(app, { actor, action: 'webhook_endpoint.created', target: targetOf(id), after });
    return { endpoint: found(endpoint), secret };
  });
}

interface EndpointChanges {
  endpointId: string;
  url?: string | null | undefined;
  kinds?: readonly string[] | null | undefined;
  /** Null clears it. */
  description?: string | null | undefined;
  enabled?: boolean | null | undefined;
  actor: Actor;
}

function readChanges(app: App, { url, kinds, description, enabled }: EndpointChanges) {
  const off = { disabledAt: app.now(), disabledReason: 'ADMIN' } as const;
  const on = { disabledAt: null, disabledReason: null, failuresInARow: 0, failingSince: null } as const;
  return {
    ...(url != null && { url: requireUrl(app, url) }),
    ...(kinds != null && { kinds: requireKinds(kinds) }),
    ...(description !== undefined && { description: requireDescription(description) }),
    ...(enabled != null && (enabled ? on : off)),
  };
}

const shown = ({ url, kinds, disabledAt }: WebhookEndpointRow) => ({ url, kinds, enabled: disabledAt === null });

/**
 * Changes an endpoint, or turns it off and on. What waits for one that is off goes out when it is on again; what
 * happens meanwhile can be sent to it then (`redeliverWebhook`).
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function updateWebhookEndpoint(app: App, options: EndpointChanges): Promise<WebhookEndpointRow> {
  const { actor } = options;
  const id = requireId(options.endpointId, 'endpointId');
  const changes = readChanges(app, options);
  if (Object.keys(changes).length === 0) throw badInput({ input: 'must hold a change' });
  return transact(app, async (app) => {
    const before = await lockEndpoint(app, id);
    const [row] = await app.db
      .update(webhookEndpoints)
      .set({ ...changes, updatedAt: app.now() })
      .where(eq(webhookEndpoints.id, id))
      .returning();
    const endpoint = found(row);
    await recordAudit(app, {
      actor,
      action: 'webhook_endpoint.updated',
      target: targetOf(id),
      before: shown(before),
      after: shown(endpoint),
    });
    return endpoint;
  });
}

async function lockEndpoint(app: App, id: string): Promise<WebhookEndpointRow> {
  const [row] = await app.db.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, id)).for('update');
  return found(row);
}

/** Takes an endpoint away, with its deliveries; answers it as it was. @throws BAD_USER_INPUT, NOT_FOUND */
export async function deleteWebhookEndpoint(
  app: App,
  options: { endpointId: string; actor: Actor },
): Promise<WebhookEndpointRow> {
  const { actor } = options;
  const id = requireId(options.endpointId, 'endpointId');
  return transact(app, async (app) => {
    const [row] = await app.db.delete(webhookEndpoints).where(eq(webhookEndpoints.id, id)).returning();
    const endpoint = found(row);
    const before = shown(endpoint);
    await recordAudit(app, { actor, action: 'webhook_endpoint.deleted', target: targetOf(id), before });
    return endpoint;
  });
}

/**
 * A new secret. Until the overlap ends everything is signed with the old one as well, so that the receiver can be
 * changed in between. A secret that was still in its overlap signs no more.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function rotateWebhookSecret(
  app: App,
  options: { endpointId: string; overlap: keyof typeof OVERLAP_MS; actor: Actor },
): Promise<EndpointWithSecret> {
  const { overlap, actor } = options;
  const id = requireId(options.endpointId, 'endpointId');
  const secret = makeSecret();
  return transact(app, async (app) => {
    const { sealedSecret } = await lockEndpoint(app, id);
    const now = app.now();
    const previous =
      overlap === 'NONE'
        ? { sealedPreviousSecret: null, previousSecretEndsAt: null }
        : {
            sealedPreviousSecret: sealedSecret,
            previousSecretEndsAt: new Date(now.getTime() + OVERLAP_MS[overlap]),
          };
    const [row] = await app.db
      .update(webhookEndpoints)
      .set({ sealedSecret: sealSecret(app, { endpointId: id, secret }), ...previous, updatedAt: now })
      .where(eq(webhookEndpoints.id, id))
      .returning();
    await recordAudit(app, {
      actor,
      action: 'webhook_endpoint.secret_rotated',
      target: targetOf(id),
      after: { overlap },
    });
    return { endpoint: found(row), secret };
  });
}
