import type { LoggedBatch } from './log-messages.service.js';
import type { OpenedEntry } from './message-logs.service.js';
import { type LogMessagesPayload, type MessageLog, MessageRejectionCode } from './messages.types.js';

/** The entry as the schema shows it: named columns only, nothing spread. */
export function toMessageLog(entry: OpenedEntry): MessageLog {
  return {
    id: entry.id,
    userId: entry.userId,
    conversationId: entry.conversationId,
    model: entry.model,
    messages: entry.messages,
    messageCount: entry.messageCount,
    inputTokens: entry.inputTokens,
    outputTokens: entry.outputTokens,
    occurredAt: entry.occurredAt,
  };
}

export function toLogMessagesPayload({ accepted, rejected, replayed }: LoggedBatch): LogMessagesPayload {
  const shown = rejected.map(({ index, code }) => ({ index, code: MessageRejectionCode[code] }));
  return { accepted, rejected: shown, replayed };
}
