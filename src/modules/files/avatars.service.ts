// Invariants: what is shown as an avatar is the very bytes that were looked at: they are copied under a new key, since a
// form that S3 has signed takes other bytes for the old one until it ends; an upload becomes an avatar once, and its
// owner's; no disk and no other host is waited for while a transaction is open.
import { and, eq, gt, isNull } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { AppError, badInput } from '../../core/errors.js';
import { readImageHeader } from '../../core/image-header.js';
import { found, isUuid, requireId } from '../../core/input.js';
import { readWhole, type StoredObject } from '../../core/storage.js';
import { endFilesOf, reserveFile } from './files.service.js';
import { type StoredFileRow, storedFiles } from './files.table.js';
import { readPlace, signPlace } from './signed-places.js';

/** No SVG: it is a document with scripts. */
const EXTENSIONS: Readonly<Record<string, string>> = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp' };
export const AVATAR_BYTES = 5 * 1024 * 1024;
/** 64 MiB when unfolded. */
const LONGEST_SIDE = 4_096;

const UPLOAD_TTL_SECONDS = 300;
/** Long enough for what began in time to arrive, and for the person to save the form around it. */
const UPLOAD_KEPT_MS = 900_000;

export interface AvatarUploadTerms {
  uploadId: string;
  url: string;
  fields: Record<string, string>;
  maxBytes: number;
  expiresAt: Date;
}

/**
 * Where and how to send a new avatar: one `multipart/form-data` with these fields and then the file, within five
 * minutes. It becomes the avatar by `updateProfile`.
 *
 * @throws BAD_USER_INPUT, LIMIT_REACHED, UPSTREAM_FAILED
 */
export async function createAvatarUpload(
  app: App,
  options: { userId: string; contentType: string },
): Promise<AvatarUploadTerms> {
  const { userId, contentType } = options;
  const extension = EXTENSIONS[contentType];
  if (!extension) throw badInput({ contentType: `must be one of ${Object.keys(EXTENSIONS).join(', ')}` });
  const kind = 'AVATAR_UPLOAD';
  const row = await reserveFile(app, { userId, kind, contentType, extension, ttlMs: UPLOAD_KEPT_MS });
  const terms = { key: row.objectKey, contentType, maxBytes: AVATAR_BYTES, ttlSeconds: UPLOAD_TTL_SECONDS };
  const form = app.storage.presignUpload ? await app.storage.presignUpload(terms) : ownForm(app, row);
  return { uploadId: row.id, ...form, maxBytes: AVATAR_BYTES, expiresAt: endOfForm(row) };
}

const endOfForm = ({ createdAt }: StoredFileRow) => new Date(createdAt.getTime() + UPLOAD_TTL_SECONDS * 1_000);

/** The same kind of form for a door of our own. What proves it stands in the address, to be looked at before the body. */
function ownForm(app: App, row: StoredFileRow) {
  const token = signPlace(app, { purpose: 'upload', fileId: row.id, endsAt: endOfForm(row) });
  return { url: `${app.config.server.publicUrl}/uploads/${token}`, fields: {} };
}

/** The upload that such an address is for. @throws TOKEN_INVALID, TOKEN_EXPIRED */
export function readUploadToken(app: App, token: string): string {
  return readPlace(app, { purpose: 'upload', token });
}

/**
 * Takes a file that came to our own door, as S3 would: any bytes of the right number. Counts once.
 *
 * @throws BAD_USER_INPUT, CONFLICT when one was taken before, RETRY_LATER when the disk is full
 */
export async function receiveAvatarUpload(app: App, options: { uploadId: string; file: Buffer }): Promise<void> {
  const { uploadId, file } = options;
  if (file.length === 0) throw badInput({ file: 'must not be empty' });
  if (file.length > AVATAR_BYTES) throw badInput({ file: `must have at most ${AVATAR_BYTES} bytes` });
  const isOpen = and(eq(storedFiles.id, uploadId), isNull(storedFiles.storedAt));
  const taken = { storedAt: app.now(), sizeBytes: file.length };
  const [row] = await app.db.update(storedFiles).set(taken).where(isOpen).returning();
  if (!row) throw new AppError('CONFLICT', { message: 'A file was uploaded here before; ask for another upload.' });
  try {
    await app.storage.write(row.objectKey, [file], row);
  } catch (error) {
    // Nothing came of it, so it may be tried again.
    const untaken = { storedAt: null, sizeBytes: null };
    await app.db.update(storedFiles).set(untaken).where(eq(storedFiles.id, uploadId));
    throw error;
  }
}

