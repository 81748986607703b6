// Invariants: a key is known only by its SHA-256; a disabled service or an expired key is refused by the same look-up
// that finds it, so both count at once; nobody waits for the mark of the last use to be written.
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
  last_used_at: Date | null;
}

const LOOKUP = `
  select k.key_hash, k.id as key_id, s.id as service_id, s.name, s.scopes, k.expires_at, k.last_used_at
    from service_keys k join services s on s.id = k.service_id
   where k.key_hash = any($1::text[]) and s.disabled_at is null`;

const lookups = new WeakMap<App['database'], (hash: string) => Promise<LookupRow | undefined>>();

/** The service a key belongs to, as the database has it now. Junk is turned away without a query. */
export async function findServiceByKey(app: App, key: string): Promise<LiveService | undefined> {
  if (!isKeyShaped(key, 'svc')) return undefined;
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
  if (!row || (row.expires_at && row.expires_at <= app.now())) return undefined;
  noteUse(app, row);
  return { serviceId: row.service_id, keyId: row.key_id, name: row.name, scopes: row.scopes };
}

const NOTE_EVERY_MS = 60_000;

const NOTE = `
  update service_keys set last_used_at = $2::timestamptz
   where id = $1::uuid and (last_used_at is null or last_used_at <= $2::timestamptz - interval '1 minute')`;

/** When this process last marked a key, by key: a handful of services, so nothing to bound. */
const marks = new WeakMap<App['database'], Map<string, number>>();

/** At most once a minute and key, besides the request: a mark that fails is made by the next call a minute later. */
function noteUse(app: App, row: LookupRow): void {
  const now = app.now().getTime();
  if (row.last_used_at && now - row.last_used_at.getTime() < NOTE_EVERY_MS) return;
  const marked = marks.get(app.database) ?? new Map<string, number>();
  marks.set(app.database, marked);
  if (now - (marked.get(row.key_id) ?? 0) < NOTE_EVERY_MS) return;
  marked.set(row.key_id, now);
  app.database.sql.write(NOTE, [row.key_id, new Date(now)]).catch((error: unknown) => {
    app.log.debug({ err: error }, 'the last use of a service key was not written');
  });
}
