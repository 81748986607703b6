import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const LOOK_MS = 1_000;
/** The share of a second that a server with nothing to do spends on its own affairs. */
const QUIET = 0.1;
/** So many quiet seconds in a row: long enough that the next request is not likely to come into the pause. */
const LOOKS = 5;

interface Surroundings {
  /** The share of the time since it was last asked that this process was at work. */
  readonly workload: () => number;
  readonly collect: () => void;
}

/**
 * Gives memory back when there is nothing to do: what a start or a busy hour needed, and V8 would keep for the next one.
 * Takes less than a tenth of a second, once for each time that the server becomes quiet.
 */
export function startSpareMemory({ workload, collect }: Surroundings = ofThisProcess()): { stop(): Promise<void> } {
  let quietLooks = 0;
  const looking = setInterval(() => {
    quietLooks = workload() < QUIET ? quietLooks + 1 : 0;
    if (quietLooks !== LOOKS) return;
    collect();
    // The pause itself is no work to come back from.
    workload();
  }, LOOK_MS).unref();
  return {
    async stop() {
      clearInterval(looking);
    },
  };
}

function ofThisProcess(): Surroundings {
  const { eventLoopUtilization } = performance;
  let before = eventLoopUtilization();
  return {
    workload() {
      const now = eventLoopUtilization();
      const { utilization } = eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    collect: giveBackMemory,
  };
}

/** Collects all garbage and shrinks the heap to what is left. Node.js offers this by a flag only, which any moment may set. */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc');
  const gc: (options: { type: 'major'; flavor: 'last-resort' }) => void = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
