// Invariants: at most one live token per account and purpose; a token is used once, by one conditional write;
// the database holds only hashes.
import { and, eq, gt, isNull } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { isKeyShaped, type KeyKind, makeKey, sha256 } from '../../core/secrets.js';
import type { TokenKind } from '../../core/tokens.js';
import { type EmailTokenPurpose, emailTokens } from './auth.table.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const PURPOSES: Record<EmailTokenPurpose, { kind: KeyKind; lifeMs: number }> = {
  VERIFY_EMAIL: { kind: 'verify', lifeMs: 24 * HOUR },
  RESET_PASSWORD: { kind: 'reset', lifeMs: 30 * MINUTE },
  CHANGE_EMAIL: { kind: 'change', lifeMs: 30 * MINUTE },
  UNDO_EMAIL_CHANGE: { kind: 'undo', lifeMs: 72 * HOUR },
  INVITATION: { kind: 'invite', lifeMs: 72 * HOUR },
};

export interface Owner {
  kind: TokenKind;
  id: string;
}

const ownedBy = (owner: Owner) => eq(owner.kind === 'user' ? emailTokens.userId : emailTokens.adminId, owner.id);

/** A new token; older ones of the same account and purpose lose their force. Inside the caller's transaction. */
export async function createEmailToken(
  app: App,
  options: { purpose: EmailTokenPurpose; owner: Owner; email: string },
): Promise<string> {
  const { purpose, owner, email } = options;
  const { kind, lifeMs } = PURPOSES[purpose];
  await voidEmailTokens(app, { owner, purpose });
  const token = makeKey(kind);
  const now = app.now();
  await app.db.insert(emailTokens).values({
    id: newId(),
    purpose,
    tokenHash: sha256(token),
    userId: owner.kind === 'user' ? owner.id : null,
    adminId: owner.kind === 'admin' ? owner.id : null,
    email,
    createdAt: now,
    expiresAt: new Date(now.getTime() + lifeMs),
  });
  return token;
}

/** Takes the force of the account's live tokens, of one purpose or of all. */
export async function voidEmailTokens(app: App, options: { owner: Owner; purpose?: EmailTokenPurpose }): Promise<void> {
  const { owner, purpose } = options;
  await app.db
    .update(emailTokens)
    .set({ voidedAt: app.now() })
    .where(
      and(ownedBy(owner), isNull(emailTokens.usedAt), isNull(emailTokens.voidedAt), purpose ? eq(emailTokens.purpose, purpose) : undefined),
    );
}

/**
 * Uses a token up; of any number of callers at once, one succeeds. Inside the transaction of what it permits.
 *
 * @throws TOKEN_EXPIRED past its time, TOKEN_INVALID for everything else
 */
export async function consumeEmailToken(
  app: App,
  options: { token: string; purpose: EmailTokenPurpose },
): Promise<{ owner: Owner; email: string }> {
  const { token, purpose } = options;
  if (!isKeyShaped(token, PURPOSES[purpose].kind)) throw new AppError('TOKEN_INVALID');
  const mine = and(eq(emailTokens.tokenHash, sha256(token)), eq(emailTokens.purpose, purpose), isNull(emailTokens.usedAt), isNull(emailTokens.voidedAt));
  const [row] = await app.db
    .update(emailTokens)
    .set({ usedAt: app.now() })
    .where(and(mine, gt(emailTokens.expiresAt, app.now())))
    .returning();
  if (row) return { owner: row.userId ? { kind: 'user', id: row.userId } : { kind: 'admin', id: row.adminId ?? '' }, email: row.email };
  const [late] = await app.db.select({ id: emailTokens.id }).from(emailTokens).where(mine);
  throw new AppError(late ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID');
}
