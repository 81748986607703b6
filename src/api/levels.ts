// What a level is. Each is a pure check on an already resolved viewer, without I/O: graphql-shield turns a rule that throws
// into a silent no. Which field asks for which stands in access.ts.
import type { Viewer } from '../core/context.js';
import type { ErrorCode } from '../core/errors.js';
import { FRESH_MS } from '../modules/auth/sessions.service.js';

export interface Level {
  /** As printed in the schema and the documentation. */
  readonly name: string;
  /** The code to refuse with, or undefined to let pass. `parent` is the object a field belongs to. */
  readonly check: (viewer: Viewer, now: Date, parent?: unknown) => ErrorCode | undefined;
}

const stranger = (viewer: Viewer): ErrorCode =>
  viewer.kind === 'anonymous' ? (viewer.refusal ?? 'UNAUTHENTICATED') : 'UNAUTHENTICATED';
const outsider = (viewer: Viewer): ErrorCode =>
  viewer.kind === 'anonymous' ? (viewer.refusal ?? 'UNAUTHENTICATED') : 'FORBIDDEN';

export const PUBLIC: Level = { name: 'PUBLIC', check: () => undefined };

type Person = Extract<Viewer, { kind: 'user' | 'admin' | 'staff' }>;

/** `† `: fields that serve every kind of account say so with 'all kinds'; the others are for users. */
function personal(
  name: string,
  options: { allKinds: boolean; refuse?: (viewer: Person, now: Date) => ErrorCode | undefined },
): Level {
  return {
    name,
    check(viewer, now) {
      const isOperator = viewer.kind === 'admin' || viewer.kind === 'staff';
      if (viewer.kind !== 'user' && !(options.allKinds && isOperator)) return stranger(viewer);
      return options.refuse?.(viewer, now);
    },
  };
}

const unverified = (viewer: Person): ErrorCode | undefined =>
  viewer.kind === 'user' && !viewer.emailVerified ? 'EMAIL_NOT_VERIFIED' : undefined;
const isImpersonated = (viewer: Viewer) => viewer.kind === 'user' && viewer.impersonatedBy !== null;
const stale = (viewer: Person, now: Date): ErrorCode | undefined =>
  unverified(viewer) ??
  // Whoever acts in a person's name has no password of theirs to confirm.
  (isImpersonated(viewer) ? 'FORBIDDEN' : undefined) ??
  (now.getTime() - viewer.authenticatedAt.getTime() > FRESH_MS ? 'REAUTHENTICATION_REQUIRED' : undefined);

export const AUTHENTICATED_ALL_KINDS = personal('AUTHENTICATED', { allKinds: true });
export const VERIFIED = personal('VERIFIED', { allKinds: false, refuse: unverified });
export const VERIFIED_ALL_KINDS = personal('VERIFIED', { allKinds: true, refuse: unverified });
export const FRESH = personal('FRESH', { allKinds: false, refuse: stale });
export const FRESH_ALL_KINDS = personal('FRESH', { allKinds: true, refuse: stale });

/** A person's own API key may read this too, when it holds the scope. Never used on anything that changes. */
export function orApiKey(level: Level, scope: string): Level {
  return {
    name: level.name,
    check(viewer, now, parent) {
      if (viewer.kind !== 'apiKey') return level.check(viewer, now, parent);
      if (!viewer.scopes.includes(scope)) return 'FORBIDDEN';
      return viewer.emailVerified ? undefined : 'EMAIL_NOT_VERIFIED';
    },
  };
}

export function service(scope: string): Level {
  return {
    name: `INTERNAL_SERVICE(${scope})`,
    check: (viewer) => (viewer.kind === 'service' && viewer.scopes.includes(scope) ? undefined : outsider(viewer)),
  };
}

export function admin(permission: string): Level {
  return {
    name: `ADMIN(${permission})`,
    check: (viewer) =>
      viewer.kind === 'admin' && !viewer.mustEnroll && viewer.permissions.includes(permission)
        ? undefined
        : outsider(viewer),
  };
}

export const ANY_ADMIN: Level = {
  name: 'ADMIN',
  check: (viewer) => (viewer.kind === 'admin' && !viewer.mustEnroll ? undefined : outsider(viewer)),
};

export const ANY_STAFF: Level = {
  name: 'STAFF',
  check: (viewer) => (viewer.kind === 'staff' ? undefined : outsider(viewer)),
};

/** Support staff of level n or above, or an admin who holds the permission. */
export function staff(level: 1 | 2 | 3, permission: string): Level {
  const orAdmin = admin(permission);
  return {
    name: `STAFF(${level}, ${permission})`,
    // The comparison is false for whatever is no level (A7).
    check: (viewer, now) => (viewer.kind === 'staff' && viewer.level >= level ? undefined : orAdmin.check(viewer, now)),
  };
}

/** On fields of an object: the person it belongs to, or the level named. */
export function ownerOr(level: Level, apiKeyScope?: string): Level {
  return {
    name: `OWNER or ${level.name}`,
    check(viewer, now, parent) {
      const object = parent as { id?: unknown; userId?: unknown } | undefined;
      const ownerId = object?.userId ?? object?.id;
      if (viewer.kind === 'user' && viewer.id === ownerId) return undefined;
      if (viewer.kind === 'apiKey' && viewer.id === ownerId)
        return apiKeyScope && viewer.scopes.includes(apiKeyScope) ? undefined : 'FORBIDDEN';
      return level.check(viewer, now) === undefined ? undefined : 'FORBIDDEN';
    },
  };
}

/** On fields of an operator: the operator themselves, or whoever manages their kind. */
export function operatorOr(kind: 'admin' | 'staff', level: Level): Level {
  return {
    name: `OWNER or ${level.name}`,
    check(viewer, now, parent) {
      if (viewer.kind === kind && viewer.id === (parent as { id?: unknown } | undefined)?.id) return undefined;
      return level.check(viewer, now) === undefined ? undefined : 'FORBIDDEN';
    },
  };
}

/** Whoever passes one of them. */
export function either(...levels: Level[]): Level {
  return {
    name: levels.map((level) => level.name).join(' or '),
    check: (viewer, now, parent) =>
      levels.some((level) => level.check(viewer, now, parent) === undefined) ? undefined : outsider(viewer),
  };
}

/** Of whatever is not on the page. */
export const REFUSED: Level = { name: 'NOBODY', check: (viewer) => outsider(viewer) };
