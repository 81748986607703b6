import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readImageHeader } from '../../src/core/image-header.js';
import { makePng, tiny } from '../support/images.js';

it.each([
  ['image/png', makePng(3, 2), 3, 2],
  ['image/jpeg', tiny('jpeg'), 1, 1],
  ['image/webp', tiny('webp'), 1, 1],
  ['image/webp', tiny('webpLossless'), 1, 1],
  ['image/webp', tiny('webpExtended'), 1, 1],
])('reads what kind it is and how large: %s', (contentType, bytes, width, height) => {
  expect(readImageHeader(bytes)).toEqual({ contentType, width, height });
});

it('reads sides of more than a byte', () => {
  expect(readImageHeader(makePng(4_000, 70_000, { rows: 1 }))).toMatchObject({ width: 4_000, height: 70_000 });
  const jpeg = tiny('jpeg');
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc2]));
  jpeg.writeUInt16BE(1_234, frame + 5);
  jpeg.writeUInt16BE(4_321, frame + 7);
  expect(readImageHeader(jpeg)).toMatchObject({ width: 4_321, height: 1_234 });
  const webp = tiny('webpExtended');
  webp.writeUIntLE(16_383, 24, 3);
  expect(readImageHeader(webp)).toMatchObject({ width: 16_384, height: 1 });
});

it('passes what stands before the frame of a JPEG, fill bytes too', () => {
  const jpeg = tiny('jpeg');
  const comment = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xfe, 0x40, 0x02]), Buffer.alloc(0x4000, 0xc0)]);
  const longer = Buffer.concat([jpeg.subarray(0, 2), comment, jpeg.subarray(2)]);
  expect(readImageHeader(longer)).toMatchObject({ contentType: 'image/jpeg', width: 1, height: 1 });
});

it.each([
  ['nothing', ''],
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
  ['HTML', '<!doctype html><script>alert(1)</script>'],
  ['GIF', 'GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00;                    '],
  ['PDF', '%PDF-1.7 and so on and so on and so on'],
  ['a page that begins after a PNG signature', '\x89PNG\r\n\x1a\n<script>alert(1)</script>                    '],
  ['RIFF that is no image', 'RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x44\xac\x00\x00'],
])('knows no image in %s', (_, text) => {
  expect(readImageHeader(Buffer.from(text, 'latin1'))).toBeUndefined();
});

it('survives whatever bytes, and images cut off anywhere', () => {
  const heads = [makePng(1, 1), tiny('jpeg'), tiny('webp'), tiny('webpLossless'), tiny('webpExtended')];
  for (const image of heads)
    for (let length = 0; length < image.length; length += 1) readImageHeader(image.subarray(0, length));
  fc.assert(
    fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 80 }), fc.nat(40), (head, noise, cut) => {
      readImageHeader(Buffer.concat([head.subarray(0, cut), noise]));
    }),
  );
});
