// The same gate as for people (sign-in.service), for admins and staff: the same work and the same answer for an unknown
// name, a wrong password, a locked, an invited and a disabled account (P1–P3).
import { and, eq, isNull, or } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { canonicalEmail } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { type AccountRecord, findAccount, OPERATORS } from './credentials.service.js';
import { type Admission, admit } from './second-factor.service.js';
import { beginAttempt, compareGuess } from './throttle.service.js';

type Kind = keyof typeof OPERATORS;
type Operator = AccountRecord & { kind: Kind };

export type OperatorSignedIn = Admission & { accountId: string };

async function findOperatorByIdentifier(
  app: App,
  { kind, identifier }: { kind: Kind; identifier: string },
): Promise<Operator | undefined> {
  const table = OPERATORS[kind];
  const emailKey = canonicalEmail(identifier)?.emailKey;
  const [row] = await app.db
    .select({ id: table.id })
    .from(table)
    .where(or(eq(table.usernameKey, identifier.toLowerCase()), emailKey ? eq(table.emailKey, emailKey) : undefined));
  const account = row && (await findAccount(app, { kind, id: row.id }));
  return account && { ...account, kind };
}

/**
 * Signs an admin or a staff member in by username or address and password; whoever has a second factor is asked for it
 * instead.
 *
 * @throws INVALID_CREDENTIALS for everything that is not right, a disabled account included; RATE_LIMITED by address;
 *   RETRY_LATER when the hashing queue is full
 */
export async function operatorLogin(
  app: App,
  options: { kind: Kind; identifier: string; password: string; actor: Actor },
): Promise<OperatorSignedIn> {
  const { kind, identifier, password, actor } = options;
  const account = await findOperatorByIdentifier(app, { kind, identifier });
  const attempt = await beginAttempt(app, { account, typed: identifier, actor });
  // A blocked attempt, or one at a disabled account, costs the same hash: time does not tell it from a wrong password.
  const isOpen = attempt.allowed && account?.suspended === false;
  const stored = isOpen ? account.passwordHash : null;
  const { ok, needsRehash } = await compareGuess(app, { attempt, guess: password, stored });
  if (!ok || !account) {
    if (account && attempt.allowed) {
      const target = { kind, id: account.id };
      await recordAudit(app, { actor, action: `${kind}.sign_in_failed`, target });
    }
    throw new AppError('INVALID_CREDENTIALS');
  }
  await attempt.succeeded();
  const rehashed = needsRehash ? await app.passwords.hash(password) : undefined;
  return (await enter(app, { account, rehashed, actor })) ?? enterAgain(app, { account, password, actor });
}

/** Lets in if the hash that was verified still stands and nobody disabled the account meanwhile. */
async function enter(
  app: App,
  options: { account: Operator; rehashed?: string | undefined; actor: Actor },
): Promise<OperatorSignedIn | undefined> {
  const { account, rehashed, actor } = options;
  const table = OPERATORS[account.kind];
  return transact(app, async (app) => {
    const unchanged = eq(table.passwordHash, account.passwordHash ?? '');
    const [current] = await app.db
      .select({ id: table.id })
      .from(table)
      .where(and(eq(table.id, account.id), unchanged, isNull(table.disabledAt)))
      .for('update');
    if (!current) return undefined;
    if (rehashed) await app.db.update(table).set({ passwordHash: rehashed }).where(eq(table.id, account.id));
    return { ...(await admit(app, { account, actor })), accountId: account.id };
  });
}

/** The row changed meanwhile: another sign-in made the hash stronger, or the password is another one, and that wins. */
async function enterAgain(
  app: App,
  options: { account: Operator; password: string; actor: Actor },
): Promise<OperatorSignedIn> {
  const { password, actor } = options;
  const { kind, id } = options.account;
  const account = await findAccount(app, { kind, id });
  const { ok } = await app.passwords.verify(password, account && !account.suspended ? account.passwordHash : null);
  const signedIn = ok && account ? await enter(app, { account: { ...account, kind }, actor }) : undefined;
  if (!signedIn) throw new AppError('INVALID_CREDENTIALS');
  return signedIn;
}
