import { badInput } from '../../core/errors.js';

/** Everything a service can be allowed to do: the scopes that some field asks for. A closed list. */
export const SERVICE_SCOPES = [
  'tokens:validate',
  'users:read',
  'credits:read',
  'credits:grant',
  'credits:use',
  'usage:read',
  'usage:write',
  'messages:write',
  'billing:read',
  'billing:write',
] as const;

export type ServiceScope = (typeof SERVICE_SCOPES)[number];

const KNOWN: ReadonlySet<string> = new Set(SERVICE_SCOPES);

/**
 * The scopes named, each once and in the order of the list above.
 * @throws BAD_USER_INPUT for none at all, or a name that is not on the list
 */
export function requireScopes(names: readonly string[], field = 'scopes'): ServiceScope[] {
  if (names.length === 0) throw badInput({ [field]: 'must name at least one scope' });
  if (names.some((name) => !KNOWN.has(name))) throw badInput({ [field]: `must be among ${SERVICE_SCOPES.join(', ')}` });
  return SERVICE_SCOPES.filter((scope) => names.includes(scope));
}
