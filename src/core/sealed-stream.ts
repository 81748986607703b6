import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';

// The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) as age uses it: pieces of 64 KiB, each sealed with
// AES-256-GCM under a nonce that counts them and says which is the last. So nothing is given out that was not checked,
// and pieces that are altered, swapped, taken away or cut off at the end are noticed.
const PIECE = 64 * 1024;
const TAG = 16;

/** Seals what comes, piece by piece. The key must never seal anything else: its nonces begin at nought. */
export async function* sealStream(key: Buffer, contents: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const secret = createSecretKey(key);
  let index = 0;
  for await (const { piece, isLast } of inPieces(contents, PIECE)) {
    const cipher = createCipheriv('aes-256-gcm', secret, nonceOf(index, isLast));
    yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
    index += 1;
  }
}

/** Opens what `sealStream` made. Throws at the first piece that is not as it was. */
export async function* openStream(key: Buffer, contents: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const secret = createSecretKey(key);
  let index = 0;
  for await (const { piece, isLast } of inPieces(contents, PIECE + TAG)) {
    yield openPiece(secret, { piece, nonce: nonceOf(index, isLast) });
    index += 1;
  }
}

function openPiece(secret: KeyObject, { piece, nonce }: { piece: Buffer; nonce: Buffer }): Buffer {
  if (piece.length < TAG) throw new Error('A sealed stream was cut off');
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG });
  decipher.setAuthTag(piece.subarray(piece.length - TAG));
  return Buffer.concat([decipher.update(piece.subarray(0, piece.length - TAG)), decipher.final()]);
}

function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Pieces of just this size, and one last that may be shorter, or empty when there is nothing at all. */
async function* inPieces(
  contents: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ piece: Buffer; isLast: boolean }> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of contents) {
    waiting.push(chunk);
    length += chunk.byteLength;
    if (length <= size) continue;
    let rest = Buffer.concat(waiting, length);
    // One byte more than the piece has come, so it is not the last.
    for (; rest.length > size; rest = rest.subarray(size)) yield { piece: rest.subarray(0, size), isLast: false };
    [waiting, length] = [[rest], rest.length];
  }
  yield { piece: Buffer.concat(waiting, length), isLast: true };
}
