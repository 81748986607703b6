import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A process of its own, with what it has written so far. */
export interface Child {
  readonly process: ChildProcess;
  /** Resolves once it has written the text. @throws Error when it ends without having done so. */
  says(text: string): Promise<void>;
  /** Resolves when it has ended and all its output is read. */
  ended(): Promise<unknown>;
}

/** The URL of a compiled module, for scripts that run outside of vitest. */
export const compiled = (path: string) => pathToFileURL(resolve(import.meta.dirname, '../../dist', path)).href;

/** Runs a module's text, in which top-level await works, as a process of its own. */
export function startScript(script: string): Child {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(child, 'close');
  return {
    process: child,
    ended: () => ended,
    async says(text) {
      while (!output.includes(text)) {
        const next = [once(child.stdout, 'data'), once(child.stderr, 'data'), ended.then(() => 'over')];
        if ((await Promise.race(next)) === 'over') throw new Error(`It ended without "${text}": ${output}`);
      }
    },
  };
}
