// Invariants: content is opened for the person it belongs to, and for staff who say why, in the transaction that records
// that they did; nobody else ever sees more than that there was an exchange (I4, V4).
import { and, desc, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import type { Actor, App, Viewer } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { requireId, requireReason } from '../../core/input.js';
import {
  type Connection,
  mapConnection,
  olderThan,
  type Page,
  type PageArguments,
  readPage,
  toConnection,
} from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { getUser } from '../auth/users.service.js';
import { type DataKey, findOpeningKeys, openWith } from '../data-keys/data-keys.service.js';
import { aboutEntry, type LoggedMessage } from './log-messages.service.js';
import { type MessageLogRow, messageLogs as table } from './messages.table.js';

export interface OpenedEntry extends MessageLogRow {
  /** Null when the content is not for whoever asks. */
  messages: LoggedMessage[] | null;
}

interface Filter {
  model?: string | null | undefined;
  from?: Date | null | undefined;
  to?: Date | null | undefined;
}

/**
 * What was logged of a person, newest first, for staff. Leaves an access record, with the reason, that the person sees.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function messageLogs(
  app: App,
  options: PageArguments & { filter: Filter & { userId: string }; reason: string; actor: Actor },
): Promise<Connection<OpenedEntry>> {
  const { filter, actor, first, after } = options;
  const userId = requireId(filter.userId, 'filter.userId');
  const reason = requireReason(options.reason);
  const page = readPage(options, ['time', 'id']);
  const { model, from, to } = filter;
  if (from && to && from >= to) throw badInput({ 'filter.from': 'must lie before filter.to' });
  const where = conditionOf(userId, { model, from, to });
  const { rows, keys } = await transact(app, async (app) => {
    await getUser(app, userId);
    const target = { kind: 'user', id: userId };
    const asked = { model, from: from?.toISOString(), to: to?.toISOString(), first, after };
    await recordAudit(app, { actor, action: 'user.messages_viewed', userId, target, after: asked, reason });
    return { rows: await readRows(app, { where, page }), keys: await findOpeningKeys(app, [userId]) };
  });
  return mapConnection(connect(app, { rows, where, page }), (row) => opened(row, keys.get(userId)));
}

/** The person's own log. Others who may see the list see no content: for that, `messageLogs` asks for a reason. */
export async function listMessages(
  app: App,
  options: { userId: string; viewer: Viewer; page: PageArguments },
): Promise<Connection<OpenedEntry>> {
  const { userId, viewer } = options;
  const page = readPage(options.page, ['time', 'id']);
  const where = conditionOf(userId, {});
  const rows = await readRows(app, { where, page });
  // Whoever acts in the person's name is not the person.
  const isOwner = viewer.kind === 'user' && viewer.id === userId && !viewer.impersonatedBy;
  const keys = isOwner ? await findOpeningKeys(app, [userId]) : undefined;
  return mapConnection(connect(app, { rows, where, page }), (row) => opened(row, keys?.get(userId)));
}

function conditionOf(userId: string, { model, from, to }: Filter): SQL | undefined {
  return and(
    eq(table.userId, userId),
    model == null ? undefined : eq(table.model, model),
    from == null ? undefined : gte(table.occurredAt, from),
    to == null ? undefined : lt(table.occurredAt, to),
  );
}

type TimePage = Page<readonly ['time', 'id']>;

function readRows(app: App, options: { where: SQL | undefined; page: TimePage }): Promise<MessageLogRow[]> {
  const { where, page } = options;
  return app.db
    .select()
    .from(table)
    .where(and(where, olderThan({ time: table.occurredAt, id: table.id }, page.after)))
    .orderBy(desc(table.occurredAt), desc(table.id))
    .limit(page.limit + 1);
}

function connect(
  app: App,
  options: { rows: MessageLogRow[]; where: SQL | undefined; page: TimePage },
): Connection<MessageLogRow> {
  const { rows, where, page } = options;
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.occurredAt, row.id],
    count: () => app.db.$count(table, where),
  });
}

/** The entry with its content, as far as the keys open it. */
export function opened(row: MessageLogRow, keys: readonly DataKey[] | undefined): OpenedEntry {
  const text = keys && openWith(keys, { sealed: row.sealedContent, about: aboutEntry(row.id) });
  return { ...row, messages: text === undefined ? null : (JSON.parse(text) as LoggedMessage[]) };
}

const AT_ONCE = 5_000;

/**
 * Deletes what was logged longer ago than messages are kept (MESSAGE_RETENTION_DAYS), in short transactions. For a job;
 * may run in several instances at once.
 *
 * @returns how many entries were deleted
 */
export async function purgeMessages(app: App): Promise<number> {
  const before = new Date(app.now().getTime() - app.config.messages.retentionDays * 86_400_000);
  let deleted = 0;
  for (;;) {
    const old = app.db
      .select({ id: table.id })
      .from(table)
      .where(lt(table.createdAt, before))
      .limit(AT_ONCE)
      .for('update', { skipLocked: true });
    // `any(array(…))` runs the query once; `in (…)` may run it again for each row.
    const rows = await app.db.delete(table).where(sql`${table.id} = any(array(${old}))`).returning({ id: table.id });
    deleted += rows.length;
    if (rows.length < AT_ONCE) return deleted;
  }
}
