import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';

/** One file of an archive. */
export interface TarEntry {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes a tar archive (POSIX.1-1988, ustar) that its owner alone may read, as files come, of lengths not yet known. */
export interface TarWriter {
  add(name: string, contents: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<TarEntry>;
  /** Writes the end, and answers once all of it is on the disk. */
  finish(): Promise<void>;
  /** Lets go without an end: for what failed. */
  abandon(): Promise<void>;
}

const BLOCK = 512;
const LONGEST_NAME = 100;
/** Eleven octal digits; larger ones are written in base 256, as GNU tar does. */
const LARGEST_OCTAL = 8 ** 11;

/** @throws EEXIST when there is a file of that name */
export async function createTar(path: string): Promise<TarWriter> {
  const file = await open(path, 'wx', 0o600);
  let position = 0;
  async function write(bytes: Uint8Array): Promise<void> {
    // A write may be short, on a disk that is filling up.
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position);
      done += bytesWritten;
      position += bytesWritten;
    }
  }
  return {
    async add(name, contents) {
      const start = position;
      await write(Buffer.alloc(BLOCK));
      const hash = createHash('sha256');
      for await (const chunk of contents) {
        hash.update(chunk);
        await write(chunk);
      }
      const bytes = position - start - BLOCK;
      await write(Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK));
      // Only now is its length known.
      await file.write(headerOf(name, bytes), 0, BLOCK, start);
      return { name, bytes, sha256: hash.digest('hex') };
    },
    async finish() {
      await write(Buffer.alloc(2 * BLOCK));
      await file.sync();
      await file.close();
    },
    abandon: () => file.close(),
  };
}

function headerOf(name: string, bytes: number): Buffer {
  if (Buffer.byteLength(name) > LONGEST_NAME) throw new Error('A name is too long for the archive.');
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write('0000600\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  if (bytes < LARGEST_OCTAL) header.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(bytes), 128);
  }
  const seconds = Math.floor(Date.now() / 1_000);
  header.write(`${seconds.toString(8).padStart(11, '0')}\0`, 136);
  header.write('0ustar\0', 156);
  header.write('00', 263);
  header.write(`${sumOf(header).toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Of all bytes, with the sum's own field as blanks. */
function sumOf(header: Buffer): number {
  let sum = 8 * 0x20;
  for (const [place, byte] of header.entries()) if (place < 148 || place >= 156) sum += byte;
  return sum;
}

export interface StoredEntry {
  readonly name: string;
  readonly bytes: number;
  stream(): Readable;
}

/** What an archive holds, without reading the files in it. @throws TarDamaged when it ends early or is no archive */
export async function listTar(path: string): Promise<StoredEntry[]> {
  const file = await open(path, 'r');
  try {
    return await readHeaders(file, path);
  } finally {
    await file.close();
  }
}

export class TarDamaged extends Error {}

async function readHeaders(file: FileHandle, path: string): Promise<StoredEntry[]> {
  const { size } = await file.stat();
  const entries: StoredEntry[] = [];
  const header = Buffer.alloc(BLOCK);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(header, 0, BLOCK, position);
    if (bytesRead < BLOCK) throw new TarDamaged('it ends early');
    if (header.every((byte) => byte === 0)) return entries;
    if (Number.parseInt(header.toString('latin1', 148, 156), 8) !== sumOf(header))
      throw new TarDamaged('it is not an archive, or its bytes were changed');
    const bytes =
      header[124] === 0x80
        ? Number(header.readBigUInt64BE(128))
        : Number.parseInt(header.toString('latin1', 124, 135), 8);
    const start = position + BLOCK;
    if (start + bytes > size) throw new TarDamaged('it ends early');
    const name = header.toString('utf8', 0, LONGEST_NAME).replace(/\0.*$/s, '');
    const stream = () => (bytes === 0 ? Readable.from([]) : createReadStream(path, { start, end: start + bytes - 1 }));
    entries.push({ name, bytes, stream });
    position = start + Math.ceil(bytes / BLOCK) * BLOCK;
  }
}
