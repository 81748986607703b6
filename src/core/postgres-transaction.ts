import type postgres from 'postgres';
import { type Client, isConnectionLoss, type Lane } from './postgres-lane.js';

export type StatementArguments = [text: string, params?: unknown[], options?: postgres.UnsafeQueryOptions];

/** The parts of postgres.js that Drizzle uses within a transaction. */
export interface InnerClient {
  unsafe(...statement: StatementArguments): Promise<unknown>;
  savepoint(work: (inner: InnerClient) => Promise<unknown>): Promise<unknown>;
}

interface Sender {
  readonly lane: Lane;
  readonly client: Client;
  /** The client itself, or a transaction of it. */
  readonly via: Pick<Client, 'unsafe'>;
  /** In a transaction: its connection. */
  readonly connection?: Connection;
}

/** Sends one statement, watched for an answer. */
export async function send(
  { lane, client, via, connection }: Sender,
  { statement, asValues }: { statement: StatementArguments; asValues: boolean },
): Promise<unknown> {
  connection?.requireAlive();
  const [text, params, options] = statement;
  const answered = lane.watch(client);
  const ended = lane.observe(text, params);
  let failure: unknown;
  try {
    const pending = via.unsafe(text, params as postgres.ParameterOrJSON<never>[], options);
    const answer = asValues ? pending.values() : pending;
    return await (connection ? connection.outlivedBy(answer) : answer);
  } catch (error) {
    failure = error;
    connection?.noteLoss(error);
    throw error;
  } finally {
    answered();
    ended?.(failure);
  }
}

/**
 * One transaction on one connection, BEGIN and COMMIT by postgres.js. When the connection is lost, postgres.js would
 * still send ROLLBACK on it, and whatever the transaction's code goes on to send: into nothing, which ends the process
 * with an uncaught error, or into the transaction of whoever has the connection by then. So from the moment of the
 * loss nothing more is sent for this transaction.
 */
export function beginOn(lane: Lane, client: Client, work: (tx: InnerClient) => Promise<unknown>): Promise<unknown> {
  const scope = { lane, client, connection: new Connection() };
  return within(scope, (body) => client.begin(body), work);
}

type Scope = Required<Omit<Sender, 'via'>>;

/** What opens a transaction or savepoint, runs the body in it, and closes it. */
type Opener = (body: (tx: postgres.TransactionSql) => Promise<unknown>) => Promise<unknown>;

function within(scope: Scope, open: Opener, work: (tx: InnerClient) => Promise<unknown>): Promise<unknown> {
  const { lane, client, connection } = scope;
  return new Promise((resolve, reject) => {
    // What postgres.js sends itself, before the body and after it, is watched here.
    let answered = lane.watch(client);
    const opened = open(async (tx) => {
      answered();
      const outcome = await connection.settle(() => work(innerClient(scope, tx)));
      if ('lost' in outcome) {
        reject(outcome.lost);
        // Never returning to postgres.js is what keeps it from sending ROLLBACK or COMMIT.
        return new Promise(() => undefined);
      }
      answered = lane.watch(client);
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    });
    opened.then(resolve, (error: unknown) => {
      connection.noteLoss(error);
      reject(error);
    });
    // Whichever watch is on by then: the body has put another in the place of the first.
    const done = () => answered();
    opened.then(done, done);
  });
}

/** Bulk inserts have another text for every number of rows: kept prepared, they would fill the server's memory. */
const MOST_PREPARED_PARAMETERS = 64;

/** postgres.js asks the server to describe an unprepared statement first: a second round trip, every time. */
function withPreparation([text, params = [], options]: StatementArguments): StatementArguments {
  return [text, params, { ...options, prepare: params.length <= MOST_PREPARED_PARAMETERS }];
}

function innerClient(scope: Scope, tx: postgres.TransactionSql): InnerClient {
  return {
    unsafe: (...statement) =>
      deferred((asValues) => send({ ...scope, via: tx }, { statement: withPreparation(statement), asValues })),
    async savepoint(work) {
      scope.connection.requireAlive();
      return within(scope, (body) => tx.savepoint(body), work);
    },
  };
}

type Outcome = { value: unknown } | { error: unknown } | { lost: unknown };

/** The connection of one transaction: alive until the first word of its loss. */
class Connection {
  readonly #loss: Promise<never>;
  #lose: (error: unknown) => void = () => undefined;
  #lost: { error: unknown } | undefined;

  constructor() {
    this.#loss = new Promise((_, reject) => {
      this.#lose = reject;
    });
    this.#loss.catch(() => undefined);
  }

  requireAlive(): void {
    if (this.#lost) throw this.#lost.error;
  }

  noteLoss(error: unknown): void {
    if (this.#lost || !isConnectionLoss(error)) return;
    this.#lost = { error };
    this.#lose(error);
  }

  /** The answer, or the loss: postgres.js never answers what was still in line on a connection that is lost. */
  outlivedBy<T>(answer: PromiseLike<T>): Promise<T> {
    return Promise.race([answer, this.#loss]);
  }

  async settle(work: () => Promise<unknown>): Promise<Outcome> {
    let outcome: Outcome;
    try {
      outcome = { value: await work() };
    } catch (error) {
      outcome = { error };
    }
    return this.#lost ? { lost: this.#lost.error } : outcome;
  }
}

/**
 * A postgres.js statement is sent when it is first awaited, after Drizzle may have asked for rows as arrays by
 * `values()`. This one is sent in the microtask after its making, which is late enough for that.
 */
export function deferred(
  run: (asValues: boolean) => Promise<unknown>,
): Promise<unknown> & { values(): Promise<unknown> } {
  let asValues = false;
  const answer = Promise.resolve().then(() => run(asValues));
  return Object.assign(answer, {
    values() {
      asValues = true;
      return answer;
    },
  });
}
