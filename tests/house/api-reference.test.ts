import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOCUMENT_LIMITS } from '../../src/api/document-limits.js';
import { createSchema } from '../../src/api/schema.js';
import { ERROR_CODES, statusOf, textOf } from '../../src/core/errors.js';
import { declaredRefusals, requireDeclared } from '../support/refusals.js';
import { ADVICE } from './reference/advice.js';
import { fieldEntries, rootFields, tableOfContents } from './reference/fields.js';
import { cell, grouped } from './reference/text.js';
import { scalarTable, typeEntries } from './reference/types.js';
import { expectSections } from './sections.js';
import { sourceFiles } from './sources.js';

const PAGE = 'docs/API_REFERENCE.md';
const schema = createSchema();

function errorTable(): string {
  const rows = ERROR_CODES.map(
    (code) => `| \`${code}\` | ${statusOf(code)} | ${textOf(code)} | ${cell(ADVICE[code])} |`,
  );
  return ['| code | HTTP | message | what to do |', '|---|---:|---|---|', ...rows].join('\n');
}

function documentLimits(): string {
  const { tokens, depth, aliases, serviceAliases, rootFields: roots, directives, cost } = DOCUMENT_LIMITS;
  return (
    `- A document has at most ${grouped(tokens)} tokens, depth ${depth}, ${aliases} aliases (${serviceAliases} for ` +
    `services), ${roots} root fields and\n  ${directives} directives, and may ask for ${grouped(cost)} objects: page sizes multiply.`
  );
}

it('docs/API_REFERENCE.md has every field, error, limit and type (npm run generate writes them)', async () => {
  await expectSections(PAGE, [
    { name: 'contents', content: tableOfContents(schema) },
    { name: 'errors', content: errorTable() },
    { name: 'document limits', content: documentLimits() },
    { name: 'scalars', content: scalarTable(schema) },
    { name: 'fields', content: `\n${fieldEntries(schema)}\n` },
    { name: 'types', content: `\n${typeEntries(schema)}\n` },
  ]);
});

/** As `server.get('/x'` or as a page with a `path` says it; what is made of parts is written out here. */
function doorsOfSource(): Set<string> {
  const doors = new Set(['GET /checkout/success', 'GET /checkout/cancel']);
  for (const { path } of sourceFiles('src/api')) {
    const text = readFileSync(path, 'utf8');
    for (const [, verb = '', url] of text.matchAll(/\.(get|post)(?:<[^(]*>)?\(\s*'(\/[^']*)'/g))
      doors.add(`${verb.toUpperCase()} ${url}`);
    for (const [, url] of text.matchAll(/ path: '(\/[^']+)'/g)) doors.add(`GET ${url}`);
    for (const [, methods = '', url] of text.matchAll(/method: \[([^\]]*)\],\s*url: '([^']*)'/g))
      for (const [method] of methods.matchAll(/[A-Z]+/g)) doors.add(`${method} ${url}`);
  }
  return doors;
}

it('docs/API_REFERENCE.md has every door of the server, and no other', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../..', PAGE), 'utf8');
  const table = /## HTTP doors\n([\s\S]*?)<!--/.exec(page)?.[1] ?? '';
  const written = [...table.matchAll(/`((?:GET|POST) \/[^`]*)`/g)].map((match) => match[1] ?? '');
  expect(written.sort()).toEqual([...doorsOfSource()].sort());
});

describe('what the reference is made of', () => {
  it('says of every field what it promises, and of which services it is', () => {
    const fields = rootFields(schema);
    const silent = fields.filter(({ field }) => !/^(?!Level:)\S/.test(field.description ?? ''));
    expect(silent.map(({ field }) => field.name)).toEqual([]);
    expect([...declaredRefusals().keys()].sort()).toEqual(fields.map(({ field }) => field.name).sort());
  });

  it('notices a refusal that no service declares', () => {
    const refusal = { path: ['x'], extensions: { code: 'PAYMENT_FAILED' } };
    expect(() => requireDeclared('mutation { x: logout { ok } }', [refusal])).toThrow('logout answered PAYMENT_FAILED');
    expect(() => requireDeclared('mutation { x: startSubscription { __typename } }', [refusal])).not.toThrow();
  });
});
