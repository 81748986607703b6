// Invariants: a key belongs to the person who made it and is theirs alone to see, rotate or revoke (K1, I3); its text
// is answered once and kept as a SHA-256; a person has at most twenty that live.
import { and, eq, gt, isNull, or } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { OVERLAP_MS } from '../../core/key-overlap.types.js';
import type { NestedList } from '../../core/nested-pages.js';
import { parseCidrs } from '../../core/network.js';
import { makeKey, sha256, startOfKey } from '../../core/secrets.js';
import { type AuditAction, recordAudit } from '../audit/audit.service.js';
import { type ApiKeyRow, apiKeys, users } from '../auth/auth.table.js';
import { addressOf, getAccount } from '../auth/credentials.service.js';
import { emitEvent } from '../events/events.service.js';
import { queueLetter } from '../mail/outbox.service.js';
import { requireLine } from './profile.service.js';

const DAY = 86_400_000;
const MOST_KEYS = 20;
const MOST_SCOPES = 20;
const MOST_BLOCKS = 20;
const LONGEST_DAYS = 365;

/** What a key can read of Credence itself. */
const OWN_SCOPES: readonly string[] = ['account:read', 'credits:read', 'usage:read'];

/**
 * First words that mean something here. A person may name any scope for the operator's other services, but not one
 * that reads like a right of Credence: a service that trusts `credits:grant` must never see it on a person's key.
 */
const OWN_WORDS: ReadonlySet<string> = new Set([
  ...['account', 'admins', 'audit', 'billing', 'catalog', 'credits', 'email', 'messages', 'security', 'services'],
  ...['staff', 'system', 'tokens', 'usage', 'users', 'webhooks'],
]);

const SCOPE = /^[a-z][a-z0-9_-]{0,31}:[a-z][a-z0-9_-]{0,31}$/;

/** The text of a key is here and nowhere else. */
export interface IssuedKey {
  row: ApiKeyRow;
  key: string;
}

function requireScopes(scopes: readonly string[]): string[] {
  const unique = [...new Set(scopes)];
  if (unique.length === 0 || unique.length > MOST_SCOPES)
    throw badInput({ scopes: `must be 1 to ${MOST_SCOPES} names` });
  for (const scope of unique) {
    if (!SCOPE.test(scope)) throw badInput({ scopes: 'must have the form word:word, in lower case' });
    const isOurs = OWN_WORDS.has(scope.slice(0, scope.indexOf(':')));
    if (isOurs && !OWN_SCOPES.includes(scope))
      throw badInput({ scopes: `must not go beyond ${OWN_SCOPES.join(', ')}` });
  }
  return unique;
}

function requireIpAllowList(list: readonly string[]): string[] {
  if (list.length > MOST_BLOCKS) throw badInput({ ipAllowList: `must hold at most ${MOST_BLOCKS} entries` });
  const blocks = list.map((entry) => entry.trim());
  try {
    parseCidrs(blocks);
  } catch {
    throw badInput({ ipAllowList: 'must hold address blocks such as 10.0.0.0/8 or 2001:db8::/32' });
  }
  return [...new Set(blocks)];
}

/** A rotated key carries the moment its overlap ends. */
const isNotRevoked = (app: App) => or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, app.now()));
const isLive = (app: App) => and(isNotRevoked(app), gt(apiKeys.expiresAt, app.now()));

/** Counts one after the other, or two calls at once would both find room for the last key. */
async function requireRoom(app: App, options: { userId: string; max: number }): Promise<void> {
  const { userId, max } = options;
  await app.db.select({ id: users.id }).from(users).where(eq(users.id, userId)).for('no key update');
  const live = await app.db.$count(apiKeys, and(eq(apiKeys.userId, userId), isLive(app)));
  if (live >= max) throw new AppError('LIMIT_REACHED', { message: `At most ${MOST_KEYS} keys may be live.` });
}

type NewKey = Pick<ApiKeyRow, 'userId' | 'name' | 'scopes' | 'ipAllowList' | 'expiresAt' | 'rotatedFrom'>;

async function insertKey(app: App, options: { wanted: NewKey; action: AuditAction; actor: Actor }): Promise<IssuedKey> {
  const { wanted, action, actor } = options;
  const key = makeKey('key');
  const values = { id: newId(), ...wanted, keyHash: sha256(key), start: startOfKey(key), createdAt: app.now() };
  const [row] = await app.db.insert(apiKeys).values(values).returning();
  const { userId, name, scopes, expiresAt, rotatedFrom } = wanted;
  const target = { kind: 'api_key', id: values.id };
  await recordAudit(app, { actor, action, userId, target, after: { scopes, rotatedFrom } });
  const made = { keyId: values.id, scopes, expiresAt, rotatedFrom };
  await emitEvent(app, { kind: 'api_key.created', userId, data: made });
  const account = await getAccount(app, { kind: 'user', id: userId });
  const data = { username: account.username, keyName: name };
  await queueLetter(app, { ...addressOf(account), kind: 'API_KEY_CREATED', requestId: actor.requestId, data });
  return { row: found(row), key };
}

