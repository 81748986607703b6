import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A process of its own, with what it has written so far. */
export interface Child {
  readonly process: ChildProcess;
  output(): string;
  /** Resolves once the output holds the text. @throws Error when the process ends without having written it. */
  says(text: string): Promise<void>;
  /** The exit code, or the signal's name. */
  ended(): Promise<number | string>;
}

const root = resolve(import.meta.dirname, '../..');

/** The URL of a compiled module, for scripts that run outside of vitest. */
export const compiled = (path: string) => pathToFileURL(resolve(root, 'dist', path)).href;

/** Runs node with these arguments from an environment that holds nothing but what is given. */
export function startNode(args: readonly string[], environment: Record<string, string> = {}): Child {
  const child = spawn(process.execPath, args, { cwd: root, env: { PATH: process.env.PATH, ...environment } });
  let output = '';
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return {
    process: child,
    output: () => output,
    ended: () => ended,
    async says(text) {
      const over = ended.then(() => 'over');
      while (!output.includes(text)) {
        const next = Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), over]);
        if ((await next) === 'over' && !output.includes(text)) throw new Error(`It ended without "${text}": ${output}`);
      }
    },
  };
}

/** Runs a module's text, in which top-level await works. */
export function startScript(script: string): Child {
  return startNode(['--input-type=module', '--eval', script]);
}
