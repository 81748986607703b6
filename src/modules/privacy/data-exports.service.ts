// Invariants: the file is sealed with the person's own key before it leaves this process, so that no disk, bucket or
// backup of either can be read without it, and nothing is left of it when the key is destroyed; it lives for a day; only
// its owner gets at it, each time with a sign-in that is fresh; it is written and read piece by piece.
import { hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { and, asc, desc, eq, gt, isNotNull, isNull } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { openStream, sealStream } from '../../core/sealed-stream.js';
import { recordAudit } from '../audit/audit.service.js';
import { getUser } from '../auth/users.service.js';
import { findOpeningKeys, findSealingKeys } from '../data-keys/data-keys.service.js';
import { reserveFile } from '../files/files.service.js';
import { type StoredFileRow, storedFiles } from '../files/files.table.js';
import { readPlace, signPlace } from '../files/signed-places.js';
import { queueLetter } from '../mail/outbox.service.js';
import { type KeyValue, readHeldRows } from './held-rows.service.js';
import { PRIVACY_MAP } from './privacy-map.js';

const KEPT_MS = 86_400_000;
const LINK_MS = 60_000;
const AT_ONCE = 500;

const isExport = eq(storedFiles.kind, 'DATA_EXPORT');
const isLive = (app: App) => and(isExport, gt(storedFiles.expiresAt, app.now()));

/**
 * Asks for a file with everything that is held about the caller, however much that is. A job makes it and a letter says
 * when it is there. While one is being made, that one is answered.
 *
 * @throws NOT_FOUND when the person was deleted meanwhile; LIMIT_REACHED with three of them
 */
export async function createDataExport(app: App, options: { userId: string; actor: Actor }): Promise<StoredFileRow> {
  const { userId, actor } = options;
  const isPending = and(isLive(app), eq(storedFiles.userId, userId), isNull(storedFiles.storedAt));
  const [pending] = await app.db.select().from(storedFiles).where(isPending).limit(1);
  if (pending) return pending;
  return transact(app, async (app) => {
    const file = { contentType: 'application/json', extension: 'sealed', ttlMs: KEPT_MS };
    const row = await reserveFile(app, { userId, kind: 'DATA_EXPORT', ...file });
    const target = { kind: 'user', id: userId };
    await recordAudit(app, { actor, action: 'user.data_export_requested', userId, target });
    return row;
  });
}

/** The files that the caller asked for and that still are there, the latest first. */
export function dataExports(app: App, userId: string): Promise<StoredFileRow[]> {
  const isOwn = eq(storedFiles.userId, userId);
  return app.db
    .select()
    .from(storedFiles)
    .where(and(isLive(app), isOwn))
    .orderBy(desc(storedFiles.id));
}

/**
 * An address at which a browser gets the file, for a minute. The person's history says that it was asked for.
 *
 * @throws BAD_USER_INPUT; NOT_FOUND; CONFLICT while it is being made
 */
export async function createDataExportLink(
  app: App,
  options: { userId: string; id: string; actor: Actor },
): Promise<{ url: string; expiresAt: Date }> {
  const { userId, actor } = options;
  const isOwn = and(eq(storedFiles.id, requireId(options.id)), eq(storedFiles.userId, userId));
  return transact(app, async (app) => {
    const [row] = await app.db
      .select()
      .from(storedFiles)
      .where(and(isLive(app), isOwn));
    const { id, storedAt } = found(row);
    if (!storedAt) throw new AppError('CONFLICT', { message: 'It is still being made.' });
    await recordAudit(app, { actor, action: 'user.data_exported', userId, target: { kind: 'user', id: userId } });
    const expiresAt = new Date(app.now().getTime() + LINK_MS);
    const token = signPlace(app, { purpose: 'data-export', fileId: id, endsAt: expiresAt });
    return { url: `${app.config.server.publicUrl}/exports/${token}`, expiresAt };
  });
}

/** The file behind such an address, open. @throws TOKEN_INVALID, TOKEN_EXPIRED, NOT_FOUND, UPSTREAM_FAILED */
export async function openDataExport(app: App, token: string): Promise<{ stream: Readable; name: string }> {
  const fileId = readPlace(app, { purpose: 'data-export', token });
  const isReady = and(isLive(app), eq(storedFiles.id, fileId), isNotNull(storedFiles.storedAt));
  const [row] = await app.db.select().from(storedFiles).where(isReady);
  const { userId, objectKey, createdAt } = found(row);
  const keys = (await findOpeningKeys(app, [userId])).get(userId) ?? [];
  const { stream } = found(await app.storage.open(objectKey));
  const contents = opened(stream, (head) => {
    const key = found(keys.find(({ generation }) => generation === head.generation));
    return fileKeyOf(key.key, { salt: head.salt, fileId });
  });
  return { stream: Readable.from(contents), name: `credence-export-${createdAt.toISOString().slice(0, 10)}.json` };
}

/**
 * Makes the files that were asked for. For a job: may be cut off, and begins again then. One that fails keeps no other
 * and is tried again by the next run, for a day.
 *
 * @returns how many were made
 */
export async function makeDataExports(app: App): Promise<number> {
  const isWaiting = and(isLive(app), isNull(storedFiles.storedAt));
  const waiting = await app.db.select().from(storedFiles).where(isWaiting).orderBy(asc(storedFiles.id));
  let made = 0;
  for (const row of waiting) {
    try {
      if (await makeDataExport(app, row)) made += 1;
    } catch (error) {
      app.log.warn({ err: error, userId: row.userId }, 'a data export could not be made and will be tried again');
    }
  }
  return made;
}

/** False for somebody who left meanwhile: then the file has ended, too. */
async function makeDataExport(app: App, { id, userId, objectKey, contentType }: StoredFileRow): Promise<boolean> {
  const sealing = (await findSealingKeys(app, [userId])).get(userId);
  if (!sealing) return false;
  const salt = randomBytes(SALT_BYTES);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(sealing.generation);
  const key = fileKeyOf(sealing.key, { salt, fileId: id });
  async function* file() {
    yield Buffer.concat([head, salt]);
    yield* sealStream(key, documentOf(app, userId));
  }
  const { sizeBytes } = await app.storage.write(objectKey, file(), { contentType });
  return transact(app, async (app) => {
    const now = app.now();
    const until = new Date(now.getTime() + KEPT_MS);
    const [ready] = await app.db
      .update(storedFiles)
      .set({ storedAt: now, sizeBytes, expiresAt: until })
      .where(and(isLive(app), eq(storedFiles.id, id), isNull(storedFiles.storedAt)))
      .returning();
    if (!ready) return false;
    const { email: to, locale, timeZone, username } = await getUser(app, userId);
    const letter = { to, locale, timeZone, userId, idempotencyKey: `data-export:${id}` };
    return queueLetter(app, { ...letter, kind: 'DATA_EXPORT_READY', data: { username, when: until } });
  });
}

const PROFILE = found(PRIVACY_MAP.find(({ section }) => section === 'profile'));

/** The document of `exportMyData`, to its very end: a JSON object, a few hundred rows at a time. */
async function* documentOf(app: App, userId: string): AsyncGenerator<Buffer> {
  yield Buffer.from(`{"exportedAt":${JSON.stringify(app.now())}`);
  const { rows: profile } = await readHeldRows(app, { held: PROFILE, userId, limit: 1 });
  yield Buffer.from(`,\n"profile":${JSON.stringify(profile[0] ?? null)}`);
  for (const held of PRIVACY_MAP) {
    if (held.section === undefined || held === PROFILE) continue;
    yield Buffer.from(`,\n${JSON.stringify(held.section)}:[`);
    let after: readonly KeyValue[] | undefined;
    let separator = '\n';
    do {
      const page = await readHeldRows(app, { held, userId, limit: AT_ONCE, after });
      const lines = page.rows.map((row) => JSON.stringify(row)).join(',\n');
      if (lines !== '') yield Buffer.from(separator + lines);
      separator = ',\n';
      after = page.next;
    } while (after);
    yield Buffer.from(']');
  }
  yield Buffer.from('}\n');
}

const SALT_BYTES = 32;
const HEAD_BYTES = 4 + SALT_BYTES;

/** A key for this one writing of this one file: tried again, it is another. */
function fileKeyOf(key: KeyObject, { salt, fileId }: { salt: Buffer; fileId: string }): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, `data-export:${fileId}`, 32));
}

async function* opened(
  stream: Readable,
  keyOf: (head: { generation: number; salt: Buffer }) => Buffer,
): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  try {
    let first = Buffer.alloc(0);
    while (first.length < HEAD_BYTES) {
      const { value, done } = await chunks.next();
      if (done) throw new Error('A data export was cut off');
      first = Buffer.concat([first, value]);
    }
    const key = keyOf({ generation: first.readUInt32BE(0), salt: first.subarray(4, HEAD_BYTES) });
    async function* body() {
      yield first.subarray(HEAD_BYTES);
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
    }
    yield* openStream(key, body());
  } finally {
    stream.destroy();
  }
}
