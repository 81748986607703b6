// Invariants: there is no default password and no default key (ASVS 6.3.2, A11); nothing here runs once there is an
// admin (or a service); of any number of instances that start at once, one makes them and only that one prints them.
import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import { ConfigError } from '../../core/config.js';
import { type App, SYSTEM_ACTOR } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { requireEmail, requireUsername } from '../../core/input.js';
import { requirePassword } from '../../core/password-policy.js';
import { isKeyShaped, makeKey, sha256, startOfKey } from '../../core/secrets.js';
import { recordAudit } from '../audit/audit.service.js';
import { SERVICE_SCOPES } from '../services/scopes.js';
import { serviceKeys, services } from '../services/services.table.js';
import { admins } from './admin.table.js';
import { PERMISSIONS } from './permissions.js';

export interface Bootstrapped {
  adminUsername: string;
  /** Only when it was generated just now, by this process. */
  adminPassword?: string;
  /** Only when it was generated just now, by this process. */
  serviceKey?: string;
}

const FIRST_SERVICE = 'default';

/**
 * The first admin, with every permission, when there is none; the first service, with every scope, when there is none.
 *
 * @throws ConfigError when ADMIN_PASSWORD, ADMIN_USERNAME, ADMIN_EMAIL or INTERNAL_SERVICE_KEY cannot be used
 */
export async function bootstrap(app: App): Promise<Bootstrapped> {
  return (await beginBootstrap(app))();
}

/**
 * The same in two steps: what it answers has begun to hash the first password, if one is needed, and makes both when it
 * is called. Nothing is in the database before.
 */
export async function beginBootstrap(app: App): Promise<() => Promise<Bootstrapped>> {
  const needsAdmin = (await app.db.$count(admins)) === 0;
  const complaints = [...complaintsAboutKey(app), ...(needsAdmin ? await complaintsAboutAdmin(app) : [])];
  if (complaints.length > 0) throw new ConfigError(complaints);
  const password = needsAdmin ? beginFirstPassword(app) : undefined;
  return async () => {
    const adminPassword = password && (await createFirstAdmin(app, password));
    const serviceKey = await createFirstService(app);
    return {
      adminUsername: app.config.firstAdmin.username,
      ...(adminPassword !== undefined && { adminPassword }),
      ...(serviceKey !== undefined && { serviceKey }),
    };
  };
}

function complaintsAboutKey({ config: { firstServiceKey } }: App): string[] {
  if (firstServiceKey === undefined || isKeyShaped(firstServiceKey, 'svc')) return [];
  return [
    'INTERNAL_SERVICE_KEY must be a service key: "crd_svc_", 43 random characters and 6 of checksum. ' +
      'Make one with "credence service make-key", or leave it empty: the first start makes one and prints it.',
  ];
}

/** The password, if one is set, has to satisfy the policy like any other (P16). */
async function complaintsAboutAdmin(app: App): Promise<string[]> {
  const { username, email, password } = app.config.firstAdmin;
  const complaints: string[] = [];
  const check = async (name: string, work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const problems = Object.values((error.extensions.fields ?? {}) as Record<string, string>);
      complaints.push(`${name} cannot be used: ${problems.join('; ') || error.message}.`);
    }
  };
  await check('ADMIN_USERNAME', () => requireUsername(username));
  await check('ADMIN_EMAIL', () => requireEmail(email));
  if (password === undefined) return complaints;
  const policy = { minLength: app.config.passwords.minLength, context: [username, email] };
  await check('ADMIN_PASSWORD', () => requirePassword(password, policy));
  return complaints;
}

interface FirstPassword {
  readonly generated: string | undefined;
  readonly hash: Promise<string>;
}

function beginFirstPassword(app: App): FirstPassword {
  const { password } = app.config.firstAdmin;
  const generated = password === undefined ? randomBytes(18).toString('base64url') : undefined;
  const hash = app.passwords.hash(password ?? generated ?? '');
  // Whoever waits for it hears of it; until then nobody does.
  hash.catch(() => undefined);
  return { generated, hash };
}

/** Answers the password when it was generated. */
async function createFirstAdmin(app: App, { generated, hash }: FirstPassword): Promise<string | undefined> {
  const { username, email } = app.config.firstAdmin;
  const identity = { ...requireUsername(username), ...requireEmail(email) };
  // Before the lock: hashing takes long, and the lock is waited for by every other instance.
  const passwordHash = await hash;
  const made = await transact(app, async (app) => {
    await lockFirst(app, 'first-admin');
    if ((await app.db.$count(admins)) > 0) return false;
    const id = newId();
    const permissions = [...PERMISSIONS];
    await app.db.insert(admins).values({ id, ...identity, passwordHash, permissions, createdAt: app.now() });
    await recordAudit(app, {
      actor: SYSTEM_ACTOR,
      action: 'admin.created',
      target: { kind: 'admin', id },
      after: { username: identity.username, permissions },
      reason: 'first start',
    });
    return true;
  });
  return made ? generated : undefined;
}

/** Answers the key when it was generated. */
async function createFirstService(app: App): Promise<string | undefined> {
  const given = app.config.firstServiceKey;
  if ((await app.db.$count(services)) > 0) return undefined;
  const key = given ?? makeKey('svc');
  const made = await transact(app, async (app) => {
    await lockFirst(app, 'first-service');
    if ((await app.db.$count(services)) > 0) return false;
    const id = newId();
    const now = app.now();
    const scopes = [...SERVICE_SCOPES];
    await app.db.insert(services).values({ id, name: FIRST_SERVICE, scopes, createdAt: now });
    await app.db
      .insert(serviceKeys)
      .values({ id: newId(), serviceId: id, keyHash: sha256(key), start: startOfKey(key), createdAt: now });
    await recordAudit(app, {
      actor: SYSTEM_ACTOR,
      action: 'service.created',
      target: { kind: 'service', id },
      after: { name: FIRST_SERVICE, scopes },
      reason: 'first start',
    });
    return true;
  });
  return made && given === undefined ? key : undefined;
}

/** Held until the transaction ends, so that instances that start together count one after the other. */
async function lockFirst(app: App, what: string): Promise<void> {
  await app.db.execute(sql`select pg_advisory_xact_lock(hashtext('bootstrap'), hashtext(${what}))`);
}
