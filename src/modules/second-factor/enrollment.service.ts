// Invariants: a secret counts only after one of its codes was accepted, and that code counts no second time; secret and
// backup codes are shown once and kept sealed or hashed; every change ends the other sessions, is audited and mailed.
import { and, eq, isNull } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { canonicalBackupCode, makeBackupCode, makeTotpSecret, stepOfTotpCode, totpUri } from '../../core/totp.js';
import { recordAudit } from '../audit/audit.service.js';
import { backupCodes, totpFactors, users } from '../auth/auth.table.js';
import { addressOf, getAccount, lockAccount } from '../auth/credentials.service.js';
import { type Owner, ownerColumn, toOwnerColumns } from '../auth/owner.js';
import { backupCodeHash, requireCode, sealOf, TOTP_SEAL } from '../auth/second-factor.service.js';
import { endSessions } from '../auth/session-ends.service.js';
import { personOf } from '../auth/sessions.service.js';
import { queueLetter } from '../mail/outbox.service.js';

const BACKUP_CODES = 10;

interface Caller {
  account: Owner;
  sessionId: string;
  actor: Actor;
}

const ownFactor = ({ kind, id }: Owner) => eq(ownerColumn<AnyPgColumn>(totpFactors, kind), id);

/**
 * A new secret, which does nothing before `confirmTotpEnrollment`; one that was not confirmed is replaced.
 *
 * @throws CONFLICT when a second factor is active: it has to be disabled first
 */
export async function startTotpEnrollment(
  app: App,
  { account, actor }: { account: Owner; actor: Actor },
): Promise<{ secret: string; uri: string }> {
  const secret = makeTotpSecret();
  return transact(app, async (app) => {
    await keepUnconfirmed(app, { account, secret });
    const target = { kind: account.kind, id: account.id };
    await recordAudit(app, {
      actor,
      action: `${account.kind}.second_factor_started`,
      userId: personOf(account),
      target,
    });
    const { username } = await getAccount(app, account);
    const issuer = new URL(app.config.server.publicUrl).hostname;
    return { secret, uri: totpUri(secret, { issuer, account: username }) };
  });
}

async function keepUnconfirmed(app: App, { account, secret }: { account: Owner; secret: string }): Promise<void> {
  const sealedSecret = app.secrets.encrypt(TOTP_SEAL, secret, sealOf(account));
  const row = { sealedSecret, createdAt: app.now() };
  const started = await app.db
    .insert(totpFactors)
    .values({ id: newId(), ...toOwnerColumns(account), ...row })
    .onConflictDoUpdate({
      target: ownerColumn<AnyPgColumn>(totpFactors, account.kind),
      set: row,
      setWhere: isNull(totpFactors.confirmedAt),
    })
    .returning({ id: totpFactors.id });
  if (started.length === 0) throw new AppError('CONFLICT', { message: 'A second factor is active already.' });
}

/**
 * Switches the second factor on with a first code. Answers the backup codes, here and never again; ends the other
 * sessions, which were opened without it.
 *
 * @throws CONFLICT when no enrolment was started; INVALID_CREDENTIALS for a wrong code
 */
export async function confirmTotpEnrollment(app: App, options: Caller & { code: string }): Promise<string[]> {
  const { account, code } = options;
  return transact(app, async (app) => {
    await lockAccount(app, account);
    const [factor] = await app.db
      .select()
      .from(totpFactors)
      .where(and(ownFactor(account), isNull(totpFactors.confirmedAt)))
      .for('update');
    if (!factor) throw new AppError('CONFLICT', { message: 'Start the enrolment first.' });
    const secret = app.secrets.decrypt(TOTP_SEAL, factor.sealedSecret, sealOf(account));
    const lastStep = stepOfTotpCode(secret, { code: code.replace(/\s/g, ''), now: app.now() });
    if (lastStep === undefined) throw new AppError('INVALID_CREDENTIALS');
    await app.db.update(totpFactors).set({ confirmedAt: app.now(), lastStep }).where(eq(totpFactors.id, factor.id));
    // A sign-in that read the row before, and found no second factor, finds it changed.
    if (account.kind === 'user')
      await app.db.update(users).set({ updatedAt: app.now() }).where(eq(users.id, account.id));
    const codes = await replaceBackupCodes(app, account);
    await noteChange(app, { ...options, change: 'ENABLED' });
    return codes;
  });
}

