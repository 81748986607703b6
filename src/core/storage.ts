import type { Readable } from 'node:stream';
import type { Config } from './config.js';
import { AppError } from './errors.js';
import type { Logger } from './logger.js';
import { openLocalStorage } from './storage-local.js';

/**
 * Where files are: a folder of DATA_DIR, or a bucket. Knows nothing of whose they are or how long they stay. Every call
 * throws within a database transaction.
 */
export interface Storage {
  readonly kind: Config['storage']['kind'];
  /**
   * A form with which a browser sends one file straight to the bucket, whatever this server is doing meanwhile.
   * Undefined where uploads come to a door of our own. @throws UPSTREAM_FAILED
   */
  readonly presignUpload: ((upload: UploadTerms) => Promise<UploadForm>) | undefined;
  /** Writes the object whole or not at all; one that was there is replaced. @throws UPSTREAM_FAILED, RETRY_LATER */
  write(key: string, contents: Contents, options: { contentType: string }): Promise<{ sizeBytes: number }>;
  /** Undefined when there is no such object. @throws UPSTREAM_FAILED */
  open(key: string): Promise<StoredObject | undefined>;
  /** Right also when there is no such object. @throws UPSTREAM_FAILED */
  remove(key: string): Promise<void>;
  close(): Promise<void>;
}

export type Contents = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** What may be sent, as the storage itself enforces it. */
export interface UploadTerms {
  readonly key: string;
  readonly contentType: string;
  readonly maxBytes: number;
  readonly ttlSeconds: number;
}

/** `multipart/form-data`: these fields, in any order, and then one called `file`. */
export interface UploadForm {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface StoredObject {
  readonly sizeBytes: number;
  /** Fails with UPSTREAM_FAILED when the storage stops sending. */
  readonly stream: Readable;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const KEY = new RegExp(`^u/${UUID}/${UUID}\\.[a-z]{3,6}$`);

/** Keys are made by the server (B1), and yet nothing else gets as far as a path or a URL. @throws Error */
export function requireKey(key: string): string {
  if (!KEY.test(key)) throw new Error('Not a key of the storage');
  return key;
}

/** What storages fail with. The cause goes to the log and no further. */
export function storageFailed(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  return Object.assign(new AppError('UPSTREAM_FAILED', { message: 'The file storage does not answer; try again.' }), {
    cause,
  });
}

export interface StorageOptions {
  log: Pick<Logger, 'warn'>;
  /** Throws when called within a database transaction, which must never wait for a disk or for another host. */
  requireOutside(): void;
}

/** The configured storage. Opens nothing yet: the client of S3 is loaded when it is first needed. */
export function createStorage({ storage }: Pick<Config, 'storage'>, options: StorageOptions): Storage {
  return watched(storage.kind === 'local' ? openLocalStorage(storage.directory) : openLazily(storage), options);
}

/** Nothing goes to the storage within a transaction, and whoever runs this reads why something failed. */
function watched(storage: Storage, { log, requireOutside }: StorageOptions): Storage {
  async function call<T>(work: () => Promise<T>): Promise<T> {
    requireOutside();
    try {
      return await work();
    } catch (error) {
      if (error instanceof AppError && error.cause !== undefined) log.warn({ err: error.cause }, 'the storage failed');
      throw error;
    }
  }
  const { kind, presignUpload } = storage;
  return {
    kind,
    presignUpload: presignUpload && ((upload) => call(() => presignUpload(upload))),
    write: (...args) => call(() => storage.write(...args)),
    open: (...args) => call(() => storage.open(...args)),
    remove: (...args) => call(() => storage.remove(...args)),
    close: () => storage.close(),
  };
}

function openLazily(config: Extract<Config['storage'], { kind: 's3' }>): Storage {
  let opening: Promise<Storage> | undefined;
  const open = () => (opening ??= import('./storage-s3.js').then(({ openS3Storage }) => openS3Storage(config)));
  return {
    kind: 's3',
    presignUpload: async (upload) => (await open()).presignUpload?.(upload) ?? unsigned(),
    write: async (...args) => (await open()).write(...args),
    open: async (...args) => (await open()).open(...args),
    remove: async (...args) => (await open()).remove(...args),
    close: async () => (await opening)?.close(),
  };
}

function unsigned(): never {
  throw new Error('A bucket signs its own uploads');
}

/** The whole object. @throws UPSTREAM_FAILED; RangeError when it has more bytes than that */
export async function readWhole(object: StoredObject, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of object.stream) {
    size += (chunk as Buffer).length;
    // Thrown within the loop, which destroys the stream.
    if (size > maxBytes) throw new RangeError('The object is larger than it may be');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks, size);
}
