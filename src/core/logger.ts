import { createRequire } from 'node:module';
import { pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';
import type { Config } from './config.js';
import { isErrorCode } from './errors.js';

/**
 * Logging by allow-list: a line holds its event (a constant short sentence, never a template with values in it)
 * and those fields of `FIELDS` whose value has the shape named there. Everything else is dropped without a word:
 * unknown keys, objects, arrays, format arguments. Path redaction was tried and let 8 of 11 planted secrets
 * through (SECURITY.md 1, row 9); a list of what may pass cannot forget a key.
 *
 * A new field is one line here. Never add one for variables, query text, header values, tokens or addresses.
 */
const WORD = /^[\w.:/ -]{1,100}$/;
const ID = /^[\w.:-]{1,64}$/;
const CODE = /^[0-9A-Z_]{2,50}$/;
const NAME = /^[_A-Za-z][_0-9A-Za-z]{0,63}$/;
const FIELDS = new Map<string, RegExp | 'number' | 'flag'>([
  // one request
  ['requestId', ID],
  ['reqId', ID],
  ['traceId', /^[0-9a-f]{32}$/],
  ['method', NAME],
  ['route', WORD], // the pattern (`/graphql`), never the URL: its query string may hold a token
  ['status', 'number'],
  ['durationMs', 'number'],
  ['operation', NAME],
  ['operationKind', NAME],
  ['field', WORD],
  ['code', ID],
  // who and what, by id only
  ['actorKind', NAME],
  ['actorId', ID],
  ['userId', ID],
  ['adminId', ID],
  ['serviceId', ID],
  ['sessionId', ID],
  ['keyId', ID],
  ['letterId', ID],
  ['messageLogId', ID],
  ['signingKeyId', ID],
  // work in the background, and its amounts
  ['job', WORD],
  ['kind', WORD],
  ['channel', WORD],
  ['check', WORD],
  ['attempt', 'number'],
  ['count', 'number'],
  ['dropped', 'number'],
  ['bytes', 'number'],
  ['retryInSeconds', 'number'],
  // the process and what it stands on
  ['version', WORD],
  ['migration', WORD],
  ['database', WORD],
  ['target', WORD],
  ['reason', CODE],
  ['directory', WORD],
  ['host', WORD],
  ['port', 'number'],
  ['publicUrl', WORD],
  ['signal', NAME],
  ['exitCode', 'number'],
  ['ready', 'flag'],
  ['live', 'flag'],
]);

const LONGEST_EVENT = 200;
const DEEPEST_CAUSE = 3;
const MOST_FRAMES = 20;
const LONGEST_FRAME = 300;

export type Logger = pino.Logger;

export interface LoggerOptions {
  /** Where lines go instead of standard output. */
  destination?: { write(line: string): void };
  /** Where lines go besides, always as JSON. */
  sinks?: readonly { write(line: string): void }[];
  /** The trace that a line belongs to. */
  traceId?: (() => string | undefined) | undefined;
}

/**
 * The process's logger: JSON lines, or with `pretty` coloured lines for people. Call it as
 * `log.info({ requestId, count }, 'letters were sent')` or `log.error({ err }, 'a letter could not be sent')`.
 * Logging never throws because of what it is given, and no value can start a line of its own.
 */
export function createLogger(config: Pick<Config['log'], 'level' | 'pretty'>, options: LoggerOptions = {}): Logger {
  const { traceId } = options;
  const out = options.destination ?? pino.destination({ dest: 1, sync: true });
  const log = pino(
    {
      level: config.level,
      base: null,
      ...(traceId && { mixin: () => traceField(traceId()) }),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // pino's own serialiser copies every property of an error; `fieldsOf` has described it already.
      serializers: { err: (description: unknown) => description },
      hooks: {
        logMethod([first, second], method) {
          // The event always goes along: left alone, pino would take an error's own message for it.
          // Format arguments (`'%s', value`) do not: they would carry values past the list.
          method.call(this, fieldsOf(first), eventOf(typeof first === 'string' ? first : second));
        },
      },
    },
    withSinks(config.pretty ? prettyStream(out) : out, options.sinks ?? []),
  );
  // pino hands the bindings of a child to no formatter; children inherit this override.
  const inherited: (bindings: pino.Bindings, options?: pino.ChildLoggerOptions) => Logger = log.child;
  return Object.assign(log, {
    child(this: Logger, bindings: pino.Bindings, childOptions?: pino.ChildLoggerOptions) {
      return inherited.call(this, fieldsOf(bindings), childOptions);
    },
  });
}

const traceField = (traceId: string | undefined) => (traceId === undefined ? {} : { traceId });

function withSinks(
  first: { write(line: string): unknown },
  sinks: readonly { write(line: string): void }[],
): { write(line: string): void } {
  if (sinks.length === 0) return first;
  return {
    write(line) {
      first.write(line);
      for (const sink of sinks) sink.write(line);
    },
  };
}

/** The part of `given` that may be written; an error by itself counts as `{ err }`. */
function fieldsOf(given: unknown): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  if (typeof given !== 'object' || given === null) return fields;
  if (given instanceof Error) return { err: describeError(given) };
  for (const key of Object.keys(given)) {
    const value = read(given, key);
    if (key === 'err' || key === 'error') fields.err = describeError(value);
    else if (isAllowed(FIELDS.get(key), value)) fields[key] = value;
  }
  return fields;
}