/** An avatar that is in the storage and not yet anybody's. */
export interface PreparedAvatar {
  fileId: string;
  uploadId: string;
  /** What `users.avatar_url` holds. */
  path: string;
}

/**
 * Looks at what was uploaded and copies it to where avatars are. Before the transaction that makes it the person's;
 * when that never comes, the copy ends by itself.
 *
 * @throws BAD_USER_INPUT (`avatarUploadId`) when nothing was uploaded, or something else than was announced; NOT_FOUND;
 *   CONFLICT when it was used before; LIMIT_REACHED; UPSTREAM_FAILED
 */
export async function prepareAvatar(app: App, options: { userId: string; uploadId: string }): Promise<PreparedAvatar> {
  const { userId } = options;
  const uploadId = requireId(options.uploadId, 'avatarUploadId');
  const isOwn = and(eq(storedFiles.id, uploadId), eq(storedFiles.userId, userId));
  const [row] = await app.db
    .select()
    .from(storedFiles)
    .where(and(isOwn, eq(storedFiles.kind, 'AVATAR_UPLOAD'), gt(storedFiles.expiresAt, app.now())));
  const upload = found(row);
  if (upload.usedAt) throw usedBefore();
  const object = await app.storage.open(upload.objectKey);
  if (!object) throw badInput({ avatarUploadId: 'nothing was uploaded yet' });
  const { contentType } = upload;
  const bytes = await readImage(object, contentType);
  const extension = EXTENSIONS[contentType] ?? '';
  const copy = await reserveFile(app, { userId, kind: 'AVATAR', contentType, extension, ttlMs: UPLOAD_KEPT_MS });
  const stored = await app.storage.write(copy.objectKey, [bytes], { contentType });
  await app.db
    .update(storedFiles)
    .set({ ...stored, storedAt: app.now() })
    .where(eq(storedFiles.id, copy.id));
  return { fileId: copy.id, uploadId, path: `/avatars/${copy.id}.${extension}` };
}

async function readImage(object: StoredObject, contentType: string): Promise<Buffer> {
  const bytes = await readWhole(object, AVATAR_BYTES).catch((error: unknown) => {
    if (error instanceof RangeError) throw badInput({ avatarUploadId: 'is too large' });
    throw error;
  });
  const image = readImageHeader(bytes);
  if (image?.contentType !== contentType) throw badInput({ avatarUploadId: `is no ${contentType}` });
  const sides = [image.width, image.height];
  if (sides.some((side) => side < 1 || side > LONGEST_SIDE))
    throw badInput({ avatarUploadId: `must have sides of 1 to ${LONGEST_SIDE} pixels` });
  return bytes;
}

const usedBefore = () => new AppError('CONFLICT', { message: 'This upload was used before; ask for another one.' });

/** Makes it the avatar for good, and ends the one before. In the transaction that writes its path to the person. */
export async function keepAvatar(
  app: App,
  options: { userId: string; prepared: PreparedAvatar | undefined },
): Promise<void> {
  const { userId, prepared } = options;
  if (prepared) {
    const isUnused = and(eq(storedFiles.id, prepared.uploadId), isNull(storedFiles.usedAt));
    const used = await app.db.update(storedFiles).set({ usedAt: app.now() }).where(isUnused).returning();
    if (used.length === 0) throw usedBefore();
    const isThere = and(eq(storedFiles.id, prepared.fileId), gt(storedFiles.expiresAt, app.now()));
    const kept = await app.db.update(storedFiles).set({ expiresAt: null }).where(isThere).returning();
    found(kept[0]);
  }
  await endFilesOf(app, { userId, kinds: ['AVATAR'], exceptId: prepared?.fileId });
}

const SHOWN = `
  select f.object_key as "objectKey", f.content_type as "contentType"
    from stored_files f join users u on u.id = f.user_id and u.deleted_at is null
   where f.id = $1 and f.kind = 'AVATAR' and f.expires_at is null`;

/** An avatar by its name in `/avatars/<name>`. @throws NOT_FOUND, for that of who was deleted too; UPSTREAM_FAILED */
export async function openAvatar(app: App, name: string): Promise<StoredObject & { contentType: string }> {
  const [id = ''] = name.split('.');
  const rows = isUuid(id) ? await app.sql.query<{ objectKey: string; contentType: string }>(SHOWN, [id]) : [];
  const { objectKey, contentType } = found(rows.find((row) => name === `${id}.${EXTENSIONS[row.contentType]}`));
  return { ...found(await app.storage.open(objectKey)), contentType };
}
