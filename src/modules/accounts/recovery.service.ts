// Invariants: a phrase is issued, shown once, kept as an Argon2id hash, and works once; wrong ones are counted like
// wrong passwords, by themselves; the answer tells neither who has an account nor who has a phrase (R1–R5).
import { and, eq } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { createRowLookup } from '../../core/lookups.js';
import { requirePassword } from '../../core/password-policy.js';
import { canonicalPhrase, makeRecoveryPhrase } from '../../core/recovery-phrase.js';
import { recordAudit } from '../audit/audit.service.js';
import { recoveryPhrases, type UserRow } from '../auth/auth.table.js';
import { actingAs, addressOf, getAccount, hashNewPassword, setPassword } from '../auth/credentials.service.js';
import type { Owner } from '../auth/owner.js';
import { beginAttemptByName, compareGuess } from '../auth/throttle.service.js';
import { queueLetter } from '../mail/outbox.service.js';

/** Twelve words that can set a new password once; an earlier phrase loses its force. Answered here and never again. */
export async function createRecoveryPhrase(app: App, options: { userId: string; actor: Actor }): Promise<string> {
  const { userId, actor } = options;
  const phrase = makeRecoveryPhrase();
  const phraseHash = await app.passwords.hash(phrase);
  await transact(app, async (app) => {
    const row = { phraseHash, createdAt: app.now() };
    await app.db
      .insert(recoveryPhrases)
      .values({ userId, ...row })
      .onConflictDoUpdate({ target: recoveryPhrases.userId, set: row });
    const account = await getAccount(app, { kind: 'user', id: userId });
    const target = { kind: 'user', id: userId };
    await recordAudit(app, { actor, action: 'user.recovery_phrase_created', userId, target });
    const data = { username: account.username };
    await queueLetter(app, {
      ...addressOf(account),
      kind: 'RECOVERY_PHRASE_CREATED',
      requestId: actor.requestId,
      data,
    });
  });
  return phrase;
}

const findPhrase = createRowLookup<{ user_id: string }>(
  'select user_id from recovery_phrases where user_id = any($1::uuid[])',
  (row) => row.user_id,
);

export async function hasRecoveryPhrase(app: App, options: { userId: string }): Promise<boolean> {
  return (await findPhrase(app, options.userId)) !== undefined;
}

interface Recovery {
  identifier: string;
  phrase: string;
  newPassword: string;
  actor: Actor;
}

/**
 * Sets a new password with the recovery phrase and uses the phrase up. Ends all sessions, and signs nobody in, so that
 * whatever sign-in asks for beside the password (a second factor, an IP list) is still asked for (ASVS 6.4.3).
 *
 * @throws INVALID_CREDENTIALS for everything that is not right; WEAK_PASSWORD; ACCOUNT_SUSPENDED only to who has the
 *   phrase; RATE_LIMITED, RETRY_LATER
 */
export async function recoverAccount(app: App, options: Recovery): Promise<void> {
  const { identifier, newPassword } = options;
  // Before the account is looked at: what a stranger may learn of the new password depends on what they sent alone.
  await requirePassword(newPassword, { minLength: app.config.passwords.minLength, context: [identifier] });
  const { user, phraseHash } = await requirePhrase(app, options);
  const owner: Owner = { kind: 'user', id: user.id };
  const passwordHash = await hashNewPassword(app, { account: await getAccount(app, owner), password: newPassword });
  const actor = actingAs(owner, options.actor);
  await transact(app, async (app) => {
    const used = await app.db
      .delete(recoveryPhrases)
      .where(and(eq(recoveryPhrases.userId, user.id), eq(recoveryPhrases.phraseHash, phraseHash)))
      .returning({ userId: recoveryPhrases.userId });
    if (used.length === 0) throw new AppError('INVALID_CREDENTIALS');
    const account = await getAccount(app, owner);
    if (account.suspended) throw new AppError('ACCOUNT_SUSPENDED');
    await setPassword(app, { account, passwordHash, reason: 'RECOVERED' });
    await recordAudit(app, { actor, action: 'user.recovered', userId: user.id, target: { kind: 'user', id: user.id } });
    await queueLetter(app, {
      ...addressOf(account),
      kind: 'ACCOUNT_RECOVERED',
      requestId: actor.requestId,
      data: { username: account.username },
    });
  });
}

/** The person whose phrase this is. One guess and one hash, whether there is an account, a phrase, or neither. */
async function requirePhrase(app: App, options: Recovery): Promise<{ user: UserRow; phraseHash: string }> {
  const { identifier, actor } = options;
  const phrase = canonicalPhrase(options.phrase);
  if (phrase === undefined) throw new AppError('INVALID_CREDENTIALS');
  const { user, attempt } = await beginAttemptByName(app, { identifier, actor, credential: 'recovery phrase' });
  const [row] = user ? await app.db.select().from(recoveryPhrases).where(eq(recoveryPhrases.userId, user.id)) : [];
  const { ok } = await compareGuess(app, { attempt, guess: phrase, stored: row?.phraseHash });
  if (user && row && ok) {
    await attempt.succeeded();
    return { user, phraseHash: row.phraseHash };
  }
  if (user && attempt.allowed) {
    const target = { kind: 'user', id: user.id };
    await recordAudit(app, {
      actor,
      action: 'user.sign_in_failed',
      userId: user.id,
      target,
      reason: 'recovery phrase',
    });
  }
  throw new AppError('INVALID_CREDENTIALS');
}
