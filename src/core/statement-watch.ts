import type { ObserveStatement } from './database.js';
import { type Metrics, STATEMENT_LANES, type StatementLane } from './metrics.js';
import type { Tracing } from './tracing.js';

/** What is counted of statements: how long they took, and how many are under way. */
export interface StatementWatch {
  readonly observe: ObserveStatement;
  /** Statements sent and not yet answered, by the connections they went to. */
  inFlight(): Record<StatementLane, number>;
}

/** A statement that many share is in the trace of the one who caused it; the others see that they waited. */
export function watchStatements(
  metrics: Pick<Metrics, 'statementSeconds'>,
  tracing: Tracing | undefined,
): StatementWatch {
  const inFlight = Object.fromEntries(STATEMENT_LANES.map((lane) => [lane, 0])) as Record<StatementLane, number>;
  return {
    observe(lane, { text, params }) {
      const sentAt = performance.now();
      inFlight[lane] += 1;
      const span = tracing?.start(summaryOf(text), {
        kind: 'client',
        attributes: {
          'db.system.name': 'postgresql',
          'db.query.summary': summaryOf(text),
          'db.operation.batch.size': Array.isArray(params?.[0]) ? params[0].length : undefined,
          'credence.lane': lane,
        },
      });
      return (error) => {
        inFlight[lane] -= 1;
        metrics.statementSeconds.add(lane, (performance.now() - sentAt) / 1_000);
        span?.end(error);
      };
    },
    inFlight: () => inFlight,
  };
}

const WRITE = /\b(insert\s+into|update|delete\s+from)\s+(?:only\s+)?"?([a-z_][a-z0-9_]*)"?/i;
const READ = /\bfrom\s+"?([a-z_][a-z0-9_]*)"?/i;
const MOST_REMEMBERED = 1_000;
const remembered = new Map<string, string>();

/** What a statement is called: the first thing it does and to which table, `INSERT sessions`. Never a value. */
export function summaryOf(text: string): string {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const [, verb = 'select', written] = WRITE.exec(text) ?? [];
  const table = written ?? READ.exec(text)?.[1];
  const summary = `${verb.split(/\s/)[0]?.toUpperCase()}${table ? ` ${table.toLowerCase()}` : ''}`;
  if (remembered.size < MOST_REMEMBERED) remembered.set(text, summary);
  return summary;
}
