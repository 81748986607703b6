import type { ForgetOptions } from './token-validation.js';

/** An event of Credence as a webhook, a topic or a queue brings it, once its signature has been verified. */
export interface CredenceEvent {
  type: string;
  data: Record<string, unknown>;
}

/** After which what is known of a person or a session is no longer so. */
const CHANGES: ReadonlySet<string> = new Set([
  'user.verified',
  'user.updated',
  'user.suspended',
  'user.deleted',
  'user.restored',
  'api_key.revoked',
]);

/** Whom to forget when this has happened; undefined when it changes nothing that `validateToken` says. */
export function concernOf({ type, data }: CredenceEvent): ForgetOptions | undefined {
  if (type === 'session.revoked') return typeof data.sessionId === 'string' ? { sessionId: data.sessionId } : undefined;
  return CHANGES.has(type) && typeof data.userId === 'string' ? { userId: data.userId } : undefined;
}
