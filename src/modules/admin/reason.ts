import { badInput } from '../../core/errors.js';

const LONGEST_REASON = 500;

/** Why somebody acts on another's account, without blanks around it. @throws BAD_USER_INPUT */
export function requireReason(reason: string): string {
  const text = reason.trim();
  if (text.length >= 1 && text.length <= LONGEST_REASON) return text;
  throw badInput({ reason: `must have 1 to ${LONGEST_REASON} characters` });
}
