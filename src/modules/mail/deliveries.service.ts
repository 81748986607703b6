import { and, desc, eq, gt, lt, sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import type { LetterKind } from './letter-texts.js';
import { type OutboxEmailRow, outboxEmails } from './mail.table.js';
import { LEASE, MAIL_CHANNEL } from './outbox.service.js';

export interface DeliveryFilter {
  status: OutboxEmailRow['status'] | null;
  kind: LetterKind | null;
  userId: string | null;
}

const matching = ({ status, kind, userId }: DeliveryFilter) =>
  and(
    status === null ? undefined : eq(outboxEmails.status, status),
    kind === null ? undefined : eq(outboxEmails.kind, kind),
    userId === null ? undefined : eq(outboxEmails.userId, userId),
  );

/** Newest first: by id, which is made in the order of time (RFC 9562, 5.7). */
export async function findDeliveries(
  app: App,
  options: { filter: DeliveryFilter; after: string | undefined; limit: number },
): Promise<OutboxEmailRow[]> {
  const { filter, after, limit } = options;
  return app.db
    .select()
    .from(outboxEmails)
    .where(and(matching(filter), after === undefined ? undefined : lt(outboxEmails.id, after)))
    .orderBy(desc(outboxEmails.id))
    .limit(limit);
}

export async function countDeliveries(app: App, filter: DeliveryFilter): Promise<number> {
  return app.db.$count(outboxEmails, matching(filter));
}

/**
 * Makes a waiting letter due now, inside the caller's transaction. One that is due within a minute is left as it is: a
 * sender may have it in hand, and a second one would double it.
 *
 * @throws NOT_FOUND, CONFLICT when it was sent or given up
 */
export async function retryDelivery(app: App, id: string): Promise<OutboxEmailRow> {
  const [row] = await app.db.select().from(outboxEmails).where(eq(outboxEmails.id, id)).for('update');
  if (found(row).status !== 'QUEUED')
    throw new AppError('CONFLICT', {
      message: 'It was sent or given up, and its words are no longer kept. Have it written anew by what caused it.',
    });
  const now = app.now();
  const [due] = await app.db
    .update(outboxEmails)
    .set({ nextAttemptAt: now })
    .where(and(eq(outboxEmails.id, id), gt(outboxEmails.nextAttemptAt, new Date(now.getTime() + LEASE))))
    .returning();
  await app.db.execute(sql`select pg_notify(${MAIL_CHANNEL}, '')`);
  return due ?? found(row);
}
