import type { App } from '../core/context.js';
import { expireDueHolds } from '../modules/credits/holds.service.js';

const EVERY_MS = 15_000;
const ACCOUNTS_AT_ONCE = 500;

/**
 * Ends holds past their time, every 15 seconds. Nobody waits for it: movements and balances count a due hold as ended
 * already. Runs in every instance; they leave each other's accounts alone.
 */
export function startExpireHolds(app: App): { stop(): Promise<void> } {
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    try {
      let isDone = false;
      while (!isDone && !isStopped) ({ isDone } = await expireDueHolds(app, { limit: ACCOUNTS_AT_ONCE }));
    } catch (error) {
      // The database is away or busy; the next round is soon.
      app.log.warn({ err: error }, 'holds could not be expired');
    }
  }

  const timer = setInterval(() => {
    running = running.then(run);
  }, EVERY_MS);

  return {
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
