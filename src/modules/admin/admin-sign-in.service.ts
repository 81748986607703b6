// The same gate as for people (auth/sign-in.service): the same work and the same answer for an unknown name, a wrong
// password, a locked, an invited and a disabled admin (P1–P3).
import { and, eq, isNull, or } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { canonicalEmail, found } from '../../core/input.js';
import { recordAudit } from '../audit/audit.service.js';
import { type Issued, openSession } from '../auth/sessions.service.js';
import { beginAttempt, compareGuess } from '../auth/throttle.service.js';
import { type AdminRow, admins } from './admin.table.js';

export interface AdminSignedIn {
  issued: Issued;
  admin: AdminRow;
}

/** @throws NOT_FOUND */
export async function getAdmin(app: App, id: string): Promise<AdminRow> {
  const [admin] = await app.db.select().from(admins).where(eq(admins.id, id));
  return found(admin);
}

async function findAdminByIdentifier(app: App, identifier: string): Promise<AdminRow | undefined> {
  const emailKey = canonicalEmail(identifier)?.emailKey;
  const [admin] = await app.db
    .select()
    .from(admins)
    .where(or(eq(admins.usernameKey, identifier.toLowerCase()), emailKey ? eq(admins.emailKey, emailKey) : undefined));
  return admin;
}

/**
 * Signs an admin in by username or address and password.
 *
 * @throws INVALID_CREDENTIALS for everything that is not right, a disabled admin included; RATE_LIMITED by address;
 *   RETRY_LATER when the hashing queue is full
 */
export async function adminLogin(
  app: App,
  options: { identifier: string; password: string; actor: Actor },
): Promise<AdminSignedIn> {
  const { identifier, password, actor } = options;
  const admin = await findAdminByIdentifier(app, identifier);
  const account = admin && ({ kind: 'admin', id: admin.id } as const);
  const attempt = await beginAttempt(app, { account, typed: identifier, actor });
  // A blocked attempt, or one at a disabled admin, costs the same hash: time does not tell it from a wrong password.
  const stored = admin?.disabledAt ? null : admin?.passwordHash;
  const { ok, needsRehash } = await compareGuess(app, { attempt, guess: password, stored });
  if (!ok || !admin) {
    if (admin && attempt.allowed) {
      const target = { kind: 'admin', id: admin.id };
      await recordAudit(app, { actor, action: 'admin.sign_in_failed', target });
    }
    throw new AppError('INVALID_CREDENTIALS');
  }
  await attempt.succeeded();
  const rehashed = needsRehash ? await app.passwords.hash(password) : undefined;
  return (await enter(app, { admin, rehashed, actor })) ?? enterAgain(app, { admin, password, actor });
}

/** Opens the session if the hash that was verified still stands and nobody disabled the admin meanwhile. */
async function enter(
  app: App,
  options: { admin: AdminRow; rehashed?: string | undefined; actor: Actor },
): Promise<AdminSignedIn | undefined> {
  const { admin, rehashed } = options;
  const actor: Actor = { ...options.actor, kind: 'ADMIN', id: admin.id };
  return transact(app, async (app) => {
    const unchanged = eq(admins.passwordHash, admin.passwordHash ?? '');
    const [current] = await app.db
      .update(admins)
      .set({ lastLoginAt: app.now(), ...(rehashed && { passwordHash: rehashed }) })
      .where(and(eq(admins.id, admin.id), unchanged, isNull(admins.disabledAt)))
      .returning();
    if (!current) return undefined;
    const account = { kind: 'admin', id: admin.id, username: admin.username } as const;
    const issued = await openSession(app, { account, method: 'PASSWORD', actor });
    const target = { kind: 'session', id: issued.sessionId };
    await recordAudit(app, { actor, action: 'admin.signed_in', target });
    return { issued, admin: current };
  });
}

/** The row changed meanwhile: another sign-in made the hash stronger, or the password is another one, and that wins. */
async function enterAgain(
  app: App,
  options: { admin: AdminRow; password: string; actor: Actor },
): Promise<AdminSignedIn> {
  const { password, actor } = options;
  const admin = await getAdmin(app, options.admin.id);
  const { ok } = await app.passwords.verify(password, admin.disabledAt ? null : admin.passwordHash);
  const signedIn = ok ? await enter(app, { admin, actor }) : undefined;
  if (!signedIn) throw new AppError('INVALID_CREDENTIALS');
  return signedIn;
}
