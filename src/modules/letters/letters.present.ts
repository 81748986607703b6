import { maskedEmail } from '../../core/viewer.js';
import type { OutboxEmailRow } from '../mail/mail.table.js';
import type { EmailDelivery } from './letters.types.js';

/** The row as the schema shows it: named columns only, nothing spread. */
export function toEmailDelivery(row: OutboxEmailRow): EmailDelivery {
  return {
    id: row.id,
    kind: row.kind,
    recipient: maskedEmail(row.recipient),
    locale: row.locale,
    userId: row.userId,
    status: row.status,
    attempts: row.attempts,
    lastError: row.lastError,
    nextAttemptAt: row.status === 'QUEUED' ? row.nextAttemptAt : null,
    requestId: row.requestId,
    createdAt: row.createdAt,
    sentAt: row.sentAt,
  };
}