/** Switches the second factor off with a code of either sort. @throws INVALID_CREDENTIALS, RATE_LIMITED */
export async function disableTotp(app: App, options: Caller & { code: string }): Promise<void> {
  const { account, code, actor } = options;
  const permits = async (app: App) => {
    await deleteSecondFactor(app, account);
    await noteChange(app, { ...options, change: 'DISABLED' });
  };
  await requireCode(app, { owner: account, code, actor, permits });
}

/** New backup codes with a code of either sort; the earlier ones lose their force. @throws INVALID_CREDENTIALS, RATE_LIMITED */
export async function regenerateBackupCodes(app: App, options: Caller & { code: string }): Promise<string[]> {
  const { account, code, actor } = options;
  const permits = async (app: App) => {
    const codes = await replaceBackupCodes(app, account);
    const target = { kind: account.kind, id: account.id };
    const userId = personOf(account);
    await recordAudit(app, { actor, action: `${account.kind}.backup_codes_replaced`, userId, target });
    const { username, ...letter } = await letterTo(app, account);
    await queueLetter(app, {
      ...letter,
      kind: 'BACKUP_CODES_REPLACED',
      requestId: actor.requestId,
      data: { username },
    });
    return codes;
  };
  return requireCode(app, { owner: account, code, actor, permits });
}

/** With all that belongs to it. Inside the caller's transaction. */
export async function deleteSecondFactor(app: App, account: Owner): Promise<void> {
  await app.db.delete(totpFactors).where(ownFactor(account));
  await deleteBackupCodes(app, account);
}

async function deleteBackupCodes(app: App, { kind, id }: Owner): Promise<void> {
  await app.db.delete(backupCodes).where(eq(ownerColumn<AnyPgColumn>(backupCodes, kind), id));
}

async function replaceBackupCodes(app: App, owner: Owner): Promise<string[]> {
  await deleteBackupCodes(app, owner);
  const codes = Array.from({ length: BACKUP_CODES }, makeBackupCode);
  const rows = codes.map((shown) => ({
    id: newId(),
    ...toOwnerColumns(owner),
    codeHash: backupCodeHash(app, { owner, code: canonicalBackupCode(shown) ?? '' }),
    createdAt: app.now(),
  }));
  await app.db.insert(backupCodes).values(rows);
  return codes;
}

async function letterTo(app: App, owner: Owner) {
  const account = await getAccount(app, owner);
  return { ...addressOf(account), username: account.username };
}

async function noteChange(app: App, options: Caller & { change: 'ENABLED' | 'DISABLED' }): Promise<void> {
  const { account, sessionId, actor, change } = options;
  await endSessions(app, { account, reason: `SECOND_FACTOR_${change}`, except: sessionId });
  const action = `${account.kind}.second_factor_${change === 'ENABLED' ? 'enabled' : 'disabled'}` as const;
  const target = { kind: account.kind, id: account.id };
  await recordAudit(app, { actor, action, userId: personOf(account), target });
  const { username, ...letter } = await letterTo(app, account);
  if (change === 'ENABLED')
    return void (await queueLetter(app, {
      ...letter,
      kind: 'SECOND_FACTOR_ENABLED',
      requestId: actor.requestId,
      data: { username },
    }));
  const data = { username, when: app.now(), ip: actor.ip };
  await queueLetter(app, { ...letter, kind: 'SECOND_FACTOR_DISABLED', requestId: actor.requestId, data });
}