function isAllowed(shape: RegExp | 'number' | 'flag' | undefined, value: unknown): boolean {
  if (shape === undefined) return false;
  if (shape === 'number') return typeof value === 'number' && Number.isFinite(value);
  if (shape === 'flag') return typeof value === 'boolean';
  return typeof value === 'string' && shape.test(value) && withoutSecrets(value) === value;
}

interface ErrorDescription {
  type: string;
  code?: string;
  constraint?: string;
  message?: string;
  stack?: string;
  cause?: ErrorDescription;
}

/** Errors of our own whose messages hold no value that must not be seen. */
const OURS = new Set(['AppError', 'ConfigError', 'DatabaseRefusal']);

/**
 * What is told of an error: its type, its code or SQLSTATE, the constraint it broke and where it was thrown.
 * Messages only of our own errors: a driver's message carries SQL and parameters, a parser's the text it read.
 */
function describeError(error: unknown, depth = 0): ErrorDescription {
  if (typeof error !== 'object' || error === null) return { type: typeof error };
  const name = read(error, 'name');
  const description: ErrorDescription = { type: typeof name === 'string' && NAME.test(name) ? name : 'Error' };
  const message = read(error, 'message');
  const code = codeOf(error);
  if (code !== undefined) description.code = code;
  const constraint = read(error, 'constraint_name') ?? read(error, 'constraint');
  if (typeof constraint === 'string' && NAME.test(constraint)) description.constraint = constraint;
  if (OURS.has(description.type) && typeof message === 'string') description.message = eventOf(message);
  const stack = framesOf(read(error, 'stack'), message);
  if (stack !== '') description.stack = stack;
  // graphql-js keeps what a resolver threw as `originalError`; everyone else says `cause`.
  const cause = read(error, 'originalError') ?? read(error, 'cause');
  if (cause && depth < DEEPEST_CAUSE) description.cause = describeError(cause, depth + 1);
  return description;
}

/** A SQLSTATE, a system error's code (`ECONNREFUSED`), or one of ours, also out of GraphQL `extensions`. */
function codeOf(error: object): string | undefined {
  const own = read(error, 'code');
  if (typeof own === 'string' && CODE.test(own)) return own;
  const extensions = read(error, 'extensions');
  const code = typeof extensions === 'object' && extensions !== null ? read(extensions, 'code') : undefined;
  return isErrorCode(code) ? code : undefined;
}

/** The `at …` lines alone. A stack starts with the message, which may hold anything, lines like these included. */
function framesOf(stack: unknown, message: unknown): string {
  if (typeof stack !== 'string') return '';
  let rest = stack;
  if (typeof message === 'string' && message !== '') {
    const start = stack.indexOf(message);
    if (start !== -1) rest = stack.slice(start + message.length);
  }
  const frames = rest.split('\n').filter((line) => line.length <= LONGEST_FRAME && FRAME.test(line));
  return frames.slice(0, MOST_FRAMES).join('\n');
}

/** `    at Object.work (file:///app/src/main.ts:3:14)`, with or without the function. */
const FRAME = /^ {4}at (?:[\w$.<>[\]# ]+ \()?(?:file:|node:|\/|[A-Z]:\\)[\w $%@+.~/\\:-]*:\d+:\d+\)?$/;

/** The line's sentence: bounded, on one line, and without anything that looks like a secret or an address. */
function eventOf(event: unknown): string {
  if (typeof event !== 'string') return 'something was logged without saying what';
  return withoutSecrets(event.slice(0, LONGEST_EVENT)).replace(CONTROL, escapeCharacter);
}

/**
 * Events are constants, so this should find nothing. It is the second net, for the day somebody writes a template:
 * our own keys and tokens, JWTs, bearer values, email addresses, passwords inside URLs, long hexadecimal.
 */
const SECRETS =
  /\bcrd_\w+|\beyJ[\w-]+(?:\.[\w-]*)*|\bBearer\s+\S+|[^\s@:/<>"']+@[^\s@/<>"']+\.\w+|:\/\/[^\s/@]+@|\b[0-9a-f]{40,}\b/gi;

function withoutSecrets(text: string): string {
  return text.replace(SECRETS, '[removed]');
}

// C0, DEL and C1, line and paragraph separators, and the marks that reorder text on a screen (Trojan Source).
const CONTROL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A property that may be a getter which throws. */
function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** pino-pretty as a plain function: no worker thread, nothing buffered that an exit could lose. */
function prettyStream(out: { write(line: string): unknown }): { write(line: string): void } {
  // Loaded only where it is used: production never pays for it.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as {
    prettyFactory(options: PrettyOptions): (line: string) => string;
  };
  const prettify = prettyFactory({
    colorize: out instanceof Object && 'fd' in out && process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  return { write: (line) => void out.write(prettify(line)) };
}
