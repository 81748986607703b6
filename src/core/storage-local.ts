import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from './errors.js';
import { type Contents, requireKey, type Storage, storageFailed } from './storage.js';

/**
 * Files in a folder: each written under another name, synced, and then renamed, so that under its own name it is whole
 * or not there, whatever the power does. The owner alone may read them.
 */
export function openLocalStorage(directory: string): Storage {
  const pathOf = (key: string) => join(directory, requireKey(key));
  const drafts = join(directory, 'drafts');
  let isSwept = false;

  async function prepare(path: string): Promise<void> {
    await mkdir(drafts, { recursive: true, mode: 0o700 });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (isSwept) return;
    isSwept = true;
    await sweepDrafts(drafts);
  }

  return {
    kind: 'local',
    presignUpload: undefined,
    async write(key, contents) {
      const path = pathOf(key);
      const draft = join(drafts, randomUUID());
      try {
        await prepare(path);
        const sizeBytes = await writeDraft(draft, contents);
        await rename(draft, path);
        return { sizeBytes };
      } catch (error) {
        await rm(draft, { force: true }).catch(() => undefined);
        throw toStorageError(error);
      }
    },
    async open(key) {
      const path = pathOf(key);
      try {
        const { size } = await stat(path);
        return { sizeBytes: size, stream: createReadStream(path) };
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw toStorageError(error);
      }
    },
    async remove(key) {
      await rm(pathOf(key), { force: true }).catch((error) => {
        throw toStorageError(error);
      });
    },
    close: async () => undefined,
  };
}

/** Longer than any file takes to write, in this process or in another that shares the folder. */
const DRAFT_MS = 86_400_000;

/** Clears away what an earlier process began and could not finish. */
async function sweepDrafts(drafts: string): Promise<void> {
  for (const name of await readdir(drafts)) {
    const path = join(drafts, name);
    const draft = await stat(path).catch(() => undefined);
    if (draft && draft.mtimeMs < Date.now() - DRAFT_MS) await rm(path, { force: true });
  }
}

async function writeDraft(path: string, contents: Contents): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  try {
    let size = 0;
    for await (const chunk of contents) {
      await file.writeFile(chunk);
      size += chunk.byteLength;
    }
    await file.sync();
    return size;
  } finally {
    await file.close();
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT']);

/** What the contents themselves threw on the way is not the disk's doing, and passes as it is. */
function toStorageError(error: unknown): unknown {
  if (NO_ROOM.has(codeOf(error) ?? '')) {
    return Object.assign(new AppError('RETRY_LATER', { message: 'There is no room for files at the moment.' }), {
      cause: error,
    });
  }
  return (error as NodeJS.ErrnoException).syscall === undefined ? error : storageFailed(error);
}
