import { domainToASCII } from 'node:url';
import { AppError, badInput } from './errors.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A malformed id is bad input; a well-formed one nobody has is NOT_FOUND, as is another's. */
export function requireId(id: string, field = 'id'): string {
  if (!isUuid(id)) throw badInput({ [field]: 'must be an id' });
  return id.toLowerCase();
}

/** The row, or NOT_FOUND: absent and foreign look alike. */
export function found<T>(row: T | undefined): T {
  if (row === undefined) throw new AppError('NOT_FOUND');
  return row;
}

const USERNAME = /^[A-Za-z][A-Za-z0-9._-]{2,31}$/;

/** 3–32 ASCII letters, digits, dots, hyphens or underscores, beginning with a letter: no look-alikes (E7). */
export function requireUsername(username: string, field = 'username'): { username: string; usernameKey: string } {
  if (!USERNAME.test(username)) {
    throw badInput({
      [field]: 'must have 3 to 32 letters, digits, dots, hyphens or underscores and begin with a letter',
    });
  }
  return { username, usernameKey: username.toLowerCase() };
}

/** Where the addresses of deleted people point: nowhere (RFC 2606). */
export const DELETED_DOMAIN = 'deleted.invalid';

const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/;

/** The canonical form of one address: ASCII local part, A-label domain; undefined when it is not one (E6, E7). */
export function canonicalEmail(email: string): { email: string; emailKey: string } | undefined {
  const at = email.lastIndexOf('@');
  const local = email.slice(0, at);
  const domain = domainToASCII(email.slice(at + 1)).toLowerCase();
  if (at < 1 || local.length > 64 || email.length > 254 || !LOCAL_PART.test(local) || !DOMAIN.test(domain))
    return undefined;
  // Reserved: whoever registered `<id>@deleted.invalid` could keep that person from being deleted.
  if (domain === DELETED_DOMAIN) return undefined;
  return { email: `${local}@${domain}`, emailKey: `${local}@${domain}`.toLowerCase() };
}

export function requireEmail(email: string, field = 'email'): { email: string; emailKey: string } {
  const canonical = canonicalEmail(email);
  if (!canonical) throw badInput({ [field]: 'must be an email address' });
  return canonical;
}

const LONGEST_REASON = 500;

/** Why somebody acts on an account, without blanks around it. @throws BAD_USER_INPUT */
export function requireReason(reason: string, shortest = 1): string {
  const text = reason.trim();
  if (text.length >= shortest && text.length <= LONGEST_REASON) return text;
  throw badInput({ reason: `must have ${shortest} to ${LONGEST_REASON} characters` });
}
