import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { requireId } from '../../core/input.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { countDeliveries, type DeliveryFilter, findDeliveries, retryDelivery } from '../mail/deliveries.service.js';
import type { OutboxEmailRow } from '../mail/mail.table.js';
import { requireKind } from './templates.service.js';

interface Filter {
  status?: OutboxEmailRow['status'] | null | undefined;
  kind?: string | null | undefined;
  userId?: string | null | undefined;
}

/**
 * What became of the letters of the last 30 days, newest first. They tell who was written to and why, so each look is
 * recorded in the transaction that reads: one row a page, with the filter (decision 0005).
 *
 * @throws BAD_USER_INPUT
 */
export async function emailDeliveries(
  app: App,
  options: PageArguments & { filter: Filter; actor: Actor },
): Promise<Connection<OutboxEmailRow>> {
  const { actor, filter: asked } = options;
  const page = readPage(options, ['id']);
  const filter: DeliveryFilter = {
    status: asked.status ?? null,
    kind: asked.kind == null ? null : requireKind(asked.kind, 'filter.kind'),
    userId: asked.userId == null ? null : requireId(asked.userId, 'filter.userId'),
  };
  const rows = await transact(app, async (app) => {
    const [after] = page.after ?? [];
    const found = await findDeliveries(app, { filter, after, limit: page.limit + 1 });
    const isFirstPage = after === undefined;
    await recordAudit(app, { actor, action: 'email_deliveries.listed', after: { ...filter, isFirstPage } });
    return found;
  });
  return toConnection(rows, { page, keyOf: ({ id }) => [id], count: () => countDeliveries(app, filter) });
}

/**
 * Tries a waiting letter again at once, after the mail server was mended.
 *
 * @throws BAD_USER_INPUT; NOT_FOUND; CONFLICT when it was sent or given up
 */
export async function retryEmailDelivery(app: App, options: { id: string; actor: Actor }): Promise<OutboxEmailRow> {
  const { actor } = options;
  const id = requireId(options.id);
  return transact(app, async (app) => {
    const row = await retryDelivery(app, id);
    const target = { kind: 'email', id };
    await recordAudit(app, { actor, action: 'email.retried', target, after: { kind: row.kind } });
    return row;
  });
}
