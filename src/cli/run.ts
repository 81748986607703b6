import type { Ui } from './ui.js';

/**
 * How every command but `serve` ends (docs/SETUP_GUIDE.md, "The command line"):
 * 0 done, and what was checked is right; 1 what was checked is wrong, or it was refused or failed; 2 the command line or
 * the configuration cannot be used; 130 and 143 stopped by SIGINT or SIGTERM, at a place where it can go on.
 */
export const EXIT = { ok: 0, wrong: 1, usage: 2 } as const;

/** What a command has to say at its end: as JSON for programs, in words for people. */
export interface Outcome {
  /** False ends with 1. */
  readonly ok: boolean;
  readonly result: Record<string, unknown>;
  /** Lines for people, without the last line break. */
  readonly text: string;
}

export type Action<Options> = (options: Options, ui: Ui) => Promise<Outcome>;

/** As commander hands it over, as far as it is needed here. */
interface Parsed {
  readonly registeredArguments: readonly { name(): string }[];
  readonly processedArgs: readonly unknown[];
  opts(): Record<string, unknown>;
}

/**
 * An action for commander: loads the command's own file, which brings the heavy imports, only when it is called. The
 * outcome goes to standard output, and nothing else does; whatever fails is said on standard error.
 */
export function run<Options>(load: () => Promise<Action<Options>>): (...received: unknown[]) => Promise<void> {
  return async (...received) => {
    const command = received.at(-1) as Parsed;
    const named = command.registeredArguments.map((argument, place) => [argument.name(), command.processedArgs[place]]);
    const options = { ...command.opts(), ...Object.fromEntries(named) } as Options & { json?: boolean };
    const { createUi } = await import('./ui.js');
    const ui = createUi();
    try {
      const outcome = await (await load())(options, ui);
      write(options.json ? JSON.stringify({ ok: outcome.ok, ...outcome.result }) : outcome.text);
      process.exitCode = outcome.ok ? EXIT.ok : EXIT.wrong;
    } catch (error) {
      const { describeFailure } = await import('./failure.js');
      const { code, message, exitCode } = describeFailure(error);
      if (options.json) write(JSON.stringify({ ok: false, error: { code, message } }));
      process.stderr.write(`${message}\n`);
      process.exitCode = exitCode;
    } finally {
      ui.close();
    }
  };
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}
