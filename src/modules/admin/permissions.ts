import { badInput } from '../../core/errors.js';

/** Everything an admin can be allowed to do. A closed list: what is not here is held by nobody. */
export const PERMISSIONS = [
  'users:read',
  'users:write',
  'users:delete',
  'users:impersonate',
  'admins:manage',
  'staff:manage',
  'services:manage',
  'catalog:manage',
  'security:manage',
  'email:manage',
  'webhooks:manage',
  'audit:read',
  'billing:read',
  'system:read',
  'credits:adjust',
  'messages:read',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

const KNOWN: ReadonlySet<string> = new Set(PERMISSIONS);

/**
 * The permissions named, each once and in the order of the list above.
 * @throws BAD_USER_INPUT for a name that is not on the list (A7)
 */
export function requirePermissions(names: readonly string[], field = 'permissions'): Permission[] {
  if (names.some((name) => !KNOWN.has(name))) throw badInput({ [field]: `must be among ${PERMISSIONS.join(', ')}` });
  return PERMISSIONS.filter((permission) => names.includes(permission));
}
