// Counting a thing is one map look-up and one addition: prom-client hashes the labels on every call, at 60 to 200 ns each
// and several times a request. So the totals are kept here, and go to its registry when somebody scrapes.
import { Counter, type Gauge, type Histogram, type MetricValueWithName, type Registry } from 'prom-client';

const OTHER = 'other';

interface Described {
  readonly name: string;
  readonly help: string;
}

/**
 * A counter whose label values are closed. With several labels a key holds one value for each, parted by a space; what
 * is in no list is counted as `other`.
 */
export class Tally<Key extends string | number = string> {
  private readonly cells = new Map<string | number, { total: number; shownAtZero: boolean }>();
  private readonly other = { total: 0, shownAtZero: true };

  constructor(
    registry: Registry,
    options: Described & { readonly labels: readonly string[]; readonly keys: readonly Key[] },
  ) {
    const { name, help, labels, keys } = options;
    for (const key of keys) this.cells.set(key, { total: 0, shownAtZero: true });
    this.cells.set(labels.map(() => OTHER).join(' '), this.other);
    const { cells } = this;
    new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      collect() {
        this.reset();
        for (const [key, { total, shownAtZero }] of cells) {
          const values = String(key).split(' ');
          if (total > 0 || shownAtZero)
            this.inc(Object.fromEntries(labels.map((label, at) => [label, values[at] ?? OTHER])), total);
        }
      },
    });
  }

  /** Adds keys, which are left out of the page until they occur. For names that the program knows at start. */
  allow(keys: Iterable<Key>): void {
    for (const key of keys) if (!this.cells.has(key)) this.cells.set(key, { total: 0, shownAtZero: false });
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
    private readonly options: Described & {
      readonly label: string;
      readonly keys: readonly Key[];
      readonly bounds: readonly number[];
    },
  ) {
    const { name, help, keys, label } = options;
    this.other = this.cellFor(OTHER);
    this.allow(keys);
    // A histogram of prom-client's own takes values one at a time only. Its registry asks a metric for no more than this.
    const metric = {
      name,
      help,
      type: 'histogram',
      labelNames: [label],
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

/** One number, or one for each value of the label. */
export type GaugeReading = number | Readonly<Record<string, number>>;

/** A gauge that is set when the page is read. Without a reading it has no sample, which is not the same as 0. */
export class Reading {
  #reading: GaugeReading | undefined;

  constructor(registry: Registry, { name, help, label }: Described & { readonly label: string | undefined }) {
    const values = () => {
      const reading = this.#reading;
      if (reading === undefined) return [];
      if (typeof reading === 'number') return [{ value: reading, labels: {} }];
      return Object.entries(reading).map(([key, value]) => ({ value, labels: label ? { [label]: key } : {} }));
    };
    const metric = {
      name,
      help,
      type: 'gauge',
      labelNames: label === undefined ? [] : [label],
      get: async () => ({ name, help, type: 'gauge', aggregator: 'omit', values: values() }),
    };
    registry.registerMetric(metric as unknown as Gauge);
  }

  set(reading: GaugeReading | undefined): void {
    this.#reading = reading;
  }
}
