import type { Config } from './core/config.js';
import type { App } from './core/context.js';
import { openDatabase } from './core/database.js';
import { createEventBuses } from './core/event-buses.js';
import { createLimiter } from './core/limiter.js';
import { openLogSinks } from './core/log-sinks.js';
import { createLogger } from './core/logger.js';
import { createMailer } from './core/mailer.js';
import { createMetrics } from './core/metrics.js';
import { createOpenId } from './core/openid.js';
import { createOutbound } from './core/outbound.js';
import { createPasswords, type JobTimes } from './core/passwords.js';
import { createPayments } from './core/payments.js';
import { createRefreshTokens, createSecrets, loadEncryptionKey } from './core/secrets.js';
import { watchStatements } from './core/statement-watch.js';
import { createStorage } from './core/storage.js';
import { createTokens } from './core/tokens.js';
import { openTracing, type Tracing } from './core/tracing.js';
import { traceOutside } from './core/tracing-outside.js';
import { createVitals } from './core/vitals.js';

const REDIS_GONE =
  'Redis does not answer: this instance counts limits alone, and grants a quarter where credentials are at stake.';
const REDIS_BACK = 'Redis answers again: limits are shared.';
const COLLECTOR_GONE = 'The trace collector takes no spans: they are being lost.';
const COLLECTOR_BACK = 'The trace collector takes spans again.';

/** Everything one process owns, from its configuration; tests hand in what they replace. */
export async function createApp(config: Config, overrides: Partial<App> = {}): Promise<App> {
  const metrics = overrides.metrics ?? createMetrics();
  const logSinks = overrides.logSinks ?? openLogSinks(config, metrics);
  const tracing: Tracing | undefined =
    overrides.tracing ??
    (await openTracing(config.tracing, {
      metrics,
      onExporting: (works) => log.warn(works ? COLLECTOR_BACK : COLLECTOR_GONE),
    }));
  const statements = watchStatements(metrics, tracing);
  metrics.watch(['database_statements_in_flight'], () => ({ database_statements_in_flight: statements.inFlight() }));
  const log = overrides.log ?? createLogger(config.log, { sinks: logSinks.all, traceId: tracing?.traceId });
  const secrets = overrides.secrets ?? createSecrets(loadEncryptionKey(config));
  const database = overrides.database ?? (await openDatabase(config.database, log, { observe: statements.observe }));
  const parts: App = {
    config,
    log,
    logSinks,
    secrets,
    database,
    db: database.db,
    sql: database.sql,
    tokens: createTokens(config),
    refreshTokens: createRefreshTokens(secrets),
    passwords: createPasswords(config.passwords, { onJob: (times) => countHash({ metrics, tracing }, times) }),
    mailer: createMailer(config),
    payments: createPayments(config.billing, { log, requireOutside: database.requireOutside }),
    storage: createStorage(config, { log, requireOutside: database.requireOutside }),
    openid: config.google && createOpenId(config.google, { log, requireOutside: database.requireOutside }),
    outbound: createOutbound({ networks: config.events.webhookNetworks, requireOutside: database.requireOutside }),
    eventBuses: createEventBuses(config.events, { requireOutside: database.requireOutside }),
    limiter: createLimiter({
      redisUrl: config.redisUrl,
      onShared: (shared) => log.warn(shared ? REDIS_BACK : REDIS_GONE),
    }),
    metrics,
    tracing,
    vitals: createVitals(),
    now: () => new Date(),
    ...overrides,
  };
  return tracing ? traceOutside(parts, tracing) : parts;
}

function countHash(
  { metrics, tracing }: Pick<App, 'metrics' | 'tracing'>,
  { queuedAt, startedAt, endedAt }: JobTimes,
): void {
  if (startedAt === undefined) {
    metrics.hashingRefusals.add('full');
    return;
  }
  metrics.hashingSeconds.add('wait', (startedAt - queuedAt) / 1_000);
  metrics.hashingSeconds.add('run', (endedAt - startedAt) / 1_000);
  tracing?.record('password waits', { startedAt: queuedAt, endedAt: startedAt });
  tracing?.record('password hash', { startedAt, endedAt });
}

/** Lets go of everything, in the order in which things lean on each other. */
export async function closeApp(app: App): Promise<void> {
  app.vitals.close();
  await app.passwords.close();
  await app.mailer.close();
  await app.storage.close();
  for (const bus of app.eventBuses.values()) bus.close();
  await app.limiter.close();
  await app.database.close();
  await app.tracing?.close();
  await app.logSinks.close();
}
