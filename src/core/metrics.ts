import { collectDefaultMetrics, Registry } from 'prom-client';
import { ERROR_CODES } from './errors.js';
import { type GaugeReading, Reading, Spread, Tally } from './metric-kinds.js';

/**
 * What one process counts, for `GET /metrics`. Every label comes from a closed list and all else becomes `other`, so no
 * caller can grow the memory or put a value of theirs on the page.
 */
export interface Metrics {
  readonly registry: Registry;
  /** Answers, by HTTP status. */
  readonly responses: Tally<number>;
  /** Seconds from the first byte of a request to the last of its answer, by route pattern; routes are named at start. */
  readonly requestSeconds: Spread;
  /** Seconds an operation took, by its kind. */
  readonly operationSeconds: Spread<'query' | 'mutation'>;
  /** Whether a document was seen before; one that was not costs about ten times as much. */
  readonly documents: Tally<'known' | 'unknown'>;
  /** Errors in answers, by code. */
  readonly errors: Tally;
  /** Seconds a root field took, by its name (`Query.me`); fields are named at start from the schema. */
  readonly fieldSeconds: Spread;
  /** Root fields that ended in an error, by name. */
  readonly fieldErrors: Tally;
  /** By the way and its outcome: `password INVALID_CREDENTIALS`. */
  readonly signIns: Tally;
  /** Seconds of a password: in the queue, and in its child process. */
  readonly hashingSeconds: Spread<'wait' | 'run'>;
  /** Passwords turned away because too many were waiting. */
  readonly hashingRefusals: Tally<'full'>;
  /** Seconds from sending a statement to its answer, by the connections it went to. */
  readonly statementSeconds: Spread<StatementLane>;
  readonly letters: Tally<'sent' | 'failed' | 'dead'>;
  readonly eventDeliveries: Tally<'sent' | 'failed' | 'dead'>;
  /** What came to Stripe's door. */
  readonly stripeWebhooks: Tally<'taken' | 'unsigned'>;
  /** Runs of scheduled jobs, by how they ended. */
  readonly jobs: Tally<'done' | 'failed'>;
  /** Seconds a job ran, by its name. */
  readonly jobSeconds: Spread;
  /** Checks that found the books or the audit log broken. */
  readonly alarms: Tally<'ledger' | 'audit' | 'billing'>;
  /** Log lines that did not get where they should go. */
  readonly logLinesDropped: Tally<'store' | 'logstash' | 'syslog'>;
  /** Spans by what became of them. */
  readonly spans: Tally<'exported' | 'failed' | 'dropped'>;
  readonly creditMovements: Tally<CreditMovement>;
  readonly limiterRefusals: Tally<'auth' | 'default' | 'throttle'>;
  /** Where a session was found: remembered, read from the database, or nowhere. */
  readonly sessionLookups: Tally<'memory' | 'database' | 'missing'>;
  /** How many callers shared one round trip to the database. */
  readonly batchSizes: Spread<'sessions' | 'credits' | 'keys' | 'messages'>;
  /**
   * Has `read` called at every scrape for the gauges it answers; a later call that begins with the same gauge replaces
   * the former. What fails, or takes longer than three seconds, leaves its gauges without a sample.
   */
  watch(gauges: readonly GaugeName[], read: () => Readings | Promise<Readings>): void;
  /** The page in Prometheus's text format. The first call starts collecting the process's own metrics. */
  text(): Promise<string>;
}

/** `transactions` are Drizzle's connections; `replica` are those to the replica; `embedded` is PGlite's only one. */
export const STATEMENT_LANES = ['readers', 'writers', 'transactions', 'replica', 'embedded'] as const;
export type StatementLane = (typeof STATEMENT_LANES)[number];

const CREDIT_MOVEMENTS = [
  'PURCHASE',
  'GRANT',
  'PLAN_GRANT',
  'USE',
  'CAPTURE',
  'REFUND',
  'ADJUSTMENT',
  'CLAWBACK',
  'EXPIRY',
  'HOLD',
  'RELEASE',
  'REFUSED',
  'REPLAYED',
] as const;
type CreditMovement = (typeof CREDIT_MOVEMENTS)[number];

/** Fields that let somebody in, and the names of these ways on the page. */
export const SIGN_IN_WAYS = {
  'Mutation.login': 'password',
  'Mutation.adminLogin': 'admin',
  'Mutation.staffLogin': 'staff',
  'Mutation.completeSecondFactor': 'second_factor',
  'Mutation.completeGoogleSignIn': 'provider',
} as const;
/** `challenged`: the password was right, and a second factor is asked for. Otherwise the code of the refusal. */
const USUAL_OUTCOMES = ['ok', 'challenged', 'INVALID_CREDENTIALS', 'RATE_LIMITED'];

