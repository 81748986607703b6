import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** How much is done by now, in all. */
  reached(done: number): void;
  /** Leaves what was shown last; whatever is printed next begins on a line of its own. */
  stop(): void;
}

interface ProgressOptions {
  /** An estimate is enough; more than it may come. */
  readonly total: number;
  /** What is counted, in the plural. */
  readonly unit: string;
  /** What was done by an earlier run. */
  readonly start?: number;
  readonly stream: NodeJS.WriteStream;
}

/** How often a line is written where nobody looks at a terminal. */
const LINE_EVERY_MS = 5_000;

/** A bar with rate and remaining time on a terminal; elsewhere (a log, a pipe) a plain line every few seconds. */
export function createProgress(title: string, options: ProgressOptions): Progress {
  return options.stream.isTTY ? createBar(title, options) : createLines(title, options);
}

function createBar(title: string, { total, unit, start = 0, stream }: ProgressOptions): Progress {
  const begun = performance.now();
  const bar = new SingleBar(
    {
      format: `${title} {bar} {percentage}% | {value}/{total} ${unit} | {rate}/s | {eta_formatted} left`,
      stream,
      hideCursor: true,
      etaBuffer: 50,
      // Signals are the command's: it stops at a safe place.
      gracefulExit: false,
      fps: 5,
    },
    Presets.shades_classic,
  );
  bar.start(Math.max(1, total), start, { rate: 0 });
  return {
    reached(done) {
      if (done > bar.getTotal()) bar.setTotal(done);
      bar.update(done, { rate: rateOf(done - start, begun) });
    },
    stop: () => bar.stop(),
  };
}

function createLines(title: string, { total, unit, start = 0, stream }: ProgressOptions): Progress {
  const begun = performance.now();
  let shownAt = begun;
  return {
    reached(done) {
      const now = performance.now();
      if (now - shownAt < LINE_EVERY_MS) return;
      shownAt = now;
      const rate = rateOf(done - start, begun);
      const left = rate > 0 && total > done ? `, about ${Math.ceil((total - done) / rate)} s left` : '';
      stream.write(`${title}: ${done} of ${Math.max(done, total)} ${unit}, ${rate}/s${left}\n`);
    },
    stop: () => undefined,
  };
}

const rateOf = (done: number, begun: number) => Math.round(done / Math.max(0.001, (performance.now() - begun) / 1_000));
