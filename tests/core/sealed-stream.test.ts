import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openStream, sealStream } from '../../src/core/sealed-stream.js';

const key = randomBytes(32);
const PIECE = 64 * 1024;

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
/** The same bytes, cut here and there. */
async function* cut(bytes: Buffer, sizes: number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}
const seal = (plain: Buffer, sizes: number[] = []) => collect(sealStream(key, cut(plain, sizes)));
const open = (sealed: Buffer, sizes: number[] = []) => collect(openStream(key, cut(sealed, sizes)));

describe('a sealed stream', () => {
  it.each([0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5])(
    'of %i bytes opens as it was',
    async (length) => {
      const plain = randomBytes(length);
      const sealed = await seal(plain);
      expect(sealed.length).toBe(length + 16 * Math.max(1, Math.ceil(length / PIECE)));
      expect((await open(sealed)).equals(plain)).toBe(true);
    },
  );

  it('does not care how it is cut on the way', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.nat(200_000), sizes, sizes, async (length, one, other) => {
        const plain = Buffer.alloc(length, length % 251);
        expect((await open(await seal(plain, one), other)).equals(plain)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('opens in no other way than it was: altered, cut off, swapped, lengthened, or with another key', async () => {
    const sealed = await seal(randomBytes(3 * PIECE + 5));
    const step = PIECE + 16;
    const piece = (index: number) => sealed.subarray(index * step, (index + 1) * step);
    const flipped = Buffer.from(sealed);
    flipped[step + 100] = (flipped[step + 100] ?? 0) ^ 1;
    for (const broken of [
      flipped,
      sealed.subarray(0, sealed.length - 1),
      sealed.subarray(0, 3 * step),
      sealed.subarray(0, 2 * step),
      Buffer.alloc(0),
      Buffer.concat([piece(1), piece(0), piece(2), piece(3)]),
      Buffer.concat([piece(0), piece(2), piece(3)]),
      Buffer.concat([sealed, piece(3)]),
      Buffer.concat([sealed, Buffer.from('x')]),
    ])
      await expect(open(broken)).rejects.toThrow();
    await expect(collect(openStream(randomBytes(32), cut(sealed, [])))).rejects.toThrow();
  });
});
