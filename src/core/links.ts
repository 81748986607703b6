import type { Config } from './config.js';

/**
 * The address a letter's link leads to: the single-page app, or Credence's own small page. The host comes from the
 * configuration and never from a request (E5).
 */
export function linkTo(config: Config, path: string, token: string): string {
  return `${config.server.frontendUrl ?? config.server.publicUrl}${path}?token=${token}`;
}
