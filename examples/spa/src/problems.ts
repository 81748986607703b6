import type { CombinedError } from 'urql';

/** An error as a person reads it. */
export interface Problem {
  readonly text: string;
  /** Name of a form field → what is wrong with it. */
  readonly fields: Readonly<Record<string, string>>;
}

interface Extensions {
  code?: string;
  fields?: Record<string, string>;
  retryAfterSeconds?: number;
}

const extensionsOf = ({ graphQLErrors: [first] }: CombinedError): Extensions => first?.extensions ?? {};

/** The stable code of Credence's first error; undefined when it was the network. */
export function codeOf(error: CombinedError): string | undefined {
  return extensionsOf(error).code;
}

/** Error code → what it means where it happened. */
export type ProblemTexts = Readonly<Record<string, string>>;

/** For codes whose own sentence says too little in a form. The server's words are good for all others. */
const TEXTS: ProblemTexts = {
  BAD_USER_INPUT: 'Please look at the fields marked below.',
  WEAK_PASSWORD: 'Please choose another password.',
  INVALID_CREDENTIALS: 'This password is not right.',
  USER_ALREADY_EXISTS: 'That user name or email address is taken.',
};

export const LINK_TEXTS: ProblemTexts = {
  TOKEN_INVALID: 'This link has been used already, or is not complete.',
  TOKEN_EXPIRED: 'This link is too old.',
};

/** Thrown where a request is not even sent. */
export class SessionEnded extends Error {
  constructor() {
    super('Your session has ended. Please sign in again.');
  }
}

function networkText({ networkError }: CombinedError): string {
  return networkError instanceof SessionEnded
    ? networkError.message
    : 'The server cannot be reached. Please try again.';
}

function waitText(seconds: number): string {
  const [count, unit] = seconds < 90 ? [Math.ceil(seconds), 'second'] : [Math.ceil(seconds / 60), 'minute'];
  return `Please try again in ${count} ${unit}${count === 1 ? '' : 's'}.`;
}

export function problemOf(error: CombinedError, texts: ProblemTexts = {}): Problem {
  const { code, fields: found = {}, retryAfterSeconds } = extensionsOf(error);
  // Of two problems of a new password, Credence names one by the argument and one by what it is.
  const { newPassword, ...rest } = found;
  const fields = newPassword === undefined ? rest : { ...rest, password: newPassword };
  if (code === undefined) return { text: networkText(error), fields };
  if (code === 'RATE_LIMITED' && retryAfterSeconds !== undefined)
    return { text: `Too many tries. ${waitText(retryAfterSeconds)}`, fields };
  const text = texts[code] ?? TEXTS[code] ?? error.graphQLErrors[0]?.message ?? '';
  return { text, fields };
}
