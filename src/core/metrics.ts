import { Counter, collectDefaultMetrics, Gauge, type Histogram, type MetricValueWithName, Registry } from 'prom-client';
import { ERROR_CODES } from './errors.js';

/**
 * What one process counts, for `GET /metrics`. Counting a thing is one map look-up and one addition (prom-client hashes
 * the labels on every call: 60 to 200 ns each, several times a request); the totals go to prom-client when somebody
 * scrapes. Every label comes from a closed list and all else becomes `other`, so no caller can grow the memory or
 * put a value of theirs on the page.
 */
export interface Metrics {
  readonly registry: Registry;
  /** Answers, by HTTP status. */
  readonly responses: Tally<number>;
  /** Seconds from the first byte of a request to the last of its answer, by route pattern; routes are named at start. */
  readonly requestSeconds: Spread;
  /** Seconds an operation took, by its kind. */
  readonly operationSeconds: Spread<'query' | 'mutation'>;
  /** Errors in answers, by code. */
  readonly errors: Tally;
  /** Seconds a root field took, by its name (`Query.me`); fields are named at start from the schema. */
  readonly fieldSeconds: Spread;
  readonly letters: Tally<'sent' | 'failed' | 'dead'>;
  readonly eventDeliveries: Tally<'sent' | 'failed' | 'dead'>;
  /** Runs of scheduled jobs, by how they ended. */
  readonly jobs: Tally<'done' | 'failed'>;
  /** Checks that found the books or the audit log broken. */
  readonly alarms: Tally<'ledger' | 'audit' | 'billing'>;
  /** Log lines that did not get where they should go. */
  readonly logLinesDropped: Tally<'store' | 'logstash' | 'syslog'>;
  readonly creditMovements: Tally<CreditMovement>;
  readonly limiterRefusals: Tally<'auth' | 'default' | 'throttle'>;
  /** Where a session was found: remembered, read from the database, or nowhere. */
  readonly sessionLookups: Tally<'memory' | 'database' | 'missing'>;
  /** How many callers shared one round trip to the database. */
  readonly batchSizes: Spread<'sessions' | 'credits' | 'keys' | 'messages'>;
  /** Has `read` called at every scrape; a later call for the same gauge replaces the former. */
  watch(gauge: GaugeName, read: () => number | Promise<number>): void;
  /** The page in Prometheus's text format. The first call starts collecting the process's own metrics. */
  text(): Promise<string>;
}

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

const GAUGES = {
  hashing_queue_length: 'Passwords that wait for a hashing slot.',
  outbox_oldest_letter_seconds: 'How long the oldest letter in the outbox has waited.',
  outbox_oldest_event_seconds: 'How long the oldest event that nobody tried to deliver has waited.',
  outbox_queued_events: 'Deliveries of events that wait for their first or next attempt.',
} as const;
export type GaugeName = keyof typeof GAUGES;

