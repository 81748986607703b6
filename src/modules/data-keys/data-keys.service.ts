// Invariants: what is written about a person under their own key can be read as long as the key is there and never
// again after it was destroyed, backups of the text included; nobody who was deleted gets a new key; no key is
// remembered between calls, so a destroyed one is gone for every instance at once (V3, V4).
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { and, desc, eq, gt, inArray, isNotNull, isNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { openSealed, seal } from '../../core/secrets.js';
import { users } from '../auth/auth.table.js';
import { dataKeys } from './data-keys.table.js';

/** Far below the 2^32 texts that random nonces allow for one key (NIST SP 800-38D, 8.3). */
export const ROTATE_AFTER_MS = 90 * 86_400_000;

/** One generation of a person's key, open. */
export interface DataKey {
  readonly userId: string;
  readonly generation: number;
  readonly key: KeyObject;
}

const aadOf = (userId: string, about: string) => `${userId}:${about}`;

/**
 * Seals a text under the person's key: `d1.<generation>.<base64url>`.
 *
 * @param text.about what and which row it is; the result opens nowhere else
 */
export function sealWith({ userId, generation, key }: DataKey, text: { plain: string; about: string }): string {
  return `d1.${generation}.${seal(key, text.plain, aadOf(userId, text.about))}`;
}

/** Opens what `sealWith` made; undefined when its key is not among these. Throws when it was altered or moved. */
export function openWith(keys: readonly DataKey[], text: { sealed: string; about: string }): string | undefined {
  const match = /^d1\.(\d+)\.([\w-]+)$/.exec(text.sealed);
  if (!match) throw new Error('Unknown seal version');
  const key = keys.find(({ generation }) => generation === Number(match[1]));
  return key && openSealed(key.key, match[2] ?? '', aadOf(key.userId, text.about));
}

/**
 * The text under the newest of the keys; undefined when it is already, or when its key is not among them. Throws when it
 * was altered or moved.
 */
export function resealWith(keys: readonly DataKey[], text: { sealed: string; about: string }): string | undefined {
  const newest = keys.reduce<DataKey | undefined>((a, b) => (a && a.generation > b.generation ? a : b), undefined);
  if (!newest || text.sealed.startsWith(`d1.${newest.generation}.`)) return undefined;
  const plain = openWith(keys, text);
  return plain === undefined ? undefined : sealWith(newest, { plain, about: text.about });
}

const PURPOSE = 'data-key';
const placeOf = (userId: string, generation: number) => `${userId}:${generation}`;

function openKey(app: App, row: { userId: string; generation: number; sealedKey: string }): DataKey {
  const { userId, generation, sealedKey } = row;
  const key = createSecretKey(app.secrets.decrypt(PURPOSE, sealedKey, placeOf(userId, generation)), 'base64');
  return { userId, generation, key };
}

function makeKey(app: App, { userId, generation }: { userId: string; generation: number }) {
  const key = randomBytes(32).toString('base64');
  const sealedKey = app.secrets.encrypt(PURPOSE, key, placeOf(userId, generation));
  return { userId, generation, sealedKey, createdAt: app.now() };
}

interface NewestRow {
  user_id: string;
  /** Null: has none yet. */
  generation: number | null;
  sealed_key: string | null;
  created_at: Date | null;
}

const NEWEST = `
  select u.id as user_id, k.generation, k.sealed_key, k.created_at
    from users u
    left join lateral (select * from data_keys where user_id = u.id order by generation desc limit 1) k on true
   where u.id = any($1::uuid[]) and u.deleted_at is null`;

// The lock waits for whoever is leaving, and looks at them again: who was deleted first gets no key.
const MAKE = `
  with made as materialized (
    select u.id, m.generation, m."sealedKey", m."createdAt"
      from jsonb_to_recordset($1::text::jsonb)
        as m ("userId" uuid, generation int, "sealedKey" text, "createdAt" timestamptz)
      join users u on u.id = m."userId" and u.deleted_at is null
     order by u.id for key share of u
  ),
  inserted as (
    insert into data_keys (user_id, generation, sealed_key, created_at) select * from made
        on conflict do nothing
    returning user_id, generation, created_at
  )
  update data_keys k set superseded_at = i.created_at
    from inserted i
   where k.user_id = i.user_id and k.generation < i.generation and k.superseded_at is null
  returning k.user_id`;

/** The next generation for each, if nobody was quicker. Answers how many earlier keys were taken over from. */
async function makeNextKeys(app: App, people: readonly Pick<NewestRow, 'user_id' | 'generation'>[]): Promise<number> {
  const made = people.map((row) => makeKey(app, { userId: row.user_id, generation: (row.generation ?? 0) + 1 }));
  return (await app.database.sql.write(MAKE, [JSON.stringify(made)])).length;
}

/**
 * The keys that seal, of all these people at once: made where there is none yet or the newest has grown old. Who was
 * deleted, or never was, is not among them. Not for use within a transaction.
 */
export async function findSealingKeys(app: App, userIds: readonly string[]): Promise<Map<string, DataKey>> {
  const newest = () => app.database.sql.query<NewestRow>(NEWEST, [userIds]);
  let rows = await newest();
  const oldest = app.now().getTime() - ROTATE_AFTER_MS;
  const lacking = rows.filter((row) => (row.created_at?.getTime() ?? 0) < oldest);
  if (lacking.length > 0) {
    await makeNextKeys(app, lacking);
    // Another may have been quicker: the one that is stored counts.
    rows = await newest();
  }
  const keys = new Map<string, DataKey>();
  for (const { user_id: userId, generation, sealed_key: sealedKey } of rows) {
    if (generation !== null && sealedKey !== null) keys.set(userId, openKey(app, { userId, generation, sealedKey }));
  }
  return keys;
}

/** The person's key that seals, made when there is none; within the caller's transaction. The person's row is locked. */
export async function getSealingKey(app: App, userId: string): Promise<DataKey> {
  const [newest] = await app.db
    .select()
    .from(dataKeys)
    .where(eq(dataKeys.userId, userId))
    .orderBy(desc(dataKeys.generation))
    .limit(1);
  if (newest?.sealedKey) return openKey(app, { ...newest, sealedKey: newest.sealedKey });
  if (newest) throw new Error('The keys of somebody who was erased do not come back.');
  const made = makeKey(app, { userId, generation: 1 });
  const [inserted] = await app.db.insert(dataKeys).values(made).onConflictDoNothing().returning();
  // Made by another at this very moment, and committed: now it is seen.
  return inserted ? openKey(app, made) : getSealingKey(app, userId);
}

/** Gives the person a new key, which seals from the commit on. Inside the transaction that has locked the person. */
export async function replaceSealingKey(app: App, userId: string): Promise<number> {
  const { generation } = await getSealingKey(app, userId);
  const made = makeKey(app, { userId, generation: generation + 1 });
  const ofPerson = eq(dataKeys.userId, userId);
  await app.db
    .update(dataKeys)
    .set({ supersededAt: app.now() })
    .where(and(ofPerson, isNull(dataKeys.supersededAt)));
  await app.db.insert(dataKeys).values(made);
  return made.generation;
}

const AT_ONCE = 500;

/** The next key for people whose own has grown old, however long they write nothing. Answers how many; for a job. */
export async function replaceOldKeys(app: App): Promise<number> {
  const due = await app.database.sql.query<Pick<NewestRow, 'user_id' | 'generation'>>(OLD, [
    new Date(app.now().getTime() - ROTATE_AFTER_MS),
  ]);
  return due.length > 0 ? makeNextKeys(app, due) : 0;
}

const OLD = `
  select k.user_id, k.generation from data_keys k join users u on u.id = k.user_id and u.deleted_at is null
   where k.superseded_at is null and k.sealed_key is not null and k.created_at < $1
   order by k.created_at limit ${AT_ONCE}`;

/** People with keys that a newer one has taken over from, in the order of their ids. */
export async function findPeopleWithOldKeys(app: App, options: { after: string | undefined }): Promise<string[]> {
  const { after } = options;
  const rows = await app.db
    .selectDistinct({ userId: dataKeys.userId })
    .from(dataKeys)
    .where(
      and(
        isNotNull(dataKeys.supersededAt),
        isNotNull(dataKeys.sealedKey),
        after ? gt(dataKeys.userId, after) : undefined,
      ),
    )
    .orderBy(dataKeys.userId)
    .limit(AT_ONCE);
  return rows.map(({ userId }) => userId);
}

/** All keys of these people that still open something. */
export async function findOpeningKeys(app: App, userIds: readonly string[]): Promise<Map<string, DataKey[]>> {
  const keys = new Map<string, DataKey[]>(userIds.map((userId) => [userId, []]));
  if (userIds.length === 0) return keys;
  const rows = await app.db
    .select()
    .from(dataKeys)
    .where(and(inArray(dataKeys.userId, [...userIds]), isNotNull(dataKeys.sealedKey)));
  for (const row of rows) {
    if (row.sealedKey) keys.get(row.userId)?.push(openKey(app, { ...row, sealedKey: row.sealedKey }));
  }
  return keys;
}

/**
 * Destroys all keys of a person: whatever was sealed under them is noise from the commit on.
 *
 * @throws Error when the person is not deleted: keys would be made again
 */
export async function destroyDataKeys(app: App, userId: string): Promise<void> {
  const living = await app.db.$count(users, and(eq(users.id, userId), isNull(users.deletedAt)));
  if (living > 0) throw new Error('Only the keys of somebody who was deleted are destroyed.');
  await app.db
    .update(dataKeys)
    .set({ sealedKey: null, destroyedAt: app.now() })
    .where(and(eq(dataKeys.userId, userId), isNull(dataKeys.destroyedAt)));
}
