import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createPresignedPost, type PresignedPostOptions } from '@aws-sdk/s3-presigned-post';
import type { Config } from './config.js';
import { type Contents, requireKey, type Storage, storageFailed } from './storage.js';

/** For each answer, and for each piece of a long one. */
const PATIENCE_MS = 5_000;
/** The least that S3 takes as a part of something larger. */
const PART_BYTES = 5 * 1024 * 1024;

/** A private bucket of S3 or of a server that speaks its protocol. */
export function openS3Storage(config: Extract<Config['storage'], { kind: 's3' }>): Storage {
  const { bucket, region, endpoint, credentials } = config;
  const client = new S3Client({
    region,
    // Host names of buckets under an endpoint of one's own are rarely set up; all such servers know paths.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // Without keys of ours: the SDK's own chain, which is how instances and pods get theirs.
    ...(credentials !== undefined && { credentials }),
    maxAttempts: 3,
    requestHandler: { connectionTimeout: PATIENCE_MS },
    // Checksums in trailers are not understood everywhere; TLS and our own looking at what comes back stand instead.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const target = (key: string) => ({ Bucket: bucket, Key: requireKey(key) });

  return {
    kind: 's3',
    async presignUpload({ key, contentType, maxBytes, ttlSeconds }) {
      const form = {
        ...target(key),
        // Signed fields have to come back just so, which makes the type exact. Should somebody look at the raw object
        // after all, a browser saves it and shows nothing (B2).
        Fields: { 'Content-Type': contentType, 'Content-Disposition': 'attachment' },
        Conditions: [['content-length-range', 1, maxBytes]],
        Expires: ttlSeconds,
      } satisfies PresignedPostOptions;
      return answered(() => createPresignedPost(client, form));
    },
    async write(key, contents, { contentType }) {
      const about = { ...target(key), ContentType: contentType, ContentDisposition: 'attachment' };
      const parts = inParts(contents);
      const first = await parts.next();
      const Body = first.done ? Buffer.alloc(0) : first.value;
      if (Body.length >= PART_BYTES) return writeInParts(client, { about, first: Body, rest: parts });
      await answered((abortSignal) => client.send(new PutObjectCommand({ ...about, Body }), { abortSignal }));
      return { sizeBytes: Body.length };
    },
    async open(key) {
      const command = new GetObjectCommand(target(key));
      const found = await answered((abortSignal) => client.send(command, { abortSignal })).catch(
        (error: { cause?: unknown }) => {
          if (error.cause instanceof NoSuchKey) return undefined;
          throw error;
        },
      );
      if (!found) return undefined;
      return { sizeBytes: found.ContentLength ?? 0, stream: Readable.from(steadily(found.Body as Readable)) };
    },
    async remove(key) {
      const command = new DeleteObjectCommand(target(key));
      await answered((abortSignal) => client.send(command, { abortSignal }));
    },
    close: async () => client.destroy(),
  };
}

/** The answer, or UPSTREAM_FAILED when it takes too long: whatever the SDK is waiting for, keys from afar included. */
async function answered<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`No answer within ${PATIENCE_MS} ms`));
      limit.abort();
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([ask(limit.signal), tooLong]);
  } catch (error) {
    throw storageFailed(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Whatever comes in, in pieces that S3 takes as parts: never more than one is in memory. */
async function* inParts(contents: Contents): AsyncGenerator<Buffer, undefined> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of contents) {
    pieces.push(piece);
    size += piece.byteLength;
    if (size < PART_BYTES) continue;
    yield Buffer.concat(pieces, size);
    [pieces, size] = [[], 0];
  }
  if (size > 0) yield Buffer.concat(pieces, size);
}

interface About {
  Bucket: string;
  Key: string;
  ContentType: string;
  ContentDisposition: string;
}

/** The object appears when the last part is there and not before; what fails is given up, parts and all. */
async function writeInParts(
  client: S3Client,
  { about, first, rest }: { about: About; first: Buffer; rest: AsyncIterator<Buffer> },
): Promise<{ sizeBytes: number }> {
  const { Bucket, Key } = about;
  const { UploadId } = await answered((abortSignal) =>
    client.send(new CreateMultipartUploadCommand(about), { abortSignal }),
  );
  const upload = { Bucket, Key, UploadId };
  try {
    const done: { PartNumber: number; ETag: string | undefined }[] = [];
    let sizeBytes = 0;
    for (let Body: Buffer | undefined = first; Body; Body = nextOf(await rest.next())) {
      const PartNumber = done.length + 1;
      const part = new UploadPartCommand({ ...upload, PartNumber, Body });
      const { ETag } = await answered((abortSignal) => client.send(part, { abortSignal }));
      done.push({ PartNumber, ETag });
      sizeBytes += Body.length;
    }
    const complete = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: done } });
    await answered((abortSignal) => client.send(complete, { abortSignal }));
    return { sizeBytes };
  } catch (error) {
    await answered((abortSignal) => client.send(new AbortMultipartUploadCommand(upload), { abortSignal })).catch(
      // The storage is away; a lifecycle rule of the bucket clears up (SETUP_GUIDE).
      () => undefined,
    );
    throw error;
  }
}

const nextOf = (result: IteratorResult<Buffer>) => (result.done ? undefined : result.value);

/** Reads as long as pieces come. The time that the reader takes between them does not count. */
async function* steadily(stream: Readable): AsyncGenerator<Buffer> {
  const pieces = stream.iterator();
  try {
    for (;;) {
      const timer = setTimeout(() => stream.destroy(new Error('The storage stopped sending')), PATIENCE_MS);
      const piece = await pieces.next().finally(() => clearTimeout(timer));
      if (piece.done) return;
      yield piece.value as Buffer;
    }
  } catch (error) {
    throw storageFailed(error);
  } finally {
    stream.destroy();
  }
}
