import type { App } from '../core/context.js';
import { type CheckVerdict, type Job, type Queue, startQueue } from '../core/queue.js';
import { verifyAuditLog } from '../modules/audit/chain.service.js';
import { deleteOldActivity } from '../modules/auth/activity.service.js';
import { deleteExpiredCredentials } from '../modules/auth/retention.service.js';
import { rotateDueSigningKeys } from '../modules/auth/signing-keys.service.js';
import { ledgerHealth } from '../modules/credits/health.service.js';
import { deleteExpiredFiles } from '../modules/files/files.service.js';
import { purgeMessages } from '../modules/messages/message-logs.service.js';
import { deleteExpiredWays } from '../modules/openid/ways.service.js';
import { finishClosings } from '../modules/payments/customer-closing.service.js';
import { reconcileBilling } from '../modules/payments/reconciliation.service.js';
import { catchUpOnStripeEvents, retryStripeEvents } from '../modules/payments/stripe-events.service.js';
import { makeDataExports } from '../modules/privacy/data-exports.service.js';
import { purgeDeletedUsers } from '../modules/privacy/erasing.service.js';
import { rotateDataKeys } from '../modules/privacy/key-rotation.service.js';
import { deleteOldEvents } from '../modules/webhooks/delivery-log.service.js';

/** Runs of the checks, and of what runs daily, are remembered for three days: metrics ask when the last was. */
const DAYS = 3 * 86_400;

/** What runs by the clock, each once over all instances. Letters, events, due holds and audit links have loops of their own. */
export const JOBS: readonly Job[] = [
  { name: 'delete-expired-credentials', cron: '7 * * * *', run: deleteExpiredCredentials },
  { name: 'delete-expired-ways', cron: '12 * * * *', run: deleteExpiredWays },
  { name: 'purge-messages', cron: '17 * * * *', run: purgeMessages },
  { name: 'make-data-exports', cron: '* * * * *', run: makeDataExports },
  { name: 'delete-expired-files', cron: '*/5 * * * *', run: deleteExpiredFiles },
  { name: 'purge-deleted-users', cron: '27 * * * *', run: purgeDeletedUsers },
  { name: 'delete-old-events', cron: '33 * * * *', run: deleteOldEvents },
  { name: 'rotate-signing-keys', cron: '3 * * * *', run: rotateDueSigningKeys },
  { name: 'rotate-data-keys', cron: '*/15 * * * *', run: rotateDataKeys },
  { name: 'delete-old-activity', cron: '57 3 * * *', keepSeconds: DAYS, run: deleteOldActivity },
  { name: 'retry-stripe-events', cron: '* * * * *', run: retryStripeEvents },
  { name: 'catch-up-stripe-events', cron: '13 * * * *', run: catchUpOnStripeEvents },
  { name: 'finish-closings', cron: '* * * * *', run: finishClosings },
  { name: 'check-ledger', cron: '37 */6 * * *', keepSeconds: DAYS, run: checkLedger },
  { name: 'check-audit-log', cron: '47 */6 * * *', keepSeconds: DAYS, run: checkAuditLog },
  { name: 'check-billing', cron: '43 2 * * *', keepSeconds: DAYS, run: checkBilling },
];

/** Books that do not add up are no failure of the job: trying again mends nothing, somebody has to look. */
export async function checkLedger(app: App): Promise<CheckVerdict> {
  const { ok, brokenAccounts } = await ledgerHealth(app);
  if (ok) return { ok };
  app.metrics.alarms.add('ledger');
  app.log.error({ check: 'ledger', count: brokenAccounts }, 'THE LEDGER DOES NOT ADD UP: ask for ledgerHealth');
  return { ok };
}

export async function checkAuditLog(app: App): Promise<CheckVerdict> {
  const { ok } = await verifyAuditLog(app);
  if (ok) return { ok };
  app.metrics.alarms.add('audit');
  app.log.error({ check: 'audit' }, 'THE AUDIT LOG IS BROKEN: ask for verifyAuditLog');
  return { ok };
}

/** Reads, and changes nothing: what differs from Stripe wants somebody who knows why. */
export async function checkBilling(app: App): Promise<CheckVerdict | undefined> {
  if (!app.payments) return undefined;
  const to = app.now();
  const { ok, differences } = await reconcileBilling(app, { from: new Date(to.getTime() - CHECKED_MS), to });
  if (ok) return { ok };
  app.metrics.alarms.add('billing');
  app.log.error(
    { check: 'billing', count: differences.length },
    'BOOKS AND STRIPE DIFFER: ask for billingReconciliation',
  );
  return { ok };
}

const CHECKED_MS = 3 * 86_400_000;
const TRY_AGAIN_MS = 10_000;
/** The embedded database works in this thread, and the queue's own tables take it a second: who came at once goes first. */
const EMBEDDED_DELAY_MS = 2_000;

/** Starts the schedule without being waited for, and goes on trying while the database is away. */
export function startSchedule(app: App): { stop(): Promise<void> } {
  let isStopped = false;
  let queue: Queue | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function start(): Promise<void> {
    try {
      queue = await startQueue(app, { jobs: JOBS });
    } catch (error) {
      app.log.warn({ err: error }, 'the job queue could not be started and will be tried again');
      if (!isStopped) {
        startIn(TRY_AGAIN_MS);
      }
    }
  }

  function startIn(milliseconds: number): void {
    timer = setTimeout(() => {
      starting = start();
    }, milliseconds);
  }

  let starting: Promise<void> | undefined;
  if (app.database.kind === 'pglite') startIn(EMBEDDED_DELAY_MS);
  else starting = start();
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await starting;
      await queue?.stop();
    },
  };
}
