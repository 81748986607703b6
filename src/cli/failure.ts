import { randomUUID } from 'node:crypto';
import { buildConfig, ConfigError, readEnvironment } from '../core/config.js';
import { DatabaseRefusal } from '../core/database.js';
import { AppError } from '../core/errors.js';
import { createLogger } from '../core/logger.js';
import { EXIT } from './run.js';
import { Interrupted, SIGNAL_EXIT } from './ui.js';

/** What an operator can mend, in a sentence. Never holds a secret or a value of a person. */
export class CommandRefusal extends Error {
  constructor(
    /** Stable, for programs. */
    readonly code: string,
    message: string,
    readonly exitCode: number = EXIT.wrong,
  ) {
    super(message);
    this.name = 'CommandRefusal';
  }
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
}

/**
 * What an operator can mend is said in a sentence. Anything else may hold SQL and values of people: the log has what may
 * be told of it, under an id, and the error itself is shown at LOG_LEVEL=debug alone.
 */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandRefusal) return error;
  if (error instanceof ConfigError) return { code: 'CONFIGURATION', message: error.message, exitCode: EXIT.usage };
  if (error instanceof DatabaseRefusal) return { code: 'DATABASE', message: error.message, exitCode: EXIT.wrong };
  if (error instanceof Interrupted)
    return { code: 'INTERRUPTED', message: error.message, exitCode: SIGNAL_EXIT[error.signal] };
  if (error instanceof AppError) return { code: error.code, message: inWords(error), exitCode: EXIT.wrong };
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
    return { code: 'EADDRINUSE', message: (error as Error).message, exitCode: EXIT.wrong };
  return { code: 'UNEXPECTED', message: lastWords(error), exitCode: EXIT.wrong };
}

/** The fields of an input are the options of a command: `username must have …`. */
function inWords({ message, extensions }: AppError): string {
  const fields = Object.entries((extensions.fields ?? {}) as Record<string, string>);
  return fields.length === 0 ? message : fields.map(([name, problem]) => `${name} ${problem}.`).join('\n');
}

function lastWords(error: unknown): string {
  // Whatever went wrong, the configuration did not: its own complaints are known errors.
  const { log } = buildConfig(readEnvironment());
  if (log.level === 'debug' || log.level === 'trace') return error instanceof Error ? `${error.stack}` : String(error);
  const requestId = randomUUID();
  createLogger({ ...log, pretty: false }, { destination: process.stderr }).fatal(
    { err: error, requestId },
    'ended by an unexpected error',
  );
  return `Credence ended by an unexpected error, which stands in the log under ${requestId}. LOG_LEVEL=debug shows it whole.`;
}
