import type { ObserveStatement } from './database.js';
import { type Metrics, STATEMENT_LANES, type StatementLane } from './metrics.js';

/** What is counted of statements: how long they took, and how many are under way. */
export interface StatementWatch {
  readonly observe: ObserveStatement;
  /** Statements sent and not yet answered, by the connections they went to. */
  inFlight(): Record<StatementLane, number>;
}

export function watchStatements(metrics: Pick<Metrics, 'statementSeconds'>): StatementWatch {
  const inFlight = Object.fromEntries(STATEMENT_LANES.map((lane) => [lane, 0])) as Record<StatementLane, number>;
  return {
    observe(lane) {
      const sentAt = performance.now();
      inFlight[lane] += 1;
      return () => {
        inFlight[lane] -= 1;
        metrics.statementSeconds.add(lane, (performance.now() - sentAt) / 1_000);
      };
    },
    inFlight: () => inFlight,
  };
}
