// Invariants: a key is known only by its SHA-256; a disabled service or an expired key is refused by the same look-up
// that finds it, so both count at once.
import type { App } from '../../core/context.js';
import { createLookup } from '../../core/lookups.js';
import { isKeyShaped, sha256 } from '../../core/secrets.js';

export interface LiveService {
  serviceId: string;
  keyId: string;
  name: string;
  scopes: string[];
}

interface LookupRow {
  key_hash: string;
  key_id: string;
  service_id: string;
  name: string;
  scopes: string[];
  expires_at: Date | null;
}

const LOOKUP = `
  select k.key_hash, k.id as key_id, s.id as service_id, s.name, s.scopes, k.expires_at
    from service_keys k join services s on s.id = k.service_id
   where k.key_hash = any($1::text[]) and s.disabled_at is null`;

const lookups = new WeakMap<App['database'], (hash: string) => Promise<LookupRow | undefined>>();

/** The service a key belongs to, as the database has it now. Junk is turned away without a query. */
export async function findServiceByKey(app: App, key: string): Promise<LiveService | undefined> {
  if (!isKeyShaped(key, 'svc')) return undefined;
  let lookup = lookups.get(app.database);
  if (!lookup) {
    const { sql } = app.database;
    lookup = createLookup(async (hashes) => new Map((await sql.query<LookupRow>(LOOKUP, [hashes])).map((row) => [row.key_hash, row])));
    lookups.set(app.database, lookup);
  }
  const row = await lookup(sha256(key));
  if (!row || (row.expires_at && row.expires_at <= app.now())) return undefined;
  return { serviceId: row.service_id, keyId: row.key_id, name: row.name, scopes: row.scopes };
}
