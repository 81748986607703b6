import type { Viewer } from './context.js';
import { AppError } from './errors.js';
import type { TokenKind } from './tokens.js';

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
