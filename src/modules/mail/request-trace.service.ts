import { asc, eq } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { type OutboxEmailRow, outboxEmails } from './mail.table.js';

const MOST = 500;

/** The letters that one request caused, oldest first. */
export async function findLettersOfRequest(app: App, requestId: string): Promise<OutboxEmailRow[]> {
  return app.db
    .select()
    .from(outboxEmails)
    .where(eq(outboxEmails.requestId, requestId))
    .orderBy(asc(outboxEmails.createdAt), asc(outboxEmails.id))
    .limit(MOST);
}
