// Invariants: an entry that was accepted is committed, content sealed with the person's own key (V4); an entry that
// cannot be written never costs its neighbours. What is sealed here `message-lane` writes.
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { isUuid } from '../../core/input.js';
import { sha256 } from '../../core/secrets.js';
import { findSealingKeys, sealWith } from '../data-keys/data-keys.service.js';
import { laneOf, type Rejection, type SealedRow } from './message-lane.service.js';

export interface LoggedMessage {
  role: string;
  content: string;
}

/** One exchange with a model, as a service reports it. */
export interface MessageEntry {
  userId: string;
  conversationId?: string | null | undefined;
  model: string;
  messages: LoggedMessage[];
  inputTokens: number;
  outputTokens: number;
  /** Now, when absent. */
  occurredAt?: Date | null | undefined;
}

export interface LoggedBatch {
  accepted: number;
  rejected: Rejection[];
  /** Nothing was written now: this is the first answer again. */
  replayed: boolean;
}

const MOST_ENTRIES = 1_000;
const MOST_MESSAGES = 1_000;
const LONGEST_NAME = 255;
/** Clocks differ. */
const FUTURE_MS = 5 * 60_000;
const DAY_MS = 86_400_000;

/**
 * Logs up to 1,000 exchanges and answers after they are committed. A log records: it refuses nothing because of a limit
 * or a suspension, it only counts.
 *
 * @returns how many were written, and which were not and why: NOT_FOUND for who is unknown or was deleted
 * @throws BAD_USER_INPUT, IDEMPOTENCY_CONFLICT, RETRY_LATER
 */
export async function logMessages(
  app: App,
  options: { batch: MessageEntry[]; idempotencyKey?: string | null | undefined; actor: Actor },
): Promise<LoggedBatch> {
  const { batch, actor } = options;
  if (batch.length < 1 || batch.length > MOST_ENTRIES)
    throw badInput({ batch: `must have 1 to ${MOST_ENTRIES} entries` });
  const key = options.idempotencyKey ?? null;
  if (key !== null && (key.length < 1 || key.length > 255)) {
    throw badInput({ idempotencyKey: 'must have 1 to 255 characters' });
  }
  const now = app.now();
  const { rows, rejected } = await sealEntries(app, { batch, actor, now });
  const verdict = await laneOf(app).add({
    scope: `${actor.kind}:${actor.id ?? ''}:LOG_MESSAGES`,
    key,
    fingerprint: key === null ? '' : sha256(JSON.stringify(batch)),
    rows,
    rejected,
    now,
  });
  if (verdict.isConflict) throw new AppError('IDEMPOTENCY_CONFLICT');
  const { accepted, replayed } = verdict;
  return { accepted, rejected: verdict.rejected.sort((a, b) => a.index - b.index), replayed };
}

async function sealEntries(
  app: App,
  options: { batch: MessageEntry[]; actor: Actor; now: Date },
): Promise<{ rows: SealedRow[]; rejected: Rejection[] }> {
  const { batch, actor, now } = options;
  const oldest = now.getTime() - app.config.messages.retentionDays * DAY_MS;
  const fits = batch.map((entry) => isUuid(entry.userId) && isEntry(entry, { now: now.getTime(), oldest }));
  const people = new Set(batch.filter((_, index) => fits[index]).map(({ userId }) => userId.toLowerCase()));
  const keys = await findSealingKeys(app, [...people]);
  const rows: SealedRow[] = [];
  const rejected: Rejection[] = [];
  for (const [index, entry] of batch.entries()) {
    const key = keys.get(entry.userId.toLowerCase());
    if (!fits[index] || !key) {
      rejected.push({ index, code: fits[index] ? 'NOT_FOUND' : 'BAD_USER_INPUT' });
      continue;
    }
    const id = newId();
    const plain = JSON.stringify(entry.messages.map(({ role, content }) => ({ role, content })));
    rows.push({
      index,
      id,
      user_id: key.userId,
      service_id: actor.id,
      conversation_id: entry.conversationId,
      model: entry.model,
      sealed_content: sealWith(key, { plain, about: aboutEntry(id) }),
      input_tokens: entry.inputTokens,
      output_tokens: entry.outputTokens,
      message_count: entry.messages.length,
      occurred_at: entry.occurredAt ?? now,
    });
  }
  return { rows, rejected };
}

/** What ties a sealed text to its row. */
export const aboutEntry = (id: string) => `message_log:${id}`;

function isEntry(entry: MessageEntry, { now, oldest }: { now: number; oldest: number }): boolean {
  const { model, conversationId, messages, inputTokens, outputTokens } = entry;
  const time = entry.occurredAt?.getTime() ?? now;
  return (
    isName(model) &&
    (conversationId == null || isName(conversationId)) &&
    messages.length >= 1 &&
    messages.length <= MOST_MESSAGES &&
    messages.every(({ role }) => isName(role)) &&
    inputTokens >= 0 &&
    outputTokens >= 0 &&
    time <= now + FUTURE_MS &&
    time > oldest
  );
}

const isName = (text: string) => text.length >= 1 && text.length <= LONGEST_NAME;
