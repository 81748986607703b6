import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';

/**
 * The map with what a stack trace needs: the first place of each line, and packages only as something that is not ours.
 * It is a small part of the whole, which takes a second to read, and that at a moment when something has gone wrong.
 */
export function withLinesOf(isOurs: (source: string) => boolean, text: string): string {
  const map = JSON.parse(text) as { sources: string[]; mappings: string; [key: string]: unknown };
  const ours = map.sources.map(isOurs);
  const lines = decode(map.mappings).map((segments) => {
    let former = '';
    const kept: SourceMapSegment[] = [];
    for (const segment of segments) {
      const place = segment.length !== 1 && ours[segment[1]] ? segment : undefined;
      const now = place ? `${place[1]}:${place[2]}` : '';
      if (now === former) continue;
      former = now;
      kept.push(place ? [place[0], place[1], place[2], place[3]] : [segment[0]]);
    }
    return kept;
  });
  return JSON.stringify({ ...map, names: [], mappings: encode(lines) });
}