/**
 * A new key of the caller's.
 *
 * @throws BAD_USER_INPUT; LIMIT_REACHED when twenty live
 */
export async function createApiKey(
  app: App,
  options: {
    userId: string;
    name: string;
    scopes: readonly string[];
    expiresInDays: number;
    ipAllowList: readonly string[];
    actor: Actor;
  },
): Promise<IssuedKey> {
  const { userId, expiresInDays, actor } = options;
  const name = requireLine(options.name, 'name');
  const scopes = requireScopes(options.scopes);
  const ipAllowList = requireIpAllowList(options.ipAllowList);
  if (!Number.isInteger(expiresInDays) || expiresInDays < 1 || expiresInDays > LONGEST_DAYS) {
    throw badInput({ expiresInDays: `must be 1 to ${LONGEST_DAYS}` });
  }
  return transact(app, async (app) => {
    await requireRoom(app, { userId, max: MOST_KEYS });
    const expiresAt = new Date(app.now().getTime() + expiresInDays * DAY);
    const wanted = { userId, name, scopes, ipAllowList, expiresAt, rotatedFrom: null };
    return insertKey(app, { wanted, action: 'api_key.created', actor });
  });
}

const ownKey = (options: { userId: string; id: string }) =>
  and(eq(apiKeys.id, requireId(options.id)), eq(apiKeys.userId, options.userId));

/**
 * A key that takes over from another: same name, scopes and addresses, and as long a life as the old one had from its
 * making. The old one goes on working for the overlap.
 *
 * @throws NOT_FOUND for another's, or one that ended; CONFLICT for one that was rotated before; LIMIT_REACHED
 */
export async function rotateApiKey(
  app: App,
  options: { userId: string; id: string; overlap: keyof typeof OVERLAP_MS; actor: Actor },
): Promise<IssuedKey> {
  const { userId, overlap, actor } = options;
  return transact(app, async (app) => {
    // Keys in their overlap count, too, or rotating over and over would make any number of live ones.
    await requireRoom(app, { userId, max: 2 * MOST_KEYS });
    const [old] = await app.db
      .select()
      .from(apiKeys)
      .where(and(ownKey(options), isLive(app)));
    const { id, name, scopes, ipAllowList, expiresAt, createdAt, revokedAt } = found(old);
    if (revokedAt) throw new AppError('CONFLICT', { message: 'This key was rotated already.' });
    const now = app.now().getTime();
    const endsAt = new Date(now + OVERLAP_MS[overlap]);
    await app.db.update(apiKeys).set({ revokedAt: endsAt }).where(eq(apiKeys.id, id));
    await emitEvent(app, { kind: 'api_key.revoked', userId, data: { keyId: id, endsAt } });
    const life = expiresAt.getTime() - createdAt.getTime();
    const wanted = { userId, name, scopes, ipAllowList, expiresAt: new Date(now + life), rotatedFrom: id };
    return insertKey(app, { wanted, action: 'api_key.rotated', actor });
  });
}

/** Ends a key at once, also one in its overlap. @throws NOT_FOUND for another's, or one that was revoked */
export async function revokeApiKey(app: App, options: { userId: string; id: string; actor: Actor }): Promise<void> {
  const { userId, actor } = options;
  await transact(app, async (app) => {
    const [row] = await app.db
      .update(apiKeys)
      .set({ revokedAt: app.now() })
      .where(and(ownKey(options), isNotRevoked(app)))
      .returning({ id: apiKeys.id });
    const { id } = found(row);
    await recordAudit(app, { actor, action: 'api_key.revoked', userId, target: { kind: 'api_key', id } });
    await emitEvent(app, { kind: 'api_key.revoked', userId, data: { keyId: id, endsAt: app.now() } });
  });
}

/** People's keys that were not revoked; expired ones too, so that people see why one fails. */
export const apiKeysOfUsers: NestedList<ApiKeyRow> = {
  table: apiKeys,
  columns: { parent: apiKeys.userId, time: apiKeys.createdAt, id: apiKeys.id },
  where: isNotRevoked,
  parentOf: (row) => row.userId,
  keyOf: (row) => [row.createdAt, row.id],
};
