import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import type { App } from '../../core/context.js';
import { countPendingMigrations } from '../../core/migrations.js';
import { packageVersion } from '../../core/package-info.js';
import { outboxAgeSeconds } from '../../modules/mail/outbox.service.js';
import { mayReadInternals } from './metrics.js';

const DATABASE_MS = 1_000;
/** Longer than this and requests pile up faster than they are answered: load balancers should look elsewhere. */
const LOOP_DELAY_MS = 250;
const PROBE_MS = 10;
const WINDOW_MS = 60_000;
const RESOLUTION_MS = 20;

type LoopDelay = ReturnType<typeof monitorEventLoopDelay>;
type Check = 'draining' | 'database' | 'migrations' | 'eventLoop';

/**
 * `/health/live`: the process answers. `/health/ready`: send it requests (else 503 and which check failed).
 * `/health`: the same verdict, with numbers for whoever may read them.
 */
export function mountHealth(server: FastifyInstance, app: App, options: { isDraining(): boolean }): void {
  const loopDelay = watchLoop(server);
  /** Probes that arrive together share one look: asking often must not cost the database anything. */
  let looking: Promise<Check[]> | undefined;
  const look = async (): Promise<Check[]> => {
    looking ??= failedChecks(app).finally(() => {
      looking = undefined;
    });
    return options.isDraining() ? ['draining', ...(await looking)] : looking;
  };

  server.get('/health/live', async () => ({ status: 'ok' }));
  server.get('/health/ready', async (_request, reply) => {
    const failed = await look();
    return reply
      .code(failed.length > 0 ? 503 : 200)
      .send({ status: statusOf(failed), ...(failed.length > 0 && { failed }) });
  });
  server.get('/health', async (request, reply) => {
    const failed = await look();
    reply.code(failed.length > 0 ? 503 : 200);
    if (!mayReadInternals(app, request)) return { status: statusOf(failed) };
    return { status: statusOf(failed), failed, ...(await details(app, { loopDelay, failed })) };
  });
}

const statusOf = (failed: Check[]) => (failed.length > 0 ? 'unavailable' : 'ok');

async function failedChecks(app: App): Promise<Check[]> {
  const [isLoopFree, failedStorage] = await Promise.all([isLoopResponsive(), failedStorageCheck(app)]);
  return [...(failedStorage ? [failedStorage] : []), ...(isLoopFree ? [] : (['eventLoop'] as const))];
}

async function failedStorageCheck(app: App): Promise<Check | undefined> {
  if (!(await withinLimit(app.database.isReady()))) return 'database';
  const isComplete = countPendingMigrations(app.database).then((pending) => pending === 0);
  return (await withinLimit(isComplete)) ? undefined : 'migrations';
}

async function withinLimit(answer: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, DATABASE_MS, false);
  });
  try {
    return await Promise.race([answer.catch(() => false), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** How late a timer fires right now: a look at this moment, so that one long pause in the past counts no more. */
async function isLoopResponsive(): Promise<boolean> {
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
  return performance.now() - start - PROBE_MS < LOOP_DELAY_MS;
}

/** The distribution of delays over the last minute at most. */
function watchLoop(server: FastifyInstance): LoopDelay {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const renewing = setInterval(() => delay.reset(), WINDOW_MS).unref();
  server.addHook('onClose', async () => {
    clearInterval(renewing);
    delay.disable();
  });
  return delay;
}

async function details(app: App, { loopDelay, failed }: { loopDelay: LoopDelay; failed: Check[] }) {
  const { database, dataDir } = app.config;
  const memory = process.memoryUsage();
  // Node counts from one sample to the next, so an idle loop shows the resolution itself.
  const milliseconds = (nanoseconds: number) => Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION_MS * 100) / 100);
  return {
    version: packageVersion(),
    uptimeSeconds: Math.floor(process.uptime()),
    memory: {
      rssBytes: memory.rss,
      heapUsedBytes: memory.heapUsed,
      heapTotalBytes: memory.heapTotal,
      externalBytes: memory.external,
    },
    eventLoop: {
      p50Ms: milliseconds(loopDelay.percentile(50)),
      p99Ms: milliseconds(loopDelay.percentile(99)),
      maxMs: milliseconds(loopDelay.max),
    },
    disk: await statfs(dataDir).then(
      ({ bavail, blocks, bsize }) => ({ freeBytes: bavail * bsize, totalBytes: blocks * bsize }),
      () => null,
    ),
    database: { kind: database.kind, connections: database.kind === 'postgres' ? database.connections : 1 },
    outbox: { oldestSeconds: failed.includes('database') ? null : await outboxAgeSeconds(app).catch(() => null) },
  };
}
