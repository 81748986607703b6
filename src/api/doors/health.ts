import type { FastifyInstance } from 'fastify';
import type { App } from '../../core/context.js';
import { packageVersion } from '../../core/package-info.js';
import { type Check, describeDatabase, failedChecks, measureDisk, measureMemory } from '../../core/vitals.js';
import { outboxAgeSeconds } from '../../modules/mail/outbox.service.js';
import { mayReadInternals } from './metrics.js';

type Failure = Check | 'draining';

/**
 * `/health/live`: the process answers. `/health/ready`: send it requests (else 503 and which check failed).
 * `/health`: the same verdict, with numbers for whoever may read them.
 */
export function mountHealth(server: FastifyInstance, app: App, options: { isDraining(): boolean }): void {
  /** Probes that arrive together share one look: asking often must not cost the database anything. */
  let looking: Promise<Check[]> | undefined;
  const look = async (): Promise<Failure[]> => {
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
    return { status: statusOf(failed), failed, ...(await details(app, failed)) };
  });
}

const statusOf = (failed: Failure[]) => (failed.length > 0 ? 'unavailable' : 'ok');

async function details(app: App, failed: Failure[]) {
  return {
    version: packageVersion(),
    uptimeSeconds: Math.floor(process.uptime()),
    memory: measureMemory(),
    eventLoop: app.vitals.loopDelay(),
    disk: await measureDisk(app),
    database: describeDatabase(app),
    outbox: { oldestSeconds: failed.includes('database') ? null : await outboxAgeSeconds(app).catch(() => null) },
  };
}
