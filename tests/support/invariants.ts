import { expect } from 'vitest';
import type { Config } from '../../src/core/config.js';
import type { App } from '../../src/core/context.js';
import { type Database, openDatabase } from '../../src/core/database.js';
import { listMigrations } from '../../src/core/migrations.js';
import { verifyAuditLog } from '../../src/modules/audit/chain.service.js';
import { ledgerHealth } from '../../src/modules/credits/health.service.js';
import { createTestDatabase, silentLog } from './database.js';
import type { Seen } from './load.js';
import { ask } from './process.js';

/** Where to look, after a fault. */
export interface Place {
  database: Config['database'];
  /** What clients were told while it lasted. */
  seen?: Seen;
  /** A server that runs on it, to be asked about credentials. */
  server?: { url: string; output?(): string };
  serviceKey?: string;
}

interface Look extends Place {
  db: Database;
  /** Texts of one column. */
  texts(query: string, params?: unknown[]): Promise<string[]>;
}

/** What holds whatever has happened, by the numbers of docs/SECURITY.md; each answers its complaints. */
const INVARIANTS: Record<string, (look: Look) => Promise<string[]>> = {
  '1 the books add up': async ({ db }) => {
    const { ok, broken } = await ledgerHealth({ db: db.db, sql: db.sql, now: () => new Date() } as App);
    return ok ? [] : broken.map(({ userId, problems }) => `${userId}: ${problems.join(', ')}`);
  },
  '2 what was answered is there, and nothing else': compareAnswers,
  '3 a session has one live token': ({ texts }) =>
    texts(`select refresh_hash as text from sessions group by 1 having count(*) > 1
           union all select a.id::text from sessions a join sessions b on a.previous_hash = b.refresh_hash`),
  '4 a link is unused, used once with its effect, or void': ({ texts }) =>
    texts(`select t.id::text as text from email_tokens t join users u on u.id = t.user_id
            where t.purpose = 'VERIFY_EMAIL' and t.used_at is not null and u.email_verified_at is null and u.status <> 'DELETED'
           union all select min(id::text) from email_tokens
            where used_at is null and voided_at is null and expires_at > now()
            group by user_id, admin_id, staff_id, purpose having count(*) > 1`),
  '5 a letter was sent, given up, or is still tried': ({ texts }) =>
    texts(`select id::text as text from outbox_emails where status = 'QUEUED' and created_at < now() - interval '25 hours'
           union all select idempotency_key from outbox_emails group by 1 having count(*) > 1`),
  '6 a payment is paid out once': ({ texts }) =>
    texts(`select reference_id as text from credit_transactions
            where reference_type = 'payment' and kind in ('PURCHASE', 'PLAN_GRANT') group by 1 having count(*) > 1`),
  '7 there is an admin': async ({ texts }) => {
    const admins = await texts(
      `select id::text as text from admins where disabled_at is null and password_hash is not null`,
    );
    return admins.length > 0 ? [] : ['nobody'];
  },
  '8 what has ended is refused': askAboutTokens,
  '9 the audit log holds': checkAudit,
  '10 the migrations are those of this build, and so are the tables': compareSchema,
  '11 indexes say what tables say': checkIndexes,
  '12 nothing failed that nobody explains': async ({ server }) =>
    (server?.output?.() ?? '')
      .split('\n')
      .filter((line) => /unhandled rejection|uncaught exception|unexpected error/.test(line)),
};

async function compareAnswers({ seen, texts }: Look): Promise<string[]> {
  if (!seen) return [];
  const complaints: string[] = [];
  const rows = new Set(
    await texts(`select k.key as text from idempotency_keys k where
      exists (select from credit_transactions t where t.id = (k.answer ->> 'transaction')::uuid)
      or exists (select from credit_holds h where h.id = (k.answer #>> '{hold,id}')::uuid)`),
  );
  const ids = new Set(
    await texts('select id::text as text from credit_transactions union select id::text from credit_holds'),
  );
  for (const { input, outcome, id } of seen.movements) {
    const isThere = rows.has(input.idempotencyKey);
    if (outcome === 'ok' && !(isThere && id && ids.has(id)))
      complaints.push(`${input.idempotencyKey}: answered, and gone`);
    if (outcome === 'refused' && isThere) complaints.push(`${input.idempotencyKey}: refused, and there`);
  }
  const people = new Set(await texts('select username as text from users'));
  const known = new Set([...seen.people.map(({ username }) => username), ...seen.perhaps]);
  for (const { username } of seen.people)
    if (!people.has(username)) complaints.push(`${username}: signed up, and gone`);
  for (const name of people) if (!known.has(name)) complaints.push(`${name}: nobody asked for them`);
  return complaints;
}

const VALIDATE = 'query($token: String!) { validateToken(token: $token) { valid } }';

