// Source maps are written in base64 digits of six bits, the last of which says whether a number goes on (ECMA-426).
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

function decode(segment: string): number[] {
  const numbers: number[] = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = VALUES.get(digit) ?? 0;
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

function encode(numbers: readonly number[]): string {
  let text = '';
  for (const number of numbers) {
    let rest = number < 0 ? (-number << 1) | 1 : number << 1;
    do {
      text += DIGITS[(rest & 31) | (rest > 31 ? 32 : 0)];
      rest >>= 5;
    } while (rest > 0);
  }
  return text;
}

/**
 * The map with what a stack trace needs: the first place of each line, and packages only as something that is not ours.
 * It is a hundredth of the whole, which takes a second to read, and that at a moment when something has gone wrong.
 */
export function withLinesOf(isOurs: (source: string) => boolean, text: string): string {
  const map = JSON.parse(text) as { sources: string[]; mappings: string; [key: string]: unknown };
  const ours = map.sources.map(isOurs);
  // Every number but a column of the script is the difference to the one before it, over all lines.
  let [source, line, column] = [0, 0, 0];
  const written = { source: 0, line: 0, column: 0 };
  const lines = map.mappings.split(';').map((segments) => {
    let [at, writtenAt] = [0, 0];
    let former = '';
    let kept = '';
    for (const [step = 0, ...place] of segments.split(',').map(decode)) {
      at += step;
      source += place[0] ?? 0;
      line += place[1] ?? 0;
      column += place[2] ?? 0;
      const isKnown = place.length > 0 && ours[source] === true;
      const now = isKnown ? `${source}:${line}` : '';
      if (now === former) continue;
      former = now;
      const where = isKnown ? [source - written.source, line - written.line, column - written.column] : [];
      if (isKnown) Object.assign(written, { source, line, column });
      kept += `${kept && ','}${encode([at - writtenAt, ...where])}`;
      writtenAt = at;
    }
    return kept;
  });
  return JSON.stringify({ ...map, names: [], mappings: lines.join(';') });
}
