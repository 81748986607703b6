// Invariants: a key never does more than its owner may now; it is known only by its SHA-256; it is never enough for
// anything that asks for a fresh sign-in.
import type { App } from '../../core/context.js';
import { createLookup } from '../../core/lookups.js';
import { isKeyShaped, sha256 } from '../../core/secrets.js';

export interface FoundApiKey {
  keyId: string;
  userId: string;
  username: string;
  email: string;
  emailVerified: boolean;
  planCode: string;
  timeZone: string;
  scopes: string[];
  ipAllowList: string[];
  expiresAt: Date;
  state: 'VALID' | 'EXPIRED' | 'REVOKED' | 'SUSPENDED';
}

interface LookupRow {
  key_hash: string;
  key_id: string;
  user_id: string;
  username: string;
  email: string;
  email_verified: boolean;
  plan_code: string;
  time_zone: string;
  scopes: string[];
  ip_allow_list: string[];
  expires_at: Date;
  last_used_at: Date | null;
  revoked_at: Date | null;
  suspended_at: Date | null;
  suspended_until: Date | null;
}

const LOOKUP = `
  select k.key_hash, k.id as key_id, k.user_id, u.username, u.email, (u.email_verified_at is not null) as email_verified,
         u.plan_code, u.time_zone, k.scopes, k.ip_allow_list, k.expires_at, k.last_used_at, k.revoked_at,
         u.suspended_at, u.suspended_until
    from api_keys k join users u on u.id = k.user_id
   where k.key_hash = any($1::text[]) and u.deleted_at is null`;

const lookups = new WeakMap<App['database'], (hash: string) => Promise<LookupRow | undefined>>();

function stateOf(row: LookupRow, now: Date): FoundApiKey['state'] {
  // A rotated key carries the moment its overlap ends, so "revoked" may lie ahead.
  if (row.revoked_at && row.revoked_at <= now) return 'REVOKED';
  if (row.expires_at <= now) return 'EXPIRED';
  return row.suspended_at && (!row.suspended_until || row.suspended_until > now) ? 'SUSPENDED' : 'VALID';
}

const NOTE_EVERY_MS = 60_000;
const NOTE = `update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)`;

const beingNoted = new Set<string>();

/** At most one write a minute and key; nobody waits for it, and nobody fails because of it. */
function noteUse(app: App, row: LookupRow): void {
  const now = app.now();
  if (row.last_used_at && now.getTime() - row.last_used_at.getTime() < NOTE_EVERY_MS) return;
  if (beingNoted.has(row.key_id)) return;
  beingNoted.add(row.key_id);
  app.database.sql
    .write(NOTE, [row.key_id, now])
    .catch((error: unknown) => app.log.warn({ err: error }, 'the use of an API key could not be noted'))
    .finally(() => beingNoted.delete(row.key_id));
}

/** The key and its owner as the database has them now. Junk is turned away without a query. */
export async function findApiKey(app: App, key: string): Promise<FoundApiKey | undefined> {
  if (!isKeyShaped(key, 'key')) return undefined;
  let lookup = lookups.get(app.database);
  if (!lookup) {
    const { database, metrics } = app;
    lookup = createLookup(async (hashes) => {
      metrics.batchSizes.add('keys', hashes.length);
      return new Map((await database.sql.query<LookupRow>(LOOKUP, [hashes])).map((row) => [row.key_hash, row]));
    });
    lookups.set(app.database, lookup);
  }
  const row = await lookup(sha256(key));
  if (!row) return undefined;
  const state = stateOf(row, app.now());
  if (state === 'VALID') noteUse(app, row);
  return {
    keyId: row.key_id,
    userId: row.user_id,
    username: row.username,
    email: row.email,
    emailVerified: row.email_verified,
    planCode: row.plan_code,
    timeZone: row.time_zone,
    scopes: row.scopes,
    ipAllowList: row.ip_allow_list,
    expiresAt: row.expires_at,
    state,
  };
}
