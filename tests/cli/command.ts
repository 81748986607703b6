import { once } from 'node:events';
import { spawnCredence } from '../support/process.js';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, as somebody on this machine would. */
export async function credence(env: Record<string, string>, args: string[], input?: string): Promise<Ended> {
  const { child } = spawnCredence(env, args, input === undefined ? {} : { input });
  const texts = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (texts.stdout += chunk));
  child.stderr?.on('data', (chunk) => (texts.stderr += chunk));
  await once(child, 'close');
  return { code: child.exitCode, ...texts };
}

/** The one line of JSON that `--json` promises. */
export function jsonOf({ stdout }: Ended) {
  if (!/^\{.*\}\n$/.test(stdout)) throw new Error(`Not one line of JSON: ${stdout}`);
  return JSON.parse(stdout);
}
