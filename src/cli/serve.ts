import type { Config } from '../core/config.js';
import { packageVersion } from '../core/package-info.js';
import type { Bootstrapped } from '../modules/admin/bootstrap.service.js';
import { type Running, serve } from '../serve.js';
import { readConfig } from './opening.js';

/** After this the process ends, whatever still runs. */
const HARD_DEADLINE_MS = 20_000;

/** Answers when the server listens; it then runs until a signal ends it. */
export async function serveUntilStopped(): Promise<void> {
  // A signal during the start ends it at once: migrations are transactions, so they are done or not done.
  const config = readConfig();
  const running = await serve(config, (made) => process.stdout.write(firstCredentials(made)));
  stopOnSignals(running);
  process.stdout.write(banner(running, config));
}

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
      () => process.exit(),
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
