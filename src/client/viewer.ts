import { CredenceError } from './errors.js';

/** What a cached or a local answer cannot promise to be current is not here: ask `creditBalance` and `usage` for it. */
export interface Profile {
  email: string;
  emailVerified: boolean;
  planCode: string;
}

interface AnyViewer {
  /** UUID of the account. */
  id: string;
  username: string;
  /** ISO 8601: when the token ends. */
  expiresAt: string;
  /** Null for an API key. */
  sessionId: string | null;
  /** Of an API key; null for a sign-in, which holds everything its person may do. */
  scopes: readonly string[] | null;
  /** The admin who acts in the person's name. Refuse what only the person may do: pay, sign, delete. */
  impersonatedBy: string | null;
  /** The admin may only look: change nothing for this token. */
  readOnly: boolean;
}

export interface UserViewer extends AnyViewer {
  kind: 'USER';
  /** Null when the token was verified locally: it does not say. Ask for it with `profile: true`. */
  profile: Profile | null;
}

export interface ApiKeyViewer extends AnyViewer {
  kind: 'API_KEY';
  profile: Profile;
}

export interface StaffViewer extends AnyViewer {
  kind: 'STAFF';
  /** 1 looks, 2 helps, 3 decides. */
  level: number;
}

export interface AdminViewer extends AnyViewer {
  kind: 'ADMIN';
}

/** Whose token it is. */
export type Viewer = UserViewer | ApiKeyViewer | StaffViewer | AdminViewer;

export type ViewerKind = Viewer['kind'];

/** The viewer behind a middleware that lets nobody else through. @throws CredenceError UNAUTHENTICATED without one */
export function requireViewer(viewer: Viewer | null | undefined): Viewer {
  if (viewer) return viewer;
  throw new CredenceError('UNAUTHENTICATED', { message: 'Nobody is signed in here.' });
}

/** Why a token is not good; see `TokenValidationCode` in the schema. */
export type TokenRefusal =
  | 'EXPIRED'
  | 'REVOKED'
  | 'SUSPENDED'
  | 'MALFORMED'
  | 'NOT_FOUND'
  | 'INSUFFICIENT_SCOPE'
  | 'IP_NOT_ALLOWED';

/** The answer for any text sent as a token. `asOf`: the moment at which it was so, at the earliest. */
export type TokenAnswer =
  | { valid: true; viewer: Viewer; asOf: Date }
  | { valid: false; code: TokenRefusal; asOf: Date };

/** What is asked of a token, without anything that cannot change the answer. */
export interface TokenQuestion {
  token: string;
  scopes: readonly string[] | null;
  ip: string | null;
}
