import type { Config } from '../core/config.js';
import type { App } from '../core/context.js';

export type Level = 'ok' | 'warning' | 'problem';

export interface Finding {
  level: Level;
  /** What was found. Never holds a secret: no URL, no value of a setting that may be one. */
  sentence: string;
  /** What to do about it. */
  advice?: string;
}

export const ok = (sentence: string): Finding => ({ level: 'ok', sentence });
export const warning = (sentence: string, advice: string): Finding => ({ level: 'warning', sentence, advice });
export const problem = (sentence: string, advice: string): Finding => ({ level: 'problem', sentence, advice });

/** What a check may look at. */
export interface Scope {
  readonly config: Config;
  /** On a database that answers and has all migrations of this build; undefined without one. */
  readonly app: App | undefined;
}

export interface Check {
  readonly name: string;
  /** What it throws becomes a problem of its own, and hides no other check. */
  look(scope: Scope): Promise<Finding[]> | Finding[];
}

/** The code of whatever another program or machine failed with: its message might repeat what it was sent. */
export function codeOf(error: unknown): string {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) && code !== 'UPSTREAM_FAILED') return code;
    if (cause.cause === undefined && /^[A-Za-z]{3,40}$/.test(cause.name) && !['Error', 'AppError'].includes(cause.name))
      return cause.name;
  }
  return 'no reason given';
}
