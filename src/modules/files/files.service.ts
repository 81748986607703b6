// Invariants: nothing is in the storage without a row here, written and committed before; an object goes first and its
// row after it, so that an object that could not be deleted is not forgotten; how much one person may keep here has an
// end (B5), which also counts what is waiting to be deleted.
import { and, asc, eq, gt, inArray, isNull, lte, or } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { type StoredFileRow, storedFiles } from './files.table.js';

type FileKind = StoredFileRow['kind'];

/**
 * Ends what a person has, at this moment: it is given to nobody any more, and the next clearing deletes it. Uploads end
 * by themselves within minutes, and not before: until then the storage would still take one, and keep it for ever.
 */
export async function endFilesOf(
  app: App,
  options: { userId: string; kinds?: readonly Exclude<FileKind, 'AVATAR_UPLOAD'>[] },
): Promise<void> {
  const { userId, kinds = ['AVATAR', 'DATA_EXPORT'] } = options;
  const isKept = or(isNull(storedFiles.expiresAt), gt(storedFiles.expiresAt, app.now()));
  await app.db
    .update(storedFiles)
    .set({ expiresAt: app.now() })
    .where(and(eq(storedFiles.userId, userId), inArray(storedFiles.kind, [...kinds]), isKept));
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