async function askAboutTokens({ seen, server, serviceKey, texts }: Look): Promise<string[]> {
  const undead = await texts(`select s.id::text as text from sessions s join users u on u.id = s.user_id
    where u.status in ('SUSPENDED', 'DELETED') and s.revoked_at is null and s.expires_at > now()`);
  if (!seen || !server || !serviceKey) return undead;
  const isValid = async (token: string) => {
    const { data } = await ask(server.url, {
      query: VALIDATE,
      variables: { token },
      headers: { 'x-api-key': serviceKey },
    });
    return data?.validateToken.valid as boolean | undefined;
  };
  for (const token of seen.ended) if ((await isValid(token)) !== false) undead.push('a session that was signed out');
  for (const { token, username } of seen.people)
    if ((await isValid(token)) !== true) undead.push(`${username} was put out`);
  return undead;
}

async function checkAudit({ db, texts }: Look): Promise<string[]> {
  const { firstBroken } = await verifyAuditLog({ db: db.db });
  const unrecorded = await texts(`select u.id::text as text from users u where not exists
    (select from audit_events e where e.action in ('user.registered', 'user.created') and e.user_id = u.id)`);
  return [...(firstBroken ? [JSON.stringify(firstBroken)] : []), ...unrecorded.map((id) => `${id} is not recorded`)];
}

/** Every column, constraint, index, trigger and function, as texts that can be compared. */
const SCHEMA = `
  select format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) as text
    from information_schema.columns where table_schema = 'public'
  union all select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
   where connamespace = 'public'::regnamespace
  union all select indexdef from pg_indexes where schemaname = 'public'
  union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
  union all select md5(prosrc) from pg_proc p where pronamespace = 'public'::regnamespace
     and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`;

let wanted: Promise<string[]> | undefined;

async function freshSchema(): Promise<string[]> {
  const fresh = await createTestDatabase();
  const db = await openDatabase(fresh, silentLog);
  try {
    return (await db.sql.query<{ text: string }>(SCHEMA, [])).map(({ text }) => text).sort();
  } finally {
    await db.close();
    await fresh.dispose();
  }
}

async function compareSchema({ db, texts }: Look): Promise<string[]> {
  const missing = (await listMigrations(db)).filter(({ appliedAt }) => appliedAt === null).map(({ name }) => name);
  wanted ??= freshSchema();
  const [expected, found] = [await wanted, (await texts(SCHEMA)).sort()];
  const differences = [
    ...expected.filter((text) => !found.includes(text)).map((text) => `lacks ${text}`),
    ...found.filter((text) => !expected.includes(text)).map((text) => `has ${text}`),
  ];
  return [...missing, ...differences];
}

/** amcheck walks every B-tree and looks each row of the table up in it; the embedded database has none, and counts. */
async function checkIndexes({ db, texts }: Look): Promise<string[]> {
  if (db.kind === 'pglite') return compareScans(db);
  await db.sql.write('create extension if not exists amcheck', []);
  const indexes = await texts(`select c.oid::regclass::text as text from pg_class c join pg_am a on a.oid = c.relam
    where a.amname = 'btree' and c.relkind = 'i' and c.relnamespace = 'public'::regnamespace`);
  const complaints: string[] = [];
  for (const index of indexes) {
    try {
      await db.sql.query('select bt_index_check($1::text::regclass, true)', [index]);
    } catch (error) {
      complaints.push(`${index}: ${String(error)}`);
    }
  }
  await db.sql.write('drop extension amcheck', []);
  return complaints;
}

async function compareScans(db: Database): Promise<string[]> {
  const complaints: string[] = [];
  const keys = { users: 'id', sessions: 'id', credit_transactions: 'id', outbox_emails: 'id', audit_events: 'id' };
  for (const [table, key] of Object.entries(keys)) {
    const counts = await db.alone(async (sql) => {
      const count = `select count(*)::int as count, coalesce(md5(string_agg(${key}::text, ',' order by ${key})), '') as all from ${table}`;
      await sql.query('set local enable_indexscan = off', []);
      await sql.query('set local enable_bitmapscan = off', []);
      await sql.query('set local enable_indexonlyscan = off', []);
      const full = await sql.query(count, []);
      await sql.query('set local enable_indexscan = on', []);
      await sql.query('set local enable_indexonlyscan = on', []);
      await sql.query('set local enable_seqscan = off', []);
      return [full, await sql.query(count, [])];
    });
    if (JSON.stringify(counts[0]) !== JSON.stringify(counts[1])) complaints.push(`${table} by ${key}`);
  }
  return complaints;
}

/** All complaints of all invariants, by name. */
export async function findBroken(place: Place): Promise<string[]> {
  const db = await openDatabase(place.database, silentLog);
  try {
    const texts = async (query: string, params: unknown[] = []) =>
      (await db.sql.query<{ text: string }>(query, params)).map(({ text }) => text);
    const found: string[] = [];
    for (const [name, complain] of Object.entries(INVARIANTS))
      found.push(...(await complain({ ...place, db, texts })).map((complaint) => `${name}: ${complaint}`));
    return found;
  } finally {
    await db.close();
  }
}

/** Everything that holds, holds. Called after every fault. */
export async function expectInvariants(place: Place): Promise<void> {
  expect(await findBroken(place)).toEqual([]);
}
