import type { Config } from './config.js';

export type BusName = 'SNS' | 'SQS';

export interface BusMessage {
  /** The event's: what a FIFO topic or queue tells doubles by, for five minutes. */
  readonly id: string;
  readonly kind: string;
  /** Whose order a FIFO topic or queue keeps. */
  readonly group: string;
  readonly body: string;
}

export interface Bus {
  /**
   * Sends up to ten messages at once. Answers in their order: undefined for one that was taken, else a code that says
   * why not. Nothing is tried again here.
   *
   * @throws BusError when none was taken, or nobody knows (after five seconds)
   */
  send(messages: readonly BusMessage[]): Promise<(string | undefined)[]>;
  close(): void;
}

/** The code is the service's, or the system's: `ThrottlingException`, `ECONNREFUSED`. Never its sentence. */
export class BusError extends Error {
  constructor(
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(`The bus took nothing: ${code}`, options);
    this.name = 'BusError';
  }
}

const PATIENCE_MS = 5_000;

/** What both clients are made with. */
export interface BusOptions {
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly credentials: Config['events']['awsCredentials'];
}

/** The options as the SDK has them: one attempt, because the outbox tries again, and later. */
export function clientConfig({ region, endpoint, credentials }: BusOptions) {
  return {
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    // Without keys of ours: the SDK's own chain, which is how instances and pods get theirs.
    ...(credentials !== undefined && { credentials }),
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 2_000 },
  };
}

/** Runs one call under its deadline. @throws BusError */
export async function answered<T>(call: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    return await call(signal);
  } catch (error) {
    throw new BusError(signal.aborted ? 'ETIMEDOUT' : codeOf(error), { cause: error });
  }
}

const CODE = /^[A-Za-z][\w.]{2,60}$/;

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return [code, name].map(String).find((text) => CODE.test(text) && text !== 'undefined') ?? 'EUNKNOWN';
}

interface Entry {
  readonly Id?: string | undefined;
  readonly Code?: string | undefined;
}

/** Both services answer with two lists; one that is in neither was not taken. */
export function outcomesOf(
  count: number,
  answer: { Successful?: Entry[] | undefined; Failed?: Entry[] | undefined },
): (string | undefined)[] {
  const taken = new Set(answer.Successful?.map(({ Id }) => Id));
  const refused = new Map(answer.Failed?.map(({ Id, Code }) => [Id, Code]));
  return Array.from({ length: count }, (_, index) => {
    const id = String(index);
    if (taken.has(id)) return undefined;
    const code = refused.get(id) ?? '';
    return CODE.test(code) ? code : 'EUNKNOWN';
  });
}

/** FIFO topics and queues are known by their names. */
export function orderOf(name: string, { id, group }: BusMessage) {
  return name.endsWith('.fifo') && { MessageGroupId: group, MessageDeduplicationId: id };
}
