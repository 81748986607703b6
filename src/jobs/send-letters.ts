import type { App } from '../core/context.js';
import type { OutboxEmailRow } from '../modules/mail/mail.table.js';
import {
  claimLetters,
  deleteOldLetters,
  MAIL_CHANNEL,
  markFailed,
  markSent,
  openLetter,
} from '../modules/mail/outbox.service.js';

const POLL_MS = 5_000;
const CLEAN_EVERY_MS = 3_600_000;
const LANES = 2;
/** Letters that a lane takes at once. Together no more than a mail server likes to see at a time. */
const TAKEN = 4;
/** Under load letters gather for so long before they are looked for again: together they cost a statement, not two each. */
const GATHER_MS = 250;

export interface LetterSender {
  /** Looks for due letters now. */
  kick(): void;
  /** Takes no more letters and resolves when those under way are done. */
  stop(): Promise<void>;
}

/**
 * Sends letters in the background, eight at a time at most: woken by the database when one is queued, and looking by itself
 * every five seconds (for retries, and in case a wake-up was missed). Runs in every instance; each letter is one's.
 */
export function startSendLetters(app: App): LetterSender {
  const lanes = new Set<Promise<void>>();
  let isStopped = false;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let gathering: NodeJS.Timeout | undefined;
  /** Letters came while all lanes were sending: the first that is done looks again. */
  let isMore = false;

  function kick(): void {
    const pause = lookedAt + GATHER_MS - performance.now();
    if (pause <= 0) openLane();
    else gathering ??= setTimeout(openLane, pause);
  }

  function openLane(): void {
    clearTimeout(gathering);
    gathering = undefined;
    isMore = lanes.size >= LANES;
    if (isStopped || isMore) return;
    const lane = runLane().finally(() => {
      lanes.delete(lane);
      if (isMore) openLane();
    });
    lanes.add(lane);
  }

  async function runLane(): Promise<void> {
    try {
      lookedAt = performance.now();
      const rows = await claimLetters(app, { max: TAKEN });
      // There may be more: let another lane look while this one sends.
      if (rows.length === TAKEN) openLane();
      const ends = await Promise.allSettled(rows.map((row) => sendLetter(app, row)));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    } catch (error) {
      // The database is away; the next look may find it back.
      app.log.warn({ err: error }, 'the outbox cannot be reached');
    }
  }

  const polling = setInterval(kick, POLL_MS);
  const cleaning = setInterval(() => {
    deleteOldLetters(app).catch((error) => app.log.warn({ err: error }, 'old letters cannot be deleted'));
  }, CLEAN_EVERY_MS);
  const listening = app.database
    .listen(MAIL_CHANNEL, kick, (isLive) => isLive && kick())
    .catch((error) => app.log.warn({ err: error }, 'not listening for letters; polling only'));
  kick();

  return {
    kick,
    async stop() {
      isStopped = true;
      clearTimeout(gathering);
      clearInterval(polling);
      clearInterval(cleaning);
      const unlisten = await listening;
      await Promise.all([...lanes, unlisten?.()]);
    },
  };
}

/** Sends every letter that is due now, one after the other, and answers how many were taken. For commands and tests. */
export async function sendDueLetters(app: App): Promise<number> {
  for (let sent = 0; ; sent += 1) {
    const [row] = await claimLetters(app, { max: 1 });
    if (!row) return sent;
    await sendLetter(app, row);
  }
}

/** No transaction is open while the mail server is waited for. Log lines carry ids and codes, never addresses or bodies. */
async function sendLetter(app: App, row: OutboxEmailRow): Promise<void> {
  if (app.tracing === undefined) return handOver(app, row);
  const attributes = {
    'credence.letter.kind': row.kind,
    'credence.attempt': row.attempts,
    // Of the request that caused it, which has a trace of its own.
    'credence.request.id': row.requestId ?? undefined,
  };
  return app.tracing.span('letter', { root: true, attributes }, () => handOver(app, row));
}

async function handOver(app: App, row: OutboxEmailRow): Promise<void> {
  const about = { letterId: row.id, kind: row.kind, attempt: row.attempts };
  try {
    await app.mailer.send(openLetter(app, row));
  } catch (error) {
    const outcome = await markFailed(app, { row, error });
    app.metrics.letters.add(outcome === 'dead' ? 'dead' : 'failed');
    if (outcome === 'dead') app.log.error({ ...about, err: error }, 'a letter was given up');
    else app.log.warn({ ...about, err: error }, 'a letter could not be sent and will be tried again');
    return;
  }
  await markSent(app, row);
  app.metrics.letters.add('sent');
  app.log.debug(about, 'a letter was sent');
}
