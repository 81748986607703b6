import { createProgress, type Progress } from './progress.js';

/** A command's way to whoever started it, besides its outcome. All of it goes to standard error. */
export interface Ui {
  note(line: string): void;
  progress(title: string, options: { total: number; unit: string; start?: number }): Progress;
  /** Throws when somebody has asked to stop; call it where the work can be left and taken up again. */
  checkpoint(place: string): void;
  close(): void;
}

/** Somebody pressed Ctrl-C (or a supervisor sent SIGTERM), and the work was left at a place where it can go on. */
export class Interrupted extends Error {
  constructor(
    readonly signal: 'SIGINT' | 'SIGTERM',
    place: string,
  ) {
    super(`Stopped by ${signal}: ${place}`);
    this.name = 'Interrupted';
  }
}

export const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * The first signal lets the command reach its next checkpoint, a second one ends it on the spot. What was committed by
 * then stays, as with any other end of the process.
 */
export function createUi(stream: NodeJS.WriteStream = process.stderr): Ui {
  let asked: keyof typeof SIGNAL_EXIT | undefined;
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
    const listener = () => {
      if (asked) process.exit(SIGNAL_EXIT[signal]);
      asked = signal;
      stream.write('\nStopping at the next safe place. Once more ends it at once.\n');
    };
    process.on(signal, listener);
    return { signal, listener };
  });
  return {
    note: (line) => void stream.write(`${line}\n`),
    progress: (title, options) => createProgress(title, { ...options, stream }),
    checkpoint(place) {
      if (asked) throw new Interrupted(asked, place);
    },
    close() {
      for (const { signal, listener } of listeners) process.off(signal, listener);
    },
  };
}
