import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../src/core/metrics.js';
import { expectSection } from './sections.js';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(resolve(root, 'docs/OPERATIONS.md'), 'utf8');

interface Described {
  name: string;
  help: string;
  type: string;
  labelNames: readonly string[];
}

test('the table of metrics is that of the code (npm run generate writes it)', async () => {
  const metrics = createMetrics().registry.getMetricsAsArray() as unknown as Described[];
  const rows = metrics.map(({ name, type, labelNames, help }) => {
    const labels = labelNames.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${labels} | ${help} |`;
  });
  expect(rows.length).toBeGreaterThan(45);
  const content = ['| metric | kind | labels | meaning |', '|---|---|---|---|', ...rows.sort()].join('\n');
  await expectSection('docs/OPERATIONS.md', { name: 'metrics', content });
});

const sectionOf = (heading: string) => page.split(/^(?=##)/m).find((part) => part.startsWith(`### ${heading}\n`));

test('every alert says what it means, how urgent it is, and where the page tells what to do', () => {
  const { groups } = parse(readFileSync(resolve(root, 'deploy/prometheus/alerts.yml'), 'utf8'));
  const rules = groups.flatMap((group: { rules: object[] }) => group.rules);
  expect(rules.length).toBeGreaterThan(30);
  for (const { alert, expr, labels, annotations } of rules) {
    expect(alert).toMatch(/^Credence[A-Za-z]+$/);
    expect(expr, alert).toMatch(/credence/);
    expect(['page', 'ticket'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toMatch(/^\S.{10,}/);
    expect(annotations.runbook_url, alert).toBe(`docs/OPERATIONS.md#${alert.toLowerCase()}`);
    expect(sectionOf(alert)?.length, `${alert} has a section that says something`).toBeGreaterThan(150);
  }
  const names = rules.map(({ alert }: { alert: string }) => alert);
  expect(new Set(names).size).toBe(names.length);
  const sections = [...page.matchAll(/^### (Credence\w+)$/gm)].map((match) => match[1]);
  expect(sections).toEqual(expect.arrayContaining(names));
  expect(sections.filter((name) => !names.includes(name))).toEqual([]);
});

test('every link within the page leads to a heading', () => {
  const slugs = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  const links = [...page.replaceAll(/\n/g, ' ').matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1] ?? '');
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter((link) => !slugs.includes(link))).toEqual([]);
});
