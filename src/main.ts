#!/usr/bin/env node
import { randomUUID } from 'node:crypto';
import { Command } from 'commander';
import { auditCommand } from './cli/audit.js';
import { migrateCommand } from './cli/migrate.js';
import { serviceKeyCommand } from './cli/service-key.js';
import { buildConfig, type Config, ConfigError, readEnvironment } from './core/config.js';
import { DatabaseRefusal } from './core/database.js';
import { createLogger } from './core/logger.js';
import { packageVersion } from './core/package-info.js';
import type { Bootstrapped } from './modules/admin/bootstrap.service.js';
import type { Running } from './serve.js';

/** After this the process ends, whatever still runs. */
const HARD_DEADLINE_MS = 20_000;

function banner({ url }: Running, config: Config): string {
  const lines = [
    `Credence ${packageVersion()} listens on ${url}`,
    `  GraphQL     ${url}/graphql`,
    ...(config.graphql.playground ? [`  Playground  ${url}/playground`] : []),
    ...(config.mail.transport === 'mailbox' ? [`  Mailbox     ${url}/dev/mailbox`] : []),
    `  Database    ${config.database.kind === 'pglite' ? `embedded, in ${config.database.directory}` : 'PostgreSQL (DATABASE_URL)'}`,
  ];
  return `\n${lines.join('\n')}\n\n`;
}

function firstCredentials({ adminUsername, adminPassword, serviceKey }: Bootstrapped): string {
  const lines = ['Made at this first start and shown only now; keep them:'];
  if (adminPassword) lines.push(`  Admin       ${adminUsername}`, `  Password    ${adminPassword}`);
  if (serviceKey) lines.push(`  Service key ${serviceKey}`);
  return `\n${lines.join('\n')}\n`;
}

function stopOnSignals(running: Running): void {
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    running.app.log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), HARD_DEADLINE_MS).unref();
    running.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));
  // The state is unknown after either: say so, finish what runs, and let the supervisor start afresh.
  process.on('unhandledRejection', (error) => {
    running.app.log.fatal({ err: error }, 'unhandled rejection');
    process.exitCode = 1;
    stop('unhandledRejection');
  });
  process.on('uncaughtException', (error) => {
    running.app.log.fatal({ err: error }, 'uncaught exception');
    process.exitCode = 1;
    stop('uncaughtException');
  });
}

async function serveCommand(): Promise<void> {
  // A signal during the start ends it at once: migrations are transactions, so they are done or not done.
  const config = buildConfig(readEnvironment());
  const { serve } = await import('./serve.js');
  const running = await serve(config, (made) => process.stdout.write(firstCredentials(made)));
  stopOnSignals(running);
  process.stdout.write(banner(running, config));
}

const program = new Command('credence')
  .description('A self-hosted GraphQL identity API. Settings come from the environment and .env (see .env.example).')
  .version(packageVersion());
program.command('serve', { isDefault: true }).description('start the server').action(serveCommand);
program.addCommand(migrateCommand());
program.addCommand(auditCommand());
program.addCommand(serviceKeyCommand());

/**
 * What an operator can mend is said in a sentence. Anything else may hold SQL and values of people: the log has what may
 * be told of it, under an id, and the error itself is shown at LOG_LEVEL=debug alone.
 */
function lastWords(error: unknown): string {
  const isKnown =
    error instanceof ConfigError ||
    error instanceof DatabaseRefusal ||
    (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  if (isKnown) return (error as Error).message;
  // Whatever went wrong, the configuration did not: its own complaints are known errors.
  const { log } = buildConfig(readEnvironment());
  if (log.level === 'debug' || log.level === 'trace') return error instanceof Error ? `${error.stack}` : String(error);
  const requestId = randomUUID();
  createLogger({ ...log, pretty: false }).fatal({ err: error, requestId }, 'ended by an unexpected error');
  return `Credence ended by an unexpected error, which stands in the log under ${requestId}. LOG_LEVEL=debug shows it whole.`;
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${lastWords(error)}\n`);
  process.exit(1);
}
