import { type AppError, badInput } from '../core/errors.js';

const LONGEST_TEXT = 10_000;

/** PostgreSQL stores no NUL; a password is not stored and may hold one. */
function problemOf(name: string, text: string): string | undefined {
  if (text.length > LONGEST_TEXT) return `must have at most ${LONGEST_TEXT} characters`;
  if (!text.isWellFormed()) return 'must be well-formed Unicode';
  if (text.includes('\0') && !/password$/i.test(name)) return 'must not hold NUL characters';
  return undefined;
}

/** Looks through the arguments of one field for text that nothing behind this door could keep (D4, G20). */
export function checkText(args: unknown, path = ''): AppError | undefined {
  if (typeof args === 'string') {
    const problem = problemOf(path, args);
    return problem ? badInput({ [path]: problem }) : undefined;
  }
  if (typeof args !== 'object' || args === null || args instanceof Date) return undefined;
  for (const name of Object.keys(args)) {
    const here = path ? `${path}.${name}` : name;
    const problem = checkText((args as Record<string, unknown>)[name], here) ?? checkText(name, here);
    if (problem) return problem;
  }
  return undefined;
}
