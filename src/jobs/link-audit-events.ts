import type { App } from '../core/context.js';
import { linkAuditEvents } from '../modules/audit/chain.service.js';

const EVERY_MS = 2_000;

/** Chains new audit rows, every two seconds. Runs in every instance; one at a time does the work. */
export function startLinkAuditEvents(app: App): { stop(): Promise<void> } {
  let isStopped = false;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    try {
      while (!isStopped && (await linkAuditEvents(app)) > 0);
    } catch (error) {
      // The database is away or busy; rows wait in the queue, and the next round is soon.
      app.log.warn({ err: error }, 'audit rows could not be linked');
    }
  }

  const timer = setInterval(() => {
    running ??= run().finally(() => {
      running = undefined;
    });
  }, EVERY_MS);

  return {
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
