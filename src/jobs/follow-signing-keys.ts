import type { App } from '../core/context.js';
import { KEYS_CHANNEL, loadSigningKeys, RELOAD_SECONDS } from '../modules/auth/signing-keys.service.js';

const TICK_MS = 1_000;

/**
 * Keeps this instance's key set that of the database: on notification; once a minute all the same, for a key's time
 * runs out without anybody saying so; and once a second as long as notifications do not come through, for a key that
 * was withdrawn must not verify for a minute more.
 */
export function startFollowSigningKeys(app: App): { stop(): Promise<void> } {
  let isLive = false;
  let isStopped = false;
  let loadedAt = performance.now();
  let loading: Promise<void> | undefined;

  function reload(): void {
    if (isStopped) return;
    loadedAt = performance.now();
    const load = loadSigningKeys(app)
      // The database is away: what was loaded last goes on, and the next look is soon.
      .catch((error: unknown) => app.log.warn({ err: error }, 'signing keys were not reloaded'))
      .finally(() => {
        if (loading === load) loading = undefined;
      });
    loading = load;
  }

  const timer = setInterval(() => {
    const isDue = !isLive || performance.now() - loadedAt >= RELOAD_SECONDS * 1000;
    if (isDue && loading === undefined) reload();
  }, TICK_MS);

  const hear = (live: boolean) => {
    isLive = live;
    if (live) reload();
  };
  const listening = app.database
    .listen(KEYS_CHANNEL, reload, hear)
    .catch((error: unknown) => app.log.warn({ err: error }, 'not listening for signing keys; looking every second'));

  return {
    async stop() {
      isStopped = true;
      clearInterval(timer);
      const unlisten = await listening;
      await unlisten?.();
      await loading;
    },
  };
}
