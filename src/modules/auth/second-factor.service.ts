// Invariants: whoever has a confirmed second factor gets no session for a first one alone, whatever the way in; a code
// of either sort counts once, by one conditional write; a challenge has five tries and five minutes, opens one session,
// and is worth nothing once what it stands for (a password, an identity at a provider) has changed.
import { createHmac } from 'node:crypto';
import { and, eq, gt, isNotNull, isNull, lt, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { isKeyShaped, makeKey, sha256 } from '../../core/secrets.js';
import { canonicalBackupCode, stepOfTotpCode } from '../../core/totp.js';
import { recordAudit } from '../audit/audit.service.js';
import { backupCodes, secondFactorChallenges, totpFactors } from './auth.table.js';
import { actingAs, lockAccount, noteSignIn } from './credentials.service.js';
import { type Owner, ownerColumn, ownerOfRow, toOwnerColumns } from './owner.js';
import { type Issued, openSession, personOf } from './sessions.service.js';
import { beginAttempt } from './throttle.service.js';

const CHALLENGE_MS = 5 * 60_000;
const TRIES = 5;

export type SecondFactorMethod = 'TOTP' | 'BACKUP_CODE';

export interface SecondFactorChallenge {
  challenge: string;
  methods: SecondFactorMethod[];
  expiresAt: Date;
}

/** What was proven first, and what the session will say. */
export type FirstFactor = 'PASSWORD' | 'GOOGLE';

/** What the first factor brings: a session, or the question for the second factor. */
export type Admission = { issued: Issued } | { challenge: SecondFactorChallenge };

type Owned = { userId: AnyPgColumn; adminId: AnyPgColumn; staffId: AnyPgColumn };
const ownedBy = (table: Owned, owner: Owner) => eq(ownerColumn<AnyPgColumn>(table, owner.kind), owner.id);

/** Ties a sealed secret to its account, so that it cannot be moved to another's row. */
export const sealOf = (owner: Owner) => `${owner.kind}:${owner.id}`;
export const TOTP_SEAL = 'totp';

/** What is kept of a backup code. Keyed, because 60 bits are few enough to be tried by whoever steals the table. */
export function backupCodeHash(app: App, { owner, code }: { owner: Owner; code: string }): string {
  return createHmac('sha256', app.secrets.derive('backup-codes'))
    .update(`${sealOf(owner)}:${code}`)
    .digest('hex');
}

export async function hasSecondFactor(app: App, owner: Owner): Promise<boolean> {
  const factors = and(ownedBy(totpFactors, owner), isNotNull(totpFactors.confirmedAt));
  return (await app.db.$count(totpFactors, factors)) > 0;
}

/**
 * Lets an account in whose first factor was right a moment ago, in the transaction that has its row locked: with a
 * session, or with a challenge when there is a second factor.
 */
export async function admit(
  app: App,
  options: { account: Owner; actor: Actor; method?: FirstFactor },
): Promise<Admission> {
  const { account, actor, method = 'PASSWORD' } = options;
  if (await hasSecondFactor(app, account)) return { challenge: await openChallenge(app, { owner: account, method }) };
  return { issued: await enter(app, { account, actor, method }) };
}

async function enter(
  app: App,
  options: { account: Owner; actor: Actor; method: FirstFactor; secondFactor?: SecondFactorMethod },
): Promise<Issued> {
  const { account, method, secondFactor } = options;
  const actor = actingAs(account, options.actor);
  const username = await noteSignIn(app, account);
  // Suspended, disabled or deleted since the first factor was right.
  if (username === undefined) throw new AppError(account.kind === 'user' ? 'ACCOUNT_SUSPENDED' : 'INVALID_CREDENTIALS');
  const issued = await openSession(app, { account: { ...account, username }, method, actor });
  const target = { kind: 'session', id: issued.sessionId };
  const after = { ...(method !== 'PASSWORD' && { method }), ...(secondFactor && { secondFactor }) };
  await recordAudit(app, {
    actor,
    action: `${account.kind}.signed_in`,
    userId: personOf(account),
    target,
    ...(Object.keys(after).length > 0 && { after }),
  });
  return issued;
}

async function openChallenge(
  app: App,
  { owner, method }: { owner: Owner; method: FirstFactor },
): Promise<SecondFactorChallenge> {
  const challenge = makeKey('mfa');
  const now = app.now();
  const expiresAt = new Date(now.getTime() + CHALLENGE_MS);
  // Nobody comes back for these.
  await app.db
    .delete(secondFactorChallenges)
    .where(and(ownedBy(secondFactorChallenges, owner), lt(secondFactorChallenges.expiresAt, now)));
  await app.db
    .insert(secondFactorChallenges)
    .values({ id: newId(), ...toOwnerColumns(owner), method, tokenHash: sha256(challenge), createdAt: now, expiresAt });
  const left = await app.db.$count(backupCodes, and(ownedBy(backupCodes, owner), isNull(backupCodes.usedAt)));
  return { challenge, methods: left > 0 ? ['TOTP', 'BACKUP_CODE'] : ['TOTP'], expiresAt };
}

const liveChallenge = (app: App, challenge: string) =>
  and(
    eq(secondFactorChallenges.tokenHash, sha256(challenge)),
    isNull(secondFactorChallenges.usedAt),
    gt(secondFactorChallenges.expiresAt, app.now()),
  );

async function getChallenger(app: App, challenge: string): Promise<Owner> {
  if (!isKeyShaped(challenge, 'mfa')) throw new AppError('TOKEN_INVALID');
  const [row] = await app.db
    .select()
    .from(secondFactorChallenges)
    .where(eq(secondFactorChallenges.tokenHash, sha256(challenge)));
  if (!row || row.usedAt) throw new AppError('TOKEN_INVALID');
  if (row.expiresAt <= app.now()) throw new AppError('TOKEN_EXPIRED');
  return ownerOfRow(row);
}

/** Counted before the code is looked at, by itself: a wrong code must not take its try back. */
async function takeTry(app: App, challenge: string): Promise<void> {
  const taken = await app.db
    .update(secondFactorChallenges)
    .set({ attempts: sql`${secondFactorChallenges.attempts} + 1` })
    .where(and(liveChallenge(app, challenge), lt(secondFactorChallenges.attempts, TRIES)))
    .returning({ id: secondFactorChallenges.id });
  if (taken.length === 0) throw new AppError('TOKEN_INVALID');
}

/**
 * The second half of a sign-in: the challenge and a code make the session.
 *
 * @throws INVALID_CREDENTIALS for a code that is wrong, was used, or comes while guesses are held up; TOKEN_INVALID for
 *   a challenge we did not give, that was used, that has had its five tries or whose password has changed;
 *   TOKEN_EXPIRED; ACCOUNT_SUSPENDED; IP_NOT_ALLOWED for admins and staff from where they may not sign in; RATE_LIMITED
 *   by address
 * @param options.operatorsAllowed whether the network rules let admins and staff sign in from here
 */
export async function completeSecondFactor(
  app: App,
  options: { challenge: string; code: string; operatorsAllowed: boolean; actor: Actor },
): Promise<{ issued: Issued; owner: Owner }> {
  const { challenge, code, actor } = options;
  const owner = await getChallenger(app, challenge);
  // The second half of a sign-in comes through the same door as the first.
  if (owner.kind !== 'user' && !options.operatorsAllowed) throw new AppError('IP_NOT_ALLOWED');
  const act = (app: App) => openByCode(app, { owner, challenge, code, actor });
  return withCode(app, { owner, actor, takeTry: () => takeTry(app, challenge), act });
}

async function openByCode(
  app: App,
  options: { owner: Owner; challenge: string; code: string; actor: Actor },
): Promise<{ issued: Issued; owner: Owner } | undefined> {
  const { owner, challenge, code, actor } = options;
  const secondFactor = await spendCode(app, { owner, code });
  if (!secondFactor) return undefined;
  const [used] = await app.db
    .update(secondFactorChallenges)
    .set({ usedAt: app.now() })
    .where(liveChallenge(app, challenge))
    .returning({ method: secondFactorChallenges.method });
  if (!used) throw new AppError('TOKEN_INVALID');
  return { issued: await enter(app, { account: owner, actor, method: used.method, secondFactor }), owner };
}

/**
 * Proves the second factor of somebody who is signed in, and does what it permits in the same transaction, with the
 * account's row locked.
 *
 * @throws INVALID_CREDENTIALS, RATE_LIMITED
 */
export async function requireCode<T>(
  app: App,
  options: { owner: Owner; code: string; actor: Actor; permits: (app: App) => Promise<T> },
): Promise<T> {
  const { owner, code, actor, permits } = options;
  const act = async (app: App) => ((await spendCode(app, { owner, code })) ? { done: await permits(app) } : undefined);
  return (await withCode(app, { owner, actor, act })).done;
}

/** One guess at a code, counted by itself and before it is looked at. What `act` answers, or INVALID_CREDENTIALS. */
async function withCode<T>(
  app: App,
  options: { owner: Owner; actor: Actor; takeTry?: () => Promise<void>; act: (app: App) => Promise<T | undefined> },
): Promise<T> {
  const { owner, actor, act } = options;
  const attempt = await beginAttempt(app, { account: owner, typed: '', actor, credential: 'second factor' });
  if (attempt.allowed) {
    await options.takeTry?.();
    const result = await transact(app, async (app) => {
      // Everybody locks the account first: a change of password waits for the sign-in, or the other way round.
      await lockAccount(app, owner);
      return act(app);
    });
    if (result !== undefined) {
      await attempt.succeeded();
      return result;
    }
    const target = { kind: owner.kind, id: owner.id };
    await recordAudit(app, { actor, action: `${owner.kind}.second_factor_failed`, userId: personOf(owner), target });
  }
  throw new AppError('INVALID_CREDENTIALS');
}

/** Uses a code up; undefined when it is none, or was used before. Of any number of callers at once, one succeeds. */
async function spendCode(
  app: App,
  { owner, code }: { owner: Owner; code: string },
): Promise<SecondFactorMethod | undefined> {
  const digits = code.replace(/\s/g, '');
  if (/^\d{6}$/.test(digits)) return (await spendTotpCode(app, { owner, code: digits })) ? 'TOTP' : undefined;
  const backupCode = canonicalBackupCode(code);
  if (backupCode === undefined) return undefined;
  const used = await app.db
    .update(backupCodes)
    .set({ usedAt: app.now() })
    .where(
      and(
        ownedBy(backupCodes, owner),
        eq(backupCodes.codeHash, backupCodeHash(app, { owner, code: backupCode })),
        isNull(backupCodes.usedAt),
      ),
    )
    .returning({ id: backupCodes.id });
  return used.length === 1 ? 'BACKUP_CODE' : undefined;
}

async function spendTotpCode(app: App, { owner, code }: { owner: Owner; code: string }): Promise<boolean> {
  const confirmed = and(ownedBy(totpFactors, owner), isNotNull(totpFactors.confirmedAt));
  const [factor] = await app.db.select().from(totpFactors).where(confirmed);
  if (!factor) return false;
  const secret = app.secrets.decrypt(TOTP_SEAL, factor.sealedSecret, sealOf(owner));
  const step = stepOfTotpCode(secret, { code, now: app.now() });
  if (step === undefined) return false;
  const used = await app.db
    .update(totpFactors)
    .set({ lastStep: step })
    .where(and(eq(totpFactors.id, factor.id), lt(totpFactors.lastStep, step)))
    .returning({ id: totpFactors.id });
  return used.length === 1;
}
