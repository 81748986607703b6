import { randomBytes } from 'node:crypto';
import type { App } from '../../core/context.js';
import { OutboundError } from '../../core/outbound.js';

const PREFIX = 'whsec_';
/** Standard Webhooks asks for 24 to 64. */
const SECRET_BYTES = 32;

/** A new signing secret, as receivers are given it. */
export function makeSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/** What is signed with: the bytes behind the prefix. */
export function secretBytes(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), 'base64');
}

/** Bound to its endpoint: a sealed secret that is copied to another row does not open there. */
export function sealSecret(app: App, options: { endpointId: string; secret: string }): string {
  return app.secrets.encrypt('webhook', options.secret, options.endpointId);
}

/** @throws OutboundError when it was sealed under another encryption key: nothing can be sent, and trying again is right */
export function openSecret(app: App, options: { endpointId: string; sealed: string }): string {
  try {
    return app.secrets.decrypt('webhook', options.sealed, options.endpointId);
  } catch (error) {
    throw new OutboundError('ESECRETSEALED', { cause: error });
  }
}
