import type { Ui } from '../../src/cli/ui.js';

/** A command's way to its caller, kept instead of shown. */
export function quietUi(): Ui & { notes: string[]; reached: number[] } {
  const notes: string[] = [];
  const reached: number[] = [];
  return {
    notes,
    reached,
    note: (line) => void notes.push(line),
    progress: () => ({ reached: (done) => void reached.push(done), stop: () => undefined }),
    checkpoint: () => undefined,
    close: () => undefined,
  };
}
