import type { Viewer } from './context.js';
import { AppError } from './errors.js';
import type { TokenKind } from './tokens.js';

/** Support staff of the lowest level work with masked addresses, and so cannot search by them either. */
export function seesAddresses(viewer: Viewer): boolean {
  return viewer.kind !== 'staff' || viewer.level > 1;
}

/** A person's address as this viewer may see it: whole, or enough of it to tell two people apart. */
export function shownEmail(viewer: Viewer, email: string): string {
  return seesAddresses(viewer) ? email : maskedEmail(email);
}

export function maskedEmail(email: string): string {
  return `${email.slice(0, 1)}***${email.slice(email.lastIndexOf('@'))}`;
}

/** The id of whoever is asking. The access page has let only them through; this is its second lock. */
export function viewerId(viewer: Viewer): string {
  if (viewer.kind === 'anonymous') throw new AppError('UNAUTHENTICATED');
  return viewer.id;
}

/** The session the request was made with. */
export function viewerSession(viewer: Viewer): string {
  if (!('sessionId' in viewer)) throw new AppError('UNAUTHENTICATED');
  return viewer.sessionId;
}

/** The account that is signed in, of whatever kind: for fields that serve them all. */
export function viewerAccount(viewer: Viewer): { kind: TokenKind; id: string } {
  if (!('sessionId' in viewer)) throw new AppError('UNAUTHENTICATED');
  return { kind: viewer.kind, id: viewer.id };
}
