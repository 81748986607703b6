import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeHtml, html, trusted } from '../../src/core/html.js';

describe('html', () => {
  it('escapes every value, in text and in attributes, and can be undone exactly', () => {
    const entities = new Map([
      ['&amp;', '&'],
      ['&lt;', '<'],
      ['&gt;', '>'],
      ['&quot;', '"'],
      ['&#39;', "'"],
    ]);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const escaped = escapeHtml(text);
        expect(escaped).not.toMatch(/[<>"']/);
        expect(escaped.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => entities.get(entity) ?? '')).toBe(text);
        expect(`${html`<a title="${text}">${text}</a>`}`).toBe(`<a title="${escaped}">${escaped}</a>`);
      }),
    );
  });

  it('takes markup only from itself and from constants, also inside of lists', () => {
    const item = html`<li>${'<b>'}</li>`;
    expect(`${html`<ul>${[item, '<i>']}</ul>${trusted('<hr>')}${undefined}${7}`}`).toBe(
      '<ul><li>&lt;b&gt;</li>&lt;i&gt;</ul><hr>7',
    );
    // An object that only looks like markup is not.
    const impostor = { toString: () => '<script>' } as unknown as string;
    expect(() => `${html`${impostor}`}`).toThrow();
  });
});
