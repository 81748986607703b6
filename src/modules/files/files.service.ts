// Invariants: nothing is in the storage without a row here, written and committed before; an object goes first and its
// row after it, so that an object that could not be deleted is not forgotten; how much one person may keep here has an
// end (B5), which also counts what is waiting to be deleted.
import { and, asc, eq, gt, inArray, isNull, lte, ne, or } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { AppError } from '../../core/errors.js';
import { found } from '../../core/input.js';
import { users } from '../auth/auth.table.js';
import { type StoredFileRow, storedFiles } from './files.table.js';

type FileKind = StoredFileRow['kind'];

/** What one person may have in the storage at a time: twenty of at most 5 MiB for avatars and what they are made of. */
const MOST: Readonly<Record<FileKind, number>> = { AVATAR_UPLOAD: 20, AVATAR: 20, DATA_EXPORT: 3 };
const COUNTED_TOGETHER: Readonly<Record<FileKind, FileKind[]>> = {
  AVATAR_UPLOAD: ['AVATAR_UPLOAD', 'AVATAR'],
  AVATAR: ['AVATAR_UPLOAD', 'AVATAR'],
  DATA_EXPORT: ['DATA_EXPORT'],
};

/**
 * A place in the storage for something of a person: the row that everything else needs before a byte is written. It
 * ends after `ttlMs` unless somebody says otherwise.
 *
 * @throws NOT_FOUND for who was deleted; LIMIT_REACHED when they have as many as they may
 */
export async function reserveFile(
  app: App,
  options: { userId: string; kind: FileKind; contentType: string; extension: string; ttlMs: number },
): Promise<StoredFileRow> {
  const { userId, kind, contentType, extension, ttlMs } = options;
  return transact(app, async (app) => {
    // Two at once count one after the other, and nobody who is leaving gets a place behind their own back.
    const living = and(eq(users.id, userId), isNull(users.deletedAt));
    const [user] = await app.db.select({ id: users.id }).from(users).where(living).for('no key update');
    found(user);
    const counted = inArray(storedFiles.kind, COUNTED_TOGETHER[kind]);
    const present = await app.db.$count(storedFiles, and(eq(storedFiles.userId, userId), counted));
    if (present >= MOST[kind]) throw new AppError('LIMIT_REACHED', { extensions: { limit: MOST[kind] } });
    const id = newId();
    const [row] = await app.db
      .insert(storedFiles)
      .values({
        id,
        userId,
        kind,
        contentType,
        objectKey: `u/${userId}/${id}.${extension}`,
        createdAt: app.now(),
        expiresAt: new Date(app.now().getTime() + ttlMs),
      })
      .returning();
    return found(row);
  });
}

/**
 * Ends what a person has, at this moment: it is given to nobody any more, and the next clearing deletes it. Uploads end
 * by themselves within minutes, and not before: until then the storage would still take one, and keep it for ever.
 */
export async function endFilesOf(
  app: App,
  options: { userId: string; kinds?: readonly Exclude<FileKind, 'AVATAR_UPLOAD'>[]; exceptId?: string | undefined },
): Promise<void> {
  const { userId, kinds = ['AVATAR', 'DATA_EXPORT'], exceptId } = options;
  const isKept = or(isNull(storedFiles.expiresAt), gt(storedFiles.expiresAt, app.now()));
  const isOther = exceptId === undefined ? undefined : ne(storedFiles.id, exceptId);
  await app.db
    .update(storedFiles)
    .set({ expiresAt: app.now() })
    .where(and(eq(storedFiles.userId, userId), inArray(storedFiles.kind, [...kinds]), isKept, isOther));
}

const AT_ONCE = 100;

/**
 * Deletes objects whose time is over, and then their rows. For a job; may be run twice, and be cut off.
 *
 * @returns how many went
 * @throws UPSTREAM_FAILED, and the rest waits for the next time
 */
export async function deleteExpiredFiles(app: App): Promise<number> {
  for (let deleted = 0; ; ) {
    const due = await app.db
      .select({ id: storedFiles.id, objectKey: storedFiles.objectKey })
      .from(storedFiles)
      .where(lte(storedFiles.expiresAt, app.now()))
      .orderBy(asc(storedFiles.expiresAt))
      .limit(AT_ONCE);
    for (const { id, objectKey } of due) {
      await app.storage.remove(objectKey);
      await app.db.delete(storedFiles).where(eq(storedFiles.id, id));
    }
    deleted += due.length;
    if (due.length < AT_ONCE) return deleted;
  }
}
