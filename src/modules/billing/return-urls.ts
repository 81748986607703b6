import type { Config } from '../../core/config.js';
import { badInput } from '../../core/errors.js';

/** Apps that people come from are those that they may be sent back to. */
function originsOf({ publicUrl, frontendUrl, corsOrigins }: Config['server']): Set<string | undefined> {
  return new Set([publicUrl, frontendUrl ?? publicUrl, ...corsOrigins].map((url) => URL.parse(url)?.origin));
}

/**
 * Where Stripe's page sends a person back to: an address at one of our own origins, or a page at the front end (without
 * one, at this server) when none is given. Anything else would make our checkout somebody's redirect (S14).
 *
 * @throws BAD_USER_INPUT
 */
export function returnUrl(
  { server }: Config,
  { url, field, path }: { url: string | null | undefined; field: string; path: string },
): string {
  if (url == null) return `${server.frontendUrl ?? server.publicUrl}${path}`;
  const parsed = url.length <= 2_000 ? URL.parse(url) : null;
  if (parsed && originsOf(server).has(parsed.origin) && parsed.username === '' && parsed.password === '') return url;
  throw badInput({ [field]: 'must be an address at PUBLIC_URL, FRONTEND_URL or one of CORS_ORIGINS' });
}
