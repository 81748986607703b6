import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import type { LineQuery, LogStore, StoredLine } from '../../core/log-store.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import type { AuditEventRow } from '../audit/audit.table.js';
import { findAuditEventsOfRequest } from '../audit/audit-log.service.js';
import type { CreditTransactionRow } from '../credits/credits.table.js';
import { findTransactionsOfRequest } from '../credits/request-trace.service.js';
import type { OutboxEmailRow } from '../mail/mail.table.js';
import { findLettersOfRequest } from '../mail/request-trace.service.js';

const LEVELS = { TRACE: 10, DEBUG: 20, INFO: 30, WARN: 40, ERROR: 50, FATAL: 60 } as const;

export interface LogFilter {
  /** This level or a graver one. */
  level?: keyof typeof LEVELS | null | undefined;
  from?: Date | null | undefined;
  to?: Date | null | undefined;
  requestId?: string | null | undefined;
  text?: string | null | undefined;
}

const LONGEST_TEXT = 200;
const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

/** What this instance logged, newest first. @throws BAD_USER_INPUT, CONFLICT without a log store, RETRY_LATER */
export async function logs(app: App, listing: PageArguments & { filter: LogFilter }): Promise<Connection<StoredLine>> {
  const page = readPage(listing, ['integer', 'integer']);
  const query = queryOf(listing.filter);
  const store = requireStore(app);
  const rows = await askStore(() => store.find({ ...query, after: page.after }, page.limit + 1));
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.time, row.id],
    count: () => askStore(() => store.count(query)),
  });
}

export interface RequestTrace {
  requestId: string;
  lines: StoredLine[];
  auditEvents: AuditEventRow[];
  creditTransactions: CreditTransactionRow[];
  letters: OutboxEmailRow[];
}

const MOST_LINES = 500;
/** No request runs for longer; clocks of instances may differ by as much. */
const AROUND_MS = 60_000;
const HOUR = 3_600_000;

/**
 * What one request did: this instance's log lines, audit rows, movements of credits, letters. Leaves an audit row.
 * Movements are looked for around the first and last of the rest, or within the last hour when there is nothing else.
 *
 * @throws BAD_USER_INPUT, RETRY_LATER
 */
export async function requestTrace(app: App, options: { requestId: string; actor: Actor }): Promise<RequestTrace> {
  const { requestId, actor } = options;
  if (!REQUEST_ID.test(requestId)) throw badInput({ requestId: 'must be the id of a request' });
  const { store } = app.logSinks;
  const lines = store ? await askStore(() => store.find({ requestId }, MOST_LINES)) : [];
  return transact(app, async (app) => {
    const auditEvents = await findAuditEventsOfRequest(app, requestId);
    const letters = await findLettersOfRequest(app, requestId);
    const times = [
      ...lines.map(({ time }) => time),
      ...auditEvents.map(({ occurredAt }) => occurredAt.getTime()),
      ...letters.map(({ createdAt }) => createdAt.getTime()),
    ];
    if (times.length === 0) times.push(app.now().getTime() - HOUR, app.now().getTime());
    const from = new Date(Math.min(...times) - AROUND_MS);
    const to = new Date(Math.max(...times) + AROUND_MS);
    const creditTransactions = await findTransactionsOfRequest(app, { requestId, from, to });
    await recordAudit(app, { actor, action: 'request.traced', target: { kind: 'request', id: requestId } });
    return { requestId, lines: lines.reverse(), auditEvents, creditTransactions, letters };
  });
}

function queryOf({ level, from, to, requestId, text }: LogFilter): LineQuery {
  if (from != null && to != null && from >= to) throw badInput({ 'filter.to': 'must be after from' });
  if (requestId != null && !REQUEST_ID.test(requestId))
    throw badInput({ 'filter.requestId': 'must be the id of a request' });
  if (text != null && (text.length < 1 || text.length > LONGEST_TEXT))
    throw badInput({ 'filter.text': `must have 1 to ${LONGEST_TEXT} characters` });
  return {
    level: level == null ? undefined : LEVELS[level],
    from: from?.getTime(),
    to: to?.getTime(),
    requestId: requestId ?? undefined,
    text: text ?? undefined,
  };
}

function requireStore(app: App): LogStore {
  const { store } = app.logSinks;
  if (!store) throw new AppError('CONFLICT', { message: 'This instance keeps no log lines: see LOG_STORE.' });
  return store;
}

/** The store is a file that may be locked, damaged or slow; none of it is our caller's fault. */
async function askStore<T>(ask: () => Promise<T>): Promise<T> {
  return ask().catch(() => {
    throw new AppError('RETRY_LATER', { message: 'The log store cannot be read now.', retryAfterSeconds: 5 });
  });
}
