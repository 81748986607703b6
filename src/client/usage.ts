import type { CallOptions } from './attempts.js';
import type { Calls, Keyed } from './calls.js';

export interface UsageLimit {
  used: number;
  /** Null: no limit. */
  limit: number | null;
  remaining: number | null;
  /** The next midnight where the person is. */
  resetsAt: string;
}

/** What a person has used today. */
export interface Usage {
  conversations: UsageLimit;
  messages: UsageLimit;
}

export interface ConsumeConversationInput extends Keyed {
  userId: string;
}

export interface ConsumedConversation extends UsageLimit {
  /** False: the limit of today is reached, and nothing was counted. */
  allowed: boolean;
  replayed: boolean;
}

export interface MessageLogInput {
  userId: string;
  /** 1 to 255 characters. */
  model: string;
  /** 1 to 1,000. Each counts as one of the person's messages of the day. */
  messages: readonly { role: string; content: string }[];
  conversationId?: string | undefined;
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  /** Now, when left out; not in the future. */
  occurredAt?: string | Date | undefined;
}

export interface LogMessagesInput extends Keyed {
  /** 1 to 1,000 entries. */
  batch: readonly MessageLogInput[];
}

export interface LoggedMessages {
  /** Committed by now. */
  accepted: number;
  /** Those that were not written, by their place in the batch from 0; all others were. */
  rejected: { index: number; code: 'BAD_USER_INPUT' | 'NOT_FOUND' }[];
  replayed: boolean;
}

export interface UsageCalls {
  /** Scope `usage:read`. */
  usage(userId: string, options?: CallOptions): Promise<Usage>;
  /** Takes one conversation from today's limit, if there is one left. Scope `usage:write`. */
  consumeConversation(input: ConsumeConversationInput, options?: CallOptions): Promise<ConsumedConversation>;
  /** Records exchanges with models, and answers when they are committed. Scope `messages:write`. */
  logMessages(input: LogMessagesInput, options?: CallOptions): Promise<LoggedMessages>;
}

const LIMIT = '{ used limit remaining resetsAt }';
const USAGE = {
  name: 'usage',
  parameters: '($userId: ID!)',
  arguments: '(userId: $userId)',
  selection: `{ conversations ${LIMIT} messages ${LIMIT} }`,
};
const CONSUME_CONVERSATION = {
  name: 'consumeConversation',
  input: 'ConsumeConversationInput',
  selection: '{ allowed used limit remaining resetsAt replayed }',
};
const LOG_MESSAGES = {
  name: 'logMessages',
  input: 'LogMessagesInput',
  selection: '{ accepted rejected { index code } replayed }',
};

export function createUsageCalls(calls: Calls): UsageCalls {
  return {
    usage: (userId, options) => calls.query(USAGE, { userId }, options),
    consumeConversation: (input, options) => calls.keyed(CONSUME_CONVERSATION, input, options),
    logMessages: (input, options) => calls.keyed(LOG_MESSAGES, input, options),
  };
}
