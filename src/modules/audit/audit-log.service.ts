import { and, desc, eq, gte, lt, type SQL } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { requireId } from '../../core/input.js';
import { readLagging } from '../../core/lagging.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from './audit.service.js';
import { type AuditEventRow, auditEvents } from './audit.table.js';

/** All that is given must fit. `from` is the first moment, `to` the first one that is too late. */
export interface AuditFilter {
  actorKind?: string | null | undefined;
  actorId?: string | null | undefined;
  action?: string | null | undefined;
  targetKind?: string | null | undefined;
  targetId?: string | null | undefined;
  userId?: string | null | undefined;
  from?: Date | null | undefined;
  to?: Date | null | undefined;
}

interface Listing extends PageArguments {
  filter: AuditFilter;
  actor: Actor;
}

/** Everything that was recorded, newest first. The look is a row itself, with what was searched for. @throws BAD_USER_INPUT */
export async function auditLog(app: App, listing: Listing): Promise<Connection<AuditEventRow>> {
  const { filter, first, after, actor } = listing;
  const page = readPage(listing, ['time', 'id']);
  const where = conditionOf(filter);
  const rows = await readLagging(app, (db) =>
    db
      .select()
      .from(auditEvents)
      .where(and(where, olderThan({ time: auditEvents.occurredAt, id: auditEvents.id }, page.after)))
      .orderBy(desc(auditEvents.occurredAt), desc(auditEvents.id))
      .limit(page.limit + 1),
  );
  await transact(app, (app) => recordAudit(app, { actor, action: 'audit.viewed', after: { filter, first, after } }));
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.occurredAt, row.id],
    count: () => readLagging(app, (db) => db.$count(auditEvents, where)),
  });
}

/** What one request did, oldest first. */
export async function findAuditEventsOfRequest(app: App, requestId: string): Promise<AuditEventRow[]> {
  return app.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.requestId, requestId))
    .orderBy(auditEvents.occurredAt, auditEvents.id)
    .limit(MOST_OF_A_REQUEST);
}

const MOST_OF_A_REQUEST = 500;
const LONGEST_TEXT = 200;

function conditionOf(filter: AuditFilter): SQL | undefined {
  const { actorKind, actorId, action, targetKind, targetId, userId, from, to } = filter;
  for (const [name, text] of Object.entries({ actorKind, action, targetKind, targetId })) {
    if (text != null && (text.length < 1 || text.length > LONGEST_TEXT))
      throw badInput({ [`filter.${name}`]: `must have 1 to ${LONGEST_TEXT} characters` });
  }
  if (from != null && to != null && from >= to) throw badInput({ 'filter.to': 'must be after from' });
  return and(
    actorKind == null ? undefined : eq(auditEvents.actorKind, actorKind),
    actorId == null ? undefined : eq(auditEvents.actorId, requireId(actorId, 'filter.actorId')),
    action == null ? undefined : eq(auditEvents.action, action),
    targetKind == null ? undefined : eq(auditEvents.targetKind, targetKind),
    targetId == null ? undefined : eq(auditEvents.targetId, targetId),
    userId == null ? undefined : eq(auditEvents.userId, requireId(userId, 'filter.userId')),
    from == null ? undefined : gte(auditEvents.occurredAt, from),
    to == null ? undefined : lt(auditEvents.occurredAt, to),
  );
}
