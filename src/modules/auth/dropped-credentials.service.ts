// For the day somebody proves a mailbox whose account they did not make (O6). Whoever made it may have been waiting:
// nothing they hold may open it from then on.
import { and, eq, gt, isNull, or } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { emitEvents } from '../events/events.service.js';
import { apiKeys, backupCodes, recoveryPhrases, totpFactors, users } from './auth.table.js';
import { voidChallenges } from './credentials.service.js';
import { voidEmailTokens } from './email-tokens.service.js';
import { removeLinkedAccounts } from './linked-accounts.service.js';
import { endSessions } from './session-ends.service.js';
import { clearFailures, EVERY_CREDENTIAL } from './throttle.service.js';

/** Takes the force of all keys of a person, of those in their overlap too. */
export async function endApiKeys(app: App, userId: string): Promise<void> {
  const now = app.now();
  const ended = await app.db
    .update(apiKeys)
    .set({ revokedAt: now })
    .where(and(eq(apiKeys.userId, userId), or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, now))))
    .returning({ keyId: apiKeys.id });
  const toEvent = ({ keyId }: { keyId: string }) =>
    ({ kind: 'api_key.revoked', userId, data: { keyId, endsAt: now } }) as const;
  await emitEvents(app, ended.map(toEvent));
}

/**
 * Takes from an account everything that it could be entered with or taken back with: password, recovery phrase, second
 * factor, identities at providers, API keys, links in letters (those that would undo a change of address, too),
 * half-done sign-ins and sessions. Inside the transaction that has the person's row locked.
 */
export async function dropCredentials(app: App, options: { userId: string; reason: string }): Promise<void> {
  const { userId, reason } = options;
  const owner = { kind: 'user', id: userId } as const;
  await app.db.update(users).set({ passwordHash: null, updatedAt: app.now() }).where(eq(users.id, userId));
  for (const table of [recoveryPhrases, totpFactors, backupCodes]) {
    await app.db.delete(table).where(eq(table.userId, userId));
  }
  await removeLinkedAccounts(app, userId);
  await endApiKeys(app, userId);
  await voidEmailTokens(app, { owner });
  await voidEmailTokens(app, { owner, purpose: 'UNDO_EMAIL_CHANGE' });
  await voidChallenges(app, owner);
  await clearFailures(app, userId, EVERY_CREDENTIAL);
  await endSessions(app, { account: owner, reason });
}