const STATUSES = [200, 204, 302, 304, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429, 500, 501, 502, 503];
/** From half a millisecond, what `me` from memory takes, to ten seconds, the deadline of an operation. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const tally = <Key extends string | number>(name: string, help: string, label: string, keys: readonly Key[]) =>
    new Tally<Key>(registry, { name: `credence_${name}`, help, label, keys });
  const spread = <Key extends string>(
    name: string,
    help: string,
    label: string,
    keys: readonly Key[],
    bounds = SECONDS,
  ) => new Spread<Key>(registry, { name: `credence_${name}`, help, label, keys, bounds });
  let readsProcess = false;

  return {
    registry,
    responses: tally('http_responses_total', 'HTTP answers.', 'status', STATUSES),
    requestSeconds: spread<string>('http_request_duration_seconds', 'Time to answer a request.', 'route', []),
    operationSeconds: spread('graphql_operation_duration_seconds', 'Time to execute an operation.', 'kind', [
      'query',
      'mutation',
    ]),
    errors: tally<string>('graphql_errors_total', 'Errors in GraphQL answers.', 'code', ERROR_CODES),
    fieldSeconds: spread<string>('graphql_field_duration_seconds', 'Time to resolve a root field.', 'field', []),
    letters: tally('letters_total', 'Letters by outcome of an attempt.', 'outcome', ['sent', 'failed', 'dead']),
    eventDeliveries: tally('event_deliveries_total', 'Deliveries of events by outcome of an attempt.', 'outcome', [
      'sent',
      'failed',
      'dead',
    ]),
    jobs: tally('jobs_total', 'Runs of scheduled jobs.', 'outcome', ['done', 'failed']),
    alarms: tally('alarms_total', 'Checks that found something broken.', 'check', ['ledger', 'audit', 'billing']),
    logLinesDropped: tally('log_lines_dropped_total', 'Log lines lost on their way.', 'receiver', [
      'store',
      'logstash',
      'syslog',
    ]),
    creditMovements: tally('credit_movements_total', 'Credit movements.', 'kind', CREDIT_MOVEMENTS),
    limiterRefusals: tally('limiter_refusals_total', 'Calls refused by a limit.', 'limit', [
      'auth',
      'default',
      'throttle',
    ]),
    sessionLookups: tally('session_lookups_total', 'Session look-ups.', 'source', ['memory', 'database', 'missing']),
    batchSizes: spread(
      'batch_size',
      'Callers that shared one round trip.',
      'batch',
      ['sessions', 'credits', 'keys', 'messages'],
      SIZES,
    ),
    watch(gauge, read) {
      const name = `credence_${gauge}`;
      registry.removeSingleMetric(name);
      new Gauge({
        name,
        help: GAUGES[gauge],
        registers: [registry],
        async collect() {
          // A reader that fails (the database is gone) must not cost the rest of the page.
          this.set(
            await Promise.resolve()
              .then(read)
              .catch(() => Number.NaN),
          );
        },
      });
    },
    text() {
      // Not before: watching the event loop and the garbage collector costs a little for as long as the process lives.
      if (!readsProcess) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
      readsProcess = true;
      return registry.metrics();
    },
  };
}

const OTHER = 'other';

/** A counter with one label of closed values. */
export class Tally<Key extends string | number = string> {
  private readonly cells = new Map<string | number, { total: number }>();
  private readonly other = { total: 0 };

  constructor(registry: Registry, options: { name: string; help: string; label: string; keys: readonly Key[] }) {
    for (const key of options.keys) this.cells.set(key, { total: 0 });
    this.cells.set(OTHER, this.other);
    const { cells } = this;
    new Counter({
      name: options.name,
      help: options.help,
      labelNames: [options.label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, cell] of cells) this.inc({ [options.label]: key }, cell.total);
      },
    });
  }

  add(key: Key, amount = 1): void {
    (this.cells.get(key) ?? this.other).total += amount;
  }
}

interface Cell {
  readonly label: string;
  /** How many values fell into each bucket, the last one being "larger than all bounds". */
  readonly counts: number[];
  sum: number;
}

/** A histogram with one label of closed values. */
export class Spread<Key extends string = string> {
  private readonly cells = new Map<string, Cell>();
  private readonly other: Cell;

  constructor(
    registry: Registry,
    private readonly options: {
      name: string;
      help: string;
      label: string;
      keys: readonly Key[];
      bounds: readonly number[];
    },
  ) {
    const { name, help, keys } = options;
    this.other = this.cellFor(OTHER);
    this.allow(keys);
    // A histogram of prom-client's own takes values one at a time only. Its registry asks a metric for no more than this.
    const metric = {
      name,
      help,
      get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: this.values() }),
    };
    registry.registerMetric(metric as unknown as Histogram);
  }

  /** Adds label values. For names that the program knows at start (routes, fields), never for what a caller sent. */
  allow(keys: Iterable<Key>): void {
    for (const key of keys) this.cellFor(key);
  }

  add(key: Key, value: number): void {
    const cell = this.cells.get(key) ?? this.other;
    const { bounds } = this.options;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    cell.counts[at] = (cell.counts[at] as number) + 1;
    cell.sum += value;
  }

  private cellFor(label: string): Cell {
    const known = this.cells.get(label);
    if (known) return known;
    const cell = { label, counts: new Array<number>(this.options.bounds.length + 1).fill(0), sum: 0 };
    this.cells.set(label, cell);
    return cell;
  }

  /** Label values that never occurred are left out: most fields are never asked for. */
  private values(): MetricValueWithName<string>[] {
    return [...this.cells.values()].flatMap((cell) => {
      const { name, label, bounds } = this.options;
      const labels = { [label]: cell.label };
      let below = 0;
      const buckets = cell.counts.map((count, at) => {
        below += count;
        return { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[at] ?? '+Inf' }, value: below };
      });
      if (below === 0) return [];
      const totals = [
        { metricName: `${name}_sum`, labels, value: cell.sum },
        { metricName: `${name}_count`, labels, value: below },
      ];
      return [...buckets, ...totals];
    });
  }
}
