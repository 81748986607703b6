import type { App } from '../core/context.js';
import { lookForWork, type Receiver, spreadEvents } from '../modules/webhooks/deliveries.service.js';
import { type Round, sendRound } from '../modules/webhooks/sending.service.js';

/** NOTIFY on this channel says that an event was written; it arrives with the commit. Movements of credits do not. */
const CHANNEL = 'credence_events';
const LOOK_EVERY_MS = 1_000;
const SPREAD_AT_ONCE = 200;
/** To one receiver at a time. */
const LANES = 4;
/** From here on a receiver counts as down: one lane, and pauses that double, so that a dead one costs next to nothing. */
const DOWN_AFTER = 5;
const LONGEST_PAUSE_MS = 60_000;

export interface EventSender {
  /** Looks for due events now. */
  kick(): void;
  /** Takes no more events and resolves when those under way are done. */
  stop(): Promise<void>;
}

/** What this process knows of one receiver. */
interface Line {
  readonly lanes: Set<Promise<void>>;
  failures: number;
  pausedUntil: number;
}

/**
 * Spreads events and delivers them in the background, to every receiver in a line of its own: one that is slow or dead
 * keeps no other waiting. Runs in every instance; each delivery is one's.
 */
export function startSendEvents(app: App): EventSender {
  const lines = new Map<string, Line>();
  let isStopped = false;
  let looking: Promise<void> | undefined;
  let looksAgain = false;

  async function look(): Promise<void> {
    try {
      for (looksAgain = true; looksAgain && !isStopped; ) {
        looksAgain = false;
        let { isUnspread, receivers } = await lookForWork(app);
        if (isUnspread) {
          while (!isStopped && (await spreadEvents(app, { max: SPREAD_AT_ONCE })) === SPREAD_AT_ONCE);
          ({ receivers } = await lookForWork(app));
        }
        for (const receiver of receivers) openLane(receiver);
      }
    } catch (error) {
      // The database is away; the next look may find it back.
      app.log.warn({ err: error }, 'the outbox of events cannot be reached');
    }
  }

  /** A wake-up during a look may be about what the look has passed by: it looks once more. */
  function kick(): void {
    looksAgain = true;
    if (isStopped || looking) return;
    looking = look().finally(() => {
      looking = undefined;
    });
  }

  function lineOf({ target, endpointId }: Receiver): Line {
    const key = endpointId ?? target;
    let line = lines.get(key);
    if (!line) {
      line = { lanes: new Set(), failures: 0, pausedUntil: 0 };
      lines.set(key, line);
    }
    return line;
  }

  function openLane(receiver: Receiver): void {
    const line = lineOf(receiver);
    const most = line.failures >= DOWN_AFTER ? 1 : LANES;
    if (isStopped || line.lanes.size >= most || performance.now() < line.pausedUntil) return;
    const lane = runLane(receiver, line).finally(() => line.lanes.delete(lane));
    line.lanes.add(lane);
  }

  async function runLane(receiver: Receiver, line: Line): Promise<void> {
    try {
      while (!isStopped && performance.now() >= line.pausedUntil) {
        const sending = sendRound(app, receiver);
        const round = await sending;
        if (round === 'idle') return;
        note(line, round);
        // There may be more: let another lane look as well.
        openLane(receiver);
      }
    } catch (error) {
      app.log.warn({ err: error }, 'events cannot be taken from the outbox');
    }
  }

  function note(line: Line, round: Round): void {
    line.failures = round === 'failed' ? line.failures + 1 : 0;
    const beyond = line.failures - DOWN_AFTER;
    line.pausedUntil = beyond < 0 ? 0 : performance.now() + Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** beyond);
  }

  const polling = setInterval(kick, LOOK_EVERY_MS);
  const listening = app.database
    .listen(CHANNEL, kick, (isLive) => isLive && kick())
    .catch((error: unknown) => app.log.warn({ err: error }, 'not listening for events; looking every second only'));
  kick();

  return {
    kick,
    async stop() {
      isStopped = true;
      clearInterval(polling);
      const unlisten = await listening;
      await looking;
      await Promise.all([...[...lines.values()].flatMap(({ lanes }) => [...lanes]), unlisten?.()]);
    },
  };
}

/** Spreads and sends everything that is due now, one after the other; answers how many rounds it took. For tests. */
export async function sendDueEvents(app: App): Promise<number> {
  while ((await spreadEvents(app, { max: SPREAD_AT_ONCE })) > 0);
  let rounds = 0;
  for (const receiver of (await lookForWork(app)).receivers)
    while ((await sendRound(app, receiver)) !== 'idle') rounds += 1;
  return rounds;
}
