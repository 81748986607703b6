import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPage, toConnection, writeCursor } from '../../src/core/pages.js';

const encode = (text: string) => Buffer.from(text).toString('base64url');
const KINDS = ['time', 'id', 'integer', 'text'] as const;
const ID = '01890000-0000-7000-8000-000000000000';

describe('a page', () => {
  it('has 20 rows unless 1 to 100 are asked for', () => {
    expect(readPage({}, ['id'])).toEqual({ limit: 20, after: undefined });
    expect(readPage({ first: null, after: null }, ['id'])).toEqual({ limit: 20, after: undefined });
    expect(readPage({ first: 100 }, ['id']).limit).toBe(100);
    for (const first of [0, -1, 101, 1.5, Number.NaN]) {
      expect(() => readPage({ first }, ['id'])).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
    }
  });

  it('begins after the row whose key the cursor holds', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true }),
        fc.integer(),
        fc.string({ unit: 'grapheme', maxLength: 50 }).filter((text) => !text.includes('\0')),
        (time, integer, text) => {
          const after = writeCursor([time, ID, integer, text]);
          expect(readPage({ after }, KINDS).after).toEqual([time, ID, integer, text]);
        },
      ),
    );
  });

  it.each([
    ['nothing', ''],
    ['no base64url', '+/=='],
    ['no JSON', encode('[1')],
    ['no list', encode('{"0":1}')],
    ['too short a key', encode(`[1,"${ID}",1]`)],
    ['too long a key', encode(`[1,"${ID}",1,"a",2]`)],
    ['a time as text', encode(`["2026-01-01","${ID}",1,"a"]`)],
    ['a time after the last', encode(`[1e15,"${ID}",1,"a"]`)],
    ['a malformed id', encode('[1,"x",1,"a"]')],
    ['a fraction', encode(`[1,"${ID}",1.5,"a"]`)],
    ['an unsafe integer', encode(`[1,"${ID}",9007199254740993,"a"]`)],
    ['a NUL', encode(`[1,"${ID}",1,"\\u0000"]`)],
    ['a lone surrogate', encode(`[1,"${ID}",1,"\\ud800"]`)],
    ['more than it may', encode(JSON.stringify([1, ID, 1, 'a'.repeat(2_000)]))],
  ])('refuses a cursor that holds %s', (_, after) => {
    expect(() => readPage({ after }, KINDS)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
  });

  it('refuses any other text with BAD_USER_INPUT and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (after) => {
        expect(() => readPage({ after }, KINDS)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
      }),
    );
  });
});

describe('a connection', () => {
  const connect = (rows: number[], limit: number, after?: [number]) =>
    toConnection(rows, {
      page: { limit, after } as { limit: number; after: [number] | undefined },
      keyOf: (row) => [row],
      count: () => 9,
    });

  it('shows the page and says that there is more when one row too many was read', () => {
    const connection = connect([5, 4, 3], 2);
    expect(connection.nodes).toEqual([5, 4]);
    expect(connection.edges.map(({ node, cursor }) => [node, readPage({ after: cursor }, ['integer']).after])).toEqual([
      [5, [5]],
      [4, [4]],
    ]);
    expect(connection.pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: false,
      startCursor: writeCursor([5]),
      endCursor: writeCursor([4]),
    });
    expect(connect([2, 1], 2, [3]).pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    expect(connect([], 2).pageInfo).toMatchObject({ hasNextPage: false, startCursor: null, endCursor: null });
  });

  it('counts only when somebody asks', () => {
    let counts = 0;
    const count = () => {
      counts += 1;
      return counts;
    };
    const connection = toConnection([1], { page: readPage({}, ['integer']), keyOf: (row) => [row], count });
    expect(counts).toBe(0);
    expect(connection.totalCount).toBe(1);
  });
});