/** Read at every scrape. Those about the database say the same on every instance: take one of them, not their sum. */
const GAUGES = {
  build_info: ['Always 1; the label says which version runs.', 'version'],
  draining: ['1 from the moment the process was asked to end.'],
  database_up: ['Whether the database answers the smallest question within two seconds.'],
  database_latency_seconds: ['How long the database took to answer it.'],
  database_pool_connections: ['Connections for transactions, by what they do.', 'state'],
  database_pool_waiting: ['Callers that wait for a connection for a transaction.'],
  database_statements_in_flight: ['Statements sent and not yet answered.', 'lane'],
  redis_up: ['Whether Redis answered the last call; no sample where it is not configured.'],
  hashing_queue_length: ['Passwords that wait for a hashing slot.'],
  hashing_workers: ['Passwords that can be hashed at once.'],
  outbox_oldest_letter_seconds: ['How long the oldest letter in the outbox has waited.'],
  outbox_letters: ['Letters in the outbox, by state.', 'state'],
  outbox_oldest_event_seconds: ['How long the oldest event that nobody tried to deliver has waited.'],
  outbox_queued_events: ['Deliveries of events that wait for their first or next attempt.'],
  outbox_failed_events: ['Deliveries of events that were given up.'],
  webhook_endpoints_disabled: ['Webhook endpoints that were switched off because they kept failing.'],
  stripe_events: ['Events of Stripe that are not done with, by state.', 'state'],
  stripe_oldest_event_seconds: ['How long the oldest event of Stripe has waited to be read.'],
  audit_unlinked_rows: ['Audit rows that are not in the chain yet.'],
  audit_oldest_unlinked_seconds: ['How long the oldest of them has waited.'],
  jobs_queued: ['Whether a run of the job waits, first or again.', 'job_name'],
  jobs_active: ['Whether the job runs now.', 'job_name'],
  jobs_given_up: ['Runs of the job that were given up within the last days.', 'job_name'],
  job_oldest_queued_seconds: ['How long a due run of the job has waited for an instance.', 'job_name'],
  job_last_success_timestamp_seconds: ['When the job last ended well, in Unix time.', 'job_name'],
  check_ok: ['What the last check of the books found: 1 when all was well.', 'check'],
  check_timestamp_seconds: ['When it ended, in Unix time.', 'check'],
  memory_limit_bytes: ['Memory the process may use: the container’s limit, or all that the machine has.'],
  data_disk_free_bytes: ['Room on the disk of DATA_DIR.'],
  data_disk_bytes: ['Size of the disk of DATA_DIR.'],
} as const satisfies Record<string, readonly [help: string, label?: string]>;
export type GaugeName = keyof typeof GAUGES;
export type Readings = Partial<Record<GaugeName, GaugeReading | undefined>>;

const STATUSES = [200, 204, 302, 304, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429, 500, 501, 502, 503];
/** From half a millisecond, what `me` from memory takes, to ten seconds, the deadline of an operation. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const JOB_SECONDS = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
/** Prometheus gives up after ten seconds unless told otherwise, and would then have nothing at all. */
const READ_MS = 3_000;

export function createMetrics(): Metrics {
  const registry = new Registry();
  const gauges = readGauges(registry);
  return { registry, ...createTallies(registry), ...createSpreads(registry), ...gauges };
}

function createTallies(registry: Registry) {
  const tally = <Key extends string | number>(
    [name, help]: readonly [string, string],
    labels: string,
    keys: readonly Key[],
  ) => new Tally<Key>(registry, { name: `credence_${name}`, help, labels: labels.split(' '), keys });
  const signInsWith = (outcomes: readonly string[]) =>
    Object.values(SIGN_IN_WAYS).flatMap((way) => outcomes.map((outcome) => `${way} ${outcome}`));
  const signIns = tally<string>(
    ['sign_ins_total', 'Attempts to sign in, by way and outcome.'],
    'way outcome',
    signInsWith(USUAL_OUTCOMES),
  );
  signIns.allow(signInsWith(ERROR_CODES));
  return {
    signIns,
    responses: tally(['http_responses_total', 'HTTP answers.'], 'status', STATUSES),
    documents: tally(['graphql_documents_total', 'Documents, by whether they were seen before.'], 'seen', [
      'known',
      'unknown',
    ]),
    errors: tally<string>(['graphql_errors_total', 'Errors in GraphQL answers.'], 'code', ERROR_CODES),
    fieldErrors: tally<string>(['graphql_field_errors_total', 'Root fields that ended in an error.'], 'field', []),
    hashingRefusals: tally(['hashing_refusals_total', 'Passwords turned away by a full queue.'], 'reason', ['full']),
    letters: tally(['letters_total', 'Letters by outcome of an attempt.'], 'outcome', ['sent', 'failed', 'dead']),
    eventDeliveries: tally(['event_deliveries_total', 'Deliveries of events by outcome of an attempt.'], 'outcome', [
      'sent',
      'failed',
      'dead',
    ]),
    stripeWebhooks: tally(['stripe_webhooks_total', 'What came to the door for Stripe.'], 'outcome', [
      'taken',
      'unsigned',
    ]),
    jobs: tally(['jobs_total', 'Runs of scheduled jobs.'], 'outcome', ['done', 'failed']),
    alarms: tally(['alarms_total', 'Checks that found something broken.'], 'check', ['ledger', 'audit', 'billing']),
    logLinesDropped: tally(['log_lines_dropped_total', 'Log lines lost on their way.'], 'receiver', [
      'store',
      'logstash',
      'syslog',
    ]),
    spans: tally(['trace_spans_total', 'Spans by what became of them.'], 'outcome', ['exported', 'failed', 'dropped']),
    creditMovements: tally(['credit_movements_total', 'Credit movements.'], 'kind', CREDIT_MOVEMENTS),
    limiterRefusals: tally(['limiter_refusals_total', 'Calls refused by a limit.'], 'limit', [
      'auth',
      'default',
      'throttle',
    ]),
    sessionLookups: tally(['session_lookups_total', 'Session look-ups.'], 'source', ['memory', 'database', 'missing']),
  };
}

function createSpreads(registry: Registry) {
  const spread = <Key extends string>(
    [name, help]: readonly [string, string],
    label: string,
    options: { keys: readonly Key[]; bounds?: readonly number[] },
  ) =>
    new Spread<Key>(registry, {
      name: `credence_${name}`,
      help,
      label,
      keys: options.keys,
      bounds: options.bounds ?? SECONDS,
    });
  return {
    requestSeconds: spread<string>(['http_request_duration_seconds', 'Time to answer a request.'], 'route', {
      keys: [],
    }),
    operationSeconds: spread(['graphql_operation_duration_seconds', 'Time to execute an operation.'], 'kind', {
      keys: ['query', 'mutation'],
    }),
    fieldSeconds: spread<string>(['graphql_field_duration_seconds', 'Time to resolve a root field.'], 'field', {
      keys: [],
    }),
    hashingSeconds: spread(['hashing_seconds', 'Time of a password in the queue, and being hashed.'], 'phase', {
      keys: ['wait', 'run'],
    }),
    statementSeconds: spread(['database_statement_seconds', 'Time from sending a statement to its answer.'], 'lane', {
      keys: STATEMENT_LANES,
    }),
    jobSeconds: spread<string>(['job_seconds', 'How long jobs ran.'], 'job_name', { keys: [], bounds: JOB_SECONDS }),
    batchSizes: spread(['batch_size', 'Callers that shared one round trip.'], 'batch', {
      keys: ['sessions', 'credits', 'keys', 'messages'],
      bounds: SIZES,
    }),
  };
}

function readGauges(registry: Registry): Pick<Metrics, 'watch' | 'text'> {
  const gauges = new Map(
    Object.entries<readonly [string, string?]>(GAUGES).map(([name, [help, label]]) => [
      name,
      new Reading(registry, { name: `credence_${name}`, help, label }),
    ]),
  );
  const watched = new Map<GaugeName, { names: readonly GaugeName[]; read: () => Readings | Promise<Readings> }>();
  let readsProcess = false;

  return {
    watch(names, read) {
      if (names[0] !== undefined) watched.set(names[0], { names, read });
    },
    async text() {
      // Not before: watching the event loop and the garbage collector costs a little for as long as the process lives.
      if (!readsProcess) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
      readsProcess = true;
      await Promise.all(
        [...watched.values()].map(async ({ names, read }) => {
          const readings = await inTime(read);
          for (const name of names) gauges.get(name)?.set(readings[name]);
        }),
      );
      return registry.metrics();
    },
  };
}

/** A reader that fails (the database is gone) must not cost the rest of the page. */
async function inTime(read: () => Readings | Promise<Readings>): Promise<Readings> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<Readings>((resolve) => {
    timer = setTimeout(resolve, READ_MS, {});
  });
  try {
    return await Promise.race([tooLate, Promise.resolve().then(read)]);
  } catch {
    return {};
  } finally {
    clearTimeout(timer);
  }
}
